package jetstreamlog

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"positivity-exchange/shard/roomlog"
)

// Schema is the version of the streams that this program makes, and works with.
const Schema = 1

const (
	// recordStreams is how many streams the partitions are dealt out to: each
	// has a leader of its own, and takes 50 batches at a time, more than it has
	// partitions. It may not change for a log that exists: subjects differ then.
	recordStreams = 8
	// rollAge is how long the entry of a process lives that does not renew it.
	// Longer than any outage of the log that processes should survive.
	rollAge = 24 * time.Hour
)

// Keys of the streams' metadata.
const (
	metaIdentity   = "px-identity"
	metaSchema     = "px-schema"
	metaPartitions = "px-partitions"
)

func rollName(cluster string) string           { return cluster + "-roll" }
func recordsName(cluster string, k int) string { return fmt.Sprintf("%s-records-%d", cluster, k) }

// prepare makes or checks all streams and learns the log's identity.
func (l *Log) prepare(opts Options) error {
	if err := checkVersion(l.nc.ConnectedServerVersion()); err != nil {
		return err
	}
	if err := checkSync(opts); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(l.ctx, openFor)
	defer cancel()
	var random [12]byte
	rand.Read(random[:]) //nolint:errcheck // never fails
	meta := map[string]string{metaIdentity: hex.EncodeToString(random[:]), metaSchema: strconv.Itoa(Schema), metaPartitions: strconv.Itoa(opts.Partitions)}
	roll := jetstream.StreamConfig{
		Name: rollName(opts.Cluster), Subjects: []string{rollName(opts.Cluster) + ".>"}, Description: "px: the living processes of " + opts.Cluster,
		Storage: jetstream.FileStorage, Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardOld,
		MaxMsgsPerSubject: 1, MaxAge: rollAge, Replicas: opts.Replicas, AllowDirect: true, Metadata: meta,
	}
	// Of several that start at once the first to make this stream names the log.
	info, err := l.ensure(ctx, roll, opts)
	if err != nil {
		return err
	}
	l.identity = info.Metadata[metaIdentity]
	if l.identity == "" {
		return fmt.Errorf("stream %s is not px's: it has no %s in its metadata; use another --cluster name or another NATS account", roll.Name, metaIdentity)
	}
	meta[metaIdentity] = l.identity
	if opts.takes(info.Replicas) { // a stream that is missing is made like it
		opts.Replicas = info.Replicas
	}
	for k := range recordStreams {
		records := jetstream.StreamConfig{
			Name: recordsName(opts.Cluster, k), Description: "px: rooms of " + opts.Cluster,
			Storage: jetstream.FileStorage, Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardNew,
			Replicas: opts.Replicas, DenyDelete: true, AllowRollup: true, AllowDirect: true, AllowAtomicPublish: true, Metadata: meta,
		}
		for p := k; p < opts.Partitions; p += recordStreams {
			records.Subjects = append(records.Subjects, l.parts[p].filter)
		}
		if len(records.Subjects) == 0 {
			continue
		}
		if _, err := l.ensure(ctx, records, opts); err != nil {
			return err
		}
	}
	return nil
}

