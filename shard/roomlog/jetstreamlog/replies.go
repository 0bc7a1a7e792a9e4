package jetstreamlog

import (
	"context"
	"strconv"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"
)

// replies takes the answers to all requests that have more than one: over one
// subscription, since the servers of a cluster tell each other of every new one.
type replies struct {
	prefix string // of the subjects to answer to

	mu      sync.Mutex
	next    uint64
	waiting map[string]*answers
}

// answers are those to one request, in the order in which they came.
type answers struct {
	of      *replies
	subject string

	mu    sync.Mutex
	came  []*nats.Msg
	ready chan struct{} // one slot
}

func newReplies(nc *nats.Conn) (*replies, error) {
	r := &replies{prefix: nc.NewInbox() + ".", waiting: map[string]*answers{}}
	sub, err := nc.Subscribe(r.prefix+"*", r.take)
	if err != nil {
		return nil, err
	}
	// What is bounded are the requests.
	return r, sub.SetPendingLimits(-1, -1)
}

func (r *replies) take(m *nats.Msg) {
	r.mu.Lock()
	a := r.waiting[strings.TrimPrefix(m.Subject, r.prefix)]
	r.mu.Unlock()
	if a == nil {
		return // its request was given up
	}
	a.mu.Lock()
	a.came = append(a.came, m)
	a.mu.Unlock()
	select {
	case a.ready <- struct{}{}:
	default:
	}
}

// expect makes ready for the answers to one request; end must follow.
func (r *replies) expect() *answers {
	a := &answers{of: r, ready: make(chan struct{}, 1)}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.next++
	token := strconv.FormatUint(r.next, 36)
	a.subject = r.prefix + token
	r.waiting[token] = a
	return a
}

func (a *answers) end() {
	a.of.mu.Lock()
	defer a.of.mu.Unlock()
	delete(a.of.waiting, strings.TrimPrefix(a.subject, a.of.prefix))
}

// one waits for the next answer.
func (a *answers) one(ctx context.Context) (*nats.Msg, error) {
	for {
		a.mu.Lock()
		if len(a.came) > 0 {
			m := a.came[0]
			a.came = a.came[1:]
			a.mu.Unlock()
			return m, nil
		}
		a.mu.Unlock()
		select {
		case <-a.ready:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
