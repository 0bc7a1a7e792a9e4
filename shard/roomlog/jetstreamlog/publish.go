package jetstreamlog

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"positivity-exchange/shard/failpoint"
	"positivity-exchange/shard/roomlog"
)

// maxBatch is how many messages JetStream takes in one atomic batch.
const maxBatch = 1000

// errStale: the expectation did not hold, and nothing of ours entered.
var errStale = errors.New("something newer is in the partition")

// Headers of messages; those that begin with Nats are JetStream's.
const (
	headerFirst  = "Px-Seq"  // of the message's first record
	headerLast   = "Px-Last" // of its last
	headerEpoch  = "Px-Epoch"
	headerRollup = "Nats-Rollup" // "sub": the message replaces those of its subject

	headerExpected   = "Nats-Expected-Last-Subject-Sequence"
	headerExpectedOf = "Nats-Expected-Last-Subject-Sequence-Subject"
	headerBatch      = "Nats-Batch-Id"
	headerBatchSeq   = "Nats-Batch-Sequence"
	headerCommit     = "Nats-Batch-Commit"
)

// expect makes m enter only if the newest message of filter is at sequence.
func expect(m *nats.Msg, filter string, at uint64) {
	m.Header.Set(headerExpected, strconv.FormatUint(at, 10))
	m.Header.Set(headerExpectedOf, filter)
}

// ack is JetStream's answer to a publish or a batch.
type ack struct {
	Stream string              `json:"stream"`
	Seq    uint64              `json:"seq"`
	Size   int                 `json:"count"`
	Error  *jetstream.APIError `json:"error"`
}

// write publishes messages as one, all or none. The last carries the
// partition's expectation, which the caller has set; inside must be reached
// before the one that decides is sent. It returns the stream sequence of the
// last message, or errStale with the sequence in the way (0: not told),
// roomlog.ErrRefused or roomlog.ErrUnknown.
//
// An attempt without an answer is made again: under the same expectation it
// enters once at most. When something newer is found in the way then, nothing
// of ours can enter any more, and ours looks whether it is in: at is where, 0 if
// others have written since. Only who has what was in the way can tell.
func (l *Log) write(ctx context.Context, msgs []*nats.Msg, inside string, ours func(ctx context.Context, inTheWay uint64) (at uint64, in bool, err error)) (uint64, error) {
	if len(msgs) > maxBatch {
		return 0, fmt.Errorf("%w: %d messages at once, at most %d", roomlog.ErrRefused, len(msgs), maxBatch)
	}
	var unanswered bool
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		a, sent, err := l.attempt(ctx, msgs, inside)
		switch {
		case err != nil:
			unanswered = unanswered || sent
			if errors.Is(err, nats.ErrMaxPayload) && !unanswered {
				return 0, fmt.Errorf("%w: %w", roomlog.ErrRefused, err)
			}
		case a.Error == nil:
			return a.Seq, nil
		default:
			err = a.Error
			switch a.Error.ErrorCode {
			case codeStale:
				if unanswered {
					at, in, err := ours(ctx, staleAt(a.Error))
					if err != nil {
						return 0, fmt.Errorf("%w: %w", roomlog.ErrUnknown, err)
					}
					if in {
						return at, nil
					}
				}
				return staleAt(a.Error), errStale
			case codeInFlight:
				wait = min(wait, 2*time.Millisecond)
			case codeIncomplete, codeTooManyOpen, codeUnavailable:
			default:
				if full(a.Error) && !unanswered {
					return 0, fmt.Errorf("%w: the stream is at its byte limit, give it more (nats stream edit): %w", roomlog.ErrRefused, a.Error)
				}
				// Of a failed store nobody can say which replicas have it.
				return 0, fmt.Errorf("%w: %w", roomlog.ErrUnknown, a.Error)
			}
		}
		if ctx.Err() != nil || pause(ctx, wait) != nil {
			if unanswered {
				return 0, fmt.Errorf("%w: %w: %w", roomlog.ErrUnknown, errNoAnswer, err)
			}
			return 0, fmt.Errorf("%w: %w: %w", roomlog.ErrRefused, errNoAnswer, err)
		}
	}
}

// full tells the refusal of a stream that is at its limit, which all replicas
// agree on: nothing entered. Other failed stores have the same code.
func full(e *jetstream.APIError) bool {
	return e.ErrorCode == codeStoreFailed && strings.Contains(e.Description, "maximum bytes exceeded")
}

// staleAt is the sequence that "wrong last sequence: N" names.
func staleAt(e *jetstream.APIError) uint64 {
	var at uint64
	fmt.Sscanf(e.Description, "wrong last sequence: %d", &at) //nolint:errcheck // 0 where it does not say
	return at
}

// attempt sends once. sent tells, with an error, whether it may have arrived.
func (l *Log) attempt(ctx context.Context, msgs []*nats.Msg, inside string) (a ack, sent bool, err error) {
	if err := ctx.Err(); err != nil {
		return a, false, err
	}
	ctx, cancel := l.line.try(ctx)
	defer cancel()
	last := msgs[len(msgs)-1]
	if len(msgs) > 1 {
		id := rand.Text()
		for i, m := range msgs {
			m.Header.Set(headerBatch, id)
			m.Header.Set(headerBatchSeq, strconv.Itoa(i+1))
			if m == last {
				break
			}
			// What is not committed never enters: sent stays false.
			if err := l.nc.PublishMsg(m); err != nil {
				return a, false, err
			}
		}
		last.Header.Set(headerCommit, "1")
	}
	failpoint.Hit(inside)
	reply, err := l.nc.RequestMsgWithContext(ctx, last)
	if err != nil {
		return a, !certainlyUnsent(err), err
	}
	if err := json.Unmarshal(reply.Data, &a); err != nil {
		return a, true, fmt.Errorf("JetStream's answer: %w", err)
	}
	if a.Error == nil && (a.Seq == 0 || len(msgs) > 1 && a.Size != len(msgs)) {
		return a, true, fmt.Errorf("JetStream acknowledges %d of %d messages at %d", a.Size, len(msgs), a.Seq)
	}
	return a, true, nil
}

// certainlyUnsent tells errors after which no server has the message.
func certainlyUnsent(err error) bool {
	for _, e := range []error{nats.ErrNoResponders, nats.ErrReconnectBufExceeded, nats.ErrConnectionClosed, nats.ErrConnectionReconnecting, nats.ErrMaxPayload, nats.ErrHeadersNotSupported, nats.ErrInvalidConnection} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