// ensure returns the stream's configuration, having made it if it was missing
// and compared it if not; one that must be existing is not made. While the servers
// have no leader yet it tries again.
func (l *Log) ensure(ctx context.Context, want jetstream.StreamConfig, opts Options) (jetstream.StreamConfig, error) {
	waiting := roomlog.NewOutage(l.logger, "waiting for JetStream", "")
	for {
		attempt, cancel := context.WithTimeout(ctx, 5*time.Second)
		s, err := l.js.Stream(attempt, want.Name)
		if errors.Is(err, jetstream.ErrStreamNotFound) && opts.Existing {
			cancel()
			return want, fmt.Errorf("there is no room log of a cluster %q: it would have a stream %s", l.cluster, want.Name)
		}
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			s, err = l.js.CreateStream(attempt, want)
			if err == nil {
				l.logger.Info("made a stream", "stream", want.Name, "replicas", want.Replicas)
			}
		}
		cancel()
		var api *jetstream.APIError
		switch {
		case err == nil:
			have := s.CachedInfo().Config
			if opts.takes(have.Replicas) {
				want.Replicas = have.Replicas
			}
			return have, l.compare(have, want)
		case errors.Is(err, jetstream.ErrStreamNameAlreadyInUse):
			continue // made by another just now
		case errors.As(err, &api) && api.ErrorCode == jetstream.JSErrCodeJetStreamNotEnabledForAccount,
			errors.As(err, &api) && api.ErrorCode == jetstream.JSErrCodeJetStreamNotEnabled:
			return want, fmt.Errorf("JetStream is not enabled there: start nats-server with -js or a jetstream block, and allow it for the account: %w", err)
		case errors.As(err, &api) && (api.Code < 500 || api.ErrorCode == codeNotClustered) && api.ErrorCode != codeNoPeers || ctx.Err() != nil:
			return want, fmt.Errorf("stream %s with %d replicas: %w", want.Name, want.Replicas, err)
		}
		waiting.Note(err, "stream", want.Name)
		if err := pause(ctx, 250*time.Millisecond); err != nil {
			return want, fmt.Errorf("stream %s with %d replicas: %w", want.Name, want.Replicas, err)
		}
	}
}

// compare says what differs from what px relies on. What an operator may choose
// (placement, compression, a bound in bytes that refuses what is new) is left alone.
func (l *Log) compare(have, want jetstream.StreamConfig) error {
	var diff []string
	note := func(what string, have, want any) {
		if fmt.Sprint(have) != fmt.Sprint(want) {
			diff = append(diff, fmt.Sprintf("%s is %v, not %v", what, have, want))
		}
	}
	slices.Sort(have.Subjects)
	slices.Sort(want.Subjects)
	note("px-identity", have.Metadata[metaIdentity], l.expectedIdentity(have, want))
	note("px-schema", have.Metadata[metaSchema], want.Metadata[metaSchema])
	note("px-partitions", have.Metadata[metaPartitions], want.Metadata[metaPartitions])
	note("subjects", have.Subjects, want.Subjects)
	note("storage", have.Storage, want.Storage)
	note("retention", have.Retention, want.Retention)
	note("discard", have.Discard, want.Discard)
	note("max age", have.MaxAge, want.MaxAge)
	note("max messages", max(have.MaxMsgs, 0), 0)
	note("max messages per subject", max(have.MaxMsgsPerSubject, 0), want.MaxMsgsPerSubject)
	note("max message size", max(have.MaxMsgSize, 0), 0)
	note("sealed", have.Sealed, false)
	note("no ack", have.NoAck, false)
	note("deny purge", have.DenyPurge, false)
	note("allow rollup", have.AllowRollup, want.AllowRollup)
	note("allow direct", have.AllowDirect, true)
	note("allow atomic publish", have.AllowAtomicPublish, want.AllowAtomicPublish)
	note("persist mode", have.PersistMode, jetstream.DefaultPersistMode)
	note("replicas", have.Replicas, want.Replicas) // the last: how to take them stands behind it
	if len(diff) == 0 {
		return nil
	}
	mends := fmt.Sprintf("nats stream edit %s mends what may be changed", want.Name)
	if have.Replicas != want.Replicas {
		mends = fmt.Sprintf("--nats-replicas %d takes them as they are; %s", have.Replicas, mends)
	}
	return fmt.Errorf("stream %s is not as px needs it: %s (%s)", want.Name, strings.Join(diff, "; "), mends)
}

// expectedIdentity is that of the room log, which is whatever its roll's stream says.
func (l *Log) expectedIdentity(have, want jetstream.StreamConfig) string {
	if want.Name == rollName(l.cluster) {
		return have.Metadata[metaIdentity]
	}
	return want.Metadata[metaIdentity]
}

// checkVersion refuses servers without atomic batches.
func checkVersion(version string) error {
	parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	if len(parts) < 2 {
		return nil // a server that hides its version; its streams will tell
	}
	major, err := strconv.Atoi(parts[0])
	minor, err2 := strconv.Atoi(parts[1])
	if err != nil || err2 != nil || major > 2 || major == 2 && minor >= 12 {
		return nil
	}
	return fmt.Errorf("the NATS server is version %s; px needs 2.12 or newer (atomic batches)", version)
}
