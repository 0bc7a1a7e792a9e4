package jetstreamlog

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"positivity-exchange/shard/roomlog"
)

// Error codes of JetStream that decide what to do next.
const (
	codeStale        jetstream.ErrorCode = 10071 // the expectation does not hold; nothing entered
	codeInFlight     jetstream.ErrorCode = 10164 // another write with the same expectation is under way
	codeIncomplete   jetstream.ErrorCode = 10176 // a batch that the leader saw in part
	codeTooManyOpen  jetstream.ErrorCode = 10210 // batches open on the stream or server
	codeStoreFailed  jetstream.ErrorCode = 10077 // the description says why
	codeUnavailable  jetstream.ErrorCode = 10008 // no leader now
	codeNoPeers      jetstream.ErrorCode = 10005 // a cluster that is still gathering
	codeNotClustered jetstream.ErrorCode = 10074 // replicas asked of a server alone
	codeNotFound     jetstream.ErrorCode = 10037
)

// message is one message of a stream.
type message struct {
	subject string
	at      uint64 // stream sequence
	header  nats.Header
	data    []byte
}

// request is what is asked of a stream; the wire's names.
type request struct {
	Seq       uint64   `json:"seq,omitempty"`
	LastFor   string   `json:"last_by_subj,omitempty"`
	NextFor   string   `json:"next_by_subj,omitempty"`
	Batch     int      `json:"batch,omitempty"`
	MaxBytes  int      `json:"max_bytes,omitempty"`
	MultiLast []string `json:"multi_last,omitempty"`
}

// errNone: no message is what was asked for.
var errNone = errors.New("no such message")

// errTooMany: servers answer MultiLast for 1,024 subjects at most.
var errTooMany = errors.New("more subjects than one answer may have")

// errNoAnswer: the time of a call was over before the servers said what they
// ought to. With ErrRefused: nothing entered, and it may be tried again.
var errNoAnswer = errors.New("no answer from the NATS servers in time")

// unreachable wraps an error of reading.
func unreachable(stream string, err error) error {
	return fmt.Errorf("%w: %w: stream %s: %w", roomlog.ErrRefused, errNoAnswer, stream, err)
}

// leader asks the stream's leader for one message; errNone if there is none.
// Only leaders answer, and a new leader has applied all that was acknowledged.
func (l *Log) leader(ctx context.Context, stream string, r request) (message, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return message{}, err
	}
	for {
		m, err := l.askLeader(ctx, stream, body)
		if err == nil || errors.Is(err, errNone) {
			return m, err
		}
		if ctx.Err() != nil || pause(ctx, 20*time.Millisecond) != nil {
			return message{}, unreachable(stream, err)
		}
	}
}

func (l *Log) askLeader(ctx context.Context, stream string, body []byte) (message, error) {
	ctx, cancel := l.line.try(ctx)
	defer cancel()
	reply, err := l.nc.RequestWithContext(ctx, "$JS.API.STREAM.MSG.GET."+stream, body)
	if err != nil {
		return message{}, err
	}
	var answer struct {
		Error   *jetstream.APIError `json:"error"`
		Message *struct {
			Subject string `json:"subject"`
			Seq     uint64 `json:"seq"`
			Header  string `json:"hdrs"`
			Data    string `json:"data"`
		} `json:"message"`
	}
	if err := json.Unmarshal(reply.Data, &answer); err != nil {
		return message{}, err
	}
	if answer.Error != nil && answer.Error.ErrorCode == codeNotFound {
		return message{}, errNone
	}
	if answer.Error != nil {
		return message{}, answer.Error
	}
	if answer.Message == nil {
		return message{}, errors.New("an answer without a message")
	}
	m := message{subject: answer.Message.Subject, at: answer.Message.Seq}
	if m.data, err = base64.StdEncoding.DecodeString(answer.Message.Data); err != nil {
		return message{}, err
	}
	header, err := base64.StdEncoding.DecodeString(answer.Message.Header)
	if err != nil || len(header) == 0 {
		return m, err
	}
	m.header, err = nats.DecodeHeadersMsg(header)
	return m, err
}

// replica asks any replica for messages. upTo is how far it had got, where the
// answer tells (for MultiLast). No message is no error.
func (l *Log) replica(ctx context.Context, stream string, r request) (found []message, upTo uint64, err error) {
	ctx, cancel := l.line.try(ctx)
	defer cancel()
	body, err := json.Marshal(r)
	if err != nil {
		return nil, 0, err
	}
	answers := l.replies.expect()
	defer answers.end()
	if err := l.nc.PublishRequest("$JS.API.DIRECT.GET."+stream, answers.subject, body); err != nil {
		return nil, 0, err
	}
	for {
		m, err := answers.one(ctx)
		if err != nil {
			return nil, 0, err
		}
		switch status := m.Header.Get("Status"); status {
		case "":
		case "404":
			return found, 0, nil
		case "204":
			upTo, _ = strconv.ParseUint(m.Header.Get("Nats-UpTo-Sequence"), 10, 64) //nolint:errcheck // absent but for MultiLast
			return found, upTo, nil
		case "413":
			return nil, 0, errTooMany
		default:
			return nil, 0, fmt.Errorf("stream %s answers %s %s", stream, status, m.Header.Get("Description"))
		}
		if m.Header == nil && len(m.Data) == 0 {
			return nil, 0, nats.ErrNoResponders
		}
		at, err := strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64)
		if err != nil {
			return nil, 0, fmt.Errorf("stream %s: a message without its sequence: %w", stream, err)
		}
		found = append(found, message{subject: m.Header.Get("Nats-Subject"), at: at, header: m.Header, data: m.Data})
		if r.Batch == 0 && r.MultiLast == nil {
			return found, 0, nil
		}
	}
}

// streamInfo is the part of a stream's information that is read here.
type streamInfo struct {
	Error *jetstream.APIError `json:"error"`
	Total int                 `json:"total"` // of subjects; a page of them is in State
	State struct {
		LastSeq  uint64            `json:"last_seq"`
		Subjects map[string]uint64 `json:"subjects"`
	} `json:"state"`
	Cluster struct {
		Replicas []struct {
			Offline bool          `json:"offline"`
			Active  time.Duration `json:"active"` // since it was heard
		} `json:"replicas"`
	} `json:"cluster"`
}

// info asks the stream's leader about it, and for its subjects that match filter.
func (l *Log) info(ctx context.Context, stream, filter string, offset int) (info streamInfo, err error) {
	ctx, cancel := l.line.try(ctx)
	defer cancel()
	reply, err := l.nc.RequestWithContext(ctx, "$JS.API.STREAM.INFO."+stream, fmt.Appendf(nil, `{"subjects_filter":%q,"offset":%d}`, filter, offset))
	if err != nil {
		return info, err
	}
	if err := json.Unmarshal(reply.Data, &info); err != nil {
		return info, err
	}
	if info.Error != nil {
		return info, info.Error
	}
	return info, nil
}
