package peer_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"positivity-exchange/comms"
	"positivity-exchange/comms/peer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var keys = comms.NewKeys(make([]byte, 32))

// shard answers members' questions as answer says; nil answers nothing.
type shard struct {
	addr string
	stop func()
}

func serve(t *testing.T, boot string, answer func(comms.Command) []comms.Event) shard {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var conns []*comms.Conn
	wg.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			conn := comms.NewServerConn(nc, time.Minute)
			mu.Lock()
			conns = append(conns, conn)
			mu.Unlock()
			wg.Go(func() {
				defer conn.Close()
				for {
					c, err := conn.ReadCommand()
					if err != nil {
						return
					}
					if hello, ok := c.(comms.Hello); ok {
						if err := keys.Check(hello.Ticket, comms.AsMember, hello.User, time.Now()); err != nil {
							t.Errorf("a member's ticket: %v", err)
						}
						conn.WriteEvent(comms.Welcome{Version: 1, User: hello.User, Role: "shard", Name: "s1", Boot: boot}) //nolint:errcheck // its end is read above
						continue
					}
					conn.WriteEvent(answer(c)...) //nolint:errcheck // likewise
				}
			})
		}
	})
	stop := sync.OnceFunc(func() {
		ln.Close()
		mu.Lock()
		for _, c := range conns {
			c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	t.Cleanup(stop)
	return shard{ln.Addr().String(), stop}
}

func pool(t *testing.T) *peer.Pool {
	t.Helper()
	p := peer.NewPool(keys, "s2", "boot-2", nil)
	t.Cleanup(func() { p.Close() }) //nolint:errcheck // never fails
	return p
}

func offers(c comms.Command) []comms.Event {
	if o, ok := c.(comms.Offer); ok {
		return []comms.Event{comms.Offered{Partition: o.Partition, OK: o.Partition%2 == 0}}
	}
	return nil
}

func TestLinkChecksWhoAnswers(t *testing.T) {
	s, p := serve(t, "boot-1", offers), pool(t)
	if _, err := p.Link(t.Context(), s.addr, "boot-0"); !errors.Is(err, peer.ErrOtherBoot) {
		t.Errorf("another boot: %v", err)
	}
	link, err := p.Link(t.Context(), s.addr, "boot-1")
	if err != nil {
		t.Fatal(err)
	}
	s.stop()
	select {
	case <-link.Done():
	case <-time.After(5 * time.Second):
		t.Fatal("a broken connection is not noticed")
	}
	if _, err := p.Link(t.Context(), s.addr, "boot-1"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("nobody listens: %v", err)
	}
}

func TestCallsBesideEachOtherGetTheirOwnAnswers(t *testing.T) {
	s, p := serve(t, "b", offers), pool(t)
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			e, err := p.Call(t.Context(), s.addr, comms.Offer{Partition: i})
			if o, ok := e.(comms.Offered); err != nil || !ok || o.Partition != i || o.OK != (i%2 == 0) {
				t.Errorf("%d: %+v, %v", i, e, err)
			}
		})
	}
	wg.Wait()
}

func TestRefusalIsAnError(t *testing.T) {
	s, p := serve(t, "b", func(comms.Command) []comms.Event {
		return []comms.Event{comms.Error{Code: comms.CodeNotAllowed, Message: "no"}}
	}), pool(t)
	var refused *comms.Error
	if _, err := p.Call(t.Context(), s.addr, comms.Status{}); !errors.As(err, &refused) || refused.Code != comms.CodeNotAllowed {
		t.Errorf("got %v", err)
	}
}

// TestLateAnswerIsNobodys: the answer to a question given up must not be taken
// for that to the next one.
func TestLateAnswerIsNobodys(t *testing.T) {
	first := make(chan struct{})
	n := 0
	s, p := serve(t, "b", func(c comms.Command) []comms.Event {
		y := c.(comms.Yield)
		n++
		if n == 1 {
			<-first
			return []comms.Event{comms.Yielded{Partition: y.Partition, Answer: comms.YieldReleased}}
		}
		return []comms.Event{comms.Yielded{Partition: y.Partition, Answer: comms.YieldNo}}
	}), pool(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := p.Call(ctx, s.addr, comms.Yield{Partition: 7}); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("an unanswered question: %v", err)
	}
	close(first)
	e, err := p.Call(t.Context(), s.addr, comms.Yield{Partition: 7})
	if y, ok := e.(comms.Yielded); err != nil || !ok || y.Answer != comms.YieldNo {
		t.Errorf("the second question got %+v, %v", e, err)
	}
}

// TestConnectionThatHangsIsReplaced: the network was cut and is whole again, and
// what was sent meanwhile still waits for its next turn. Questions must not
// wait with it.
func TestConnectionThatHangsIsReplaced(t *testing.T) {
	var asked atomic.Int32
	deaf := make(chan struct{})
	defer close(deaf)
	s, p := serve(t, "b", func(c comms.Command) []comms.Event {
		if asked.Add(1) == 1 {
			<-deaf // and reads no more on this connection
		}
		return offers(c)
	}), pool(t)
	start := time.Now()
	for {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		_, err := p.Call(ctx, s.addr, comms.Offer{Partition: 2})
		cancel()
		took := time.Since(start)
		if err == nil {
			t.Logf("answered over a new connection after %s", took)
			if took < time.Second {
				t.Error("a shard that is only slow keeps its connection for a second")
			}
			return
		}
		if took > 5*time.Second {
			t.Fatalf("after %s: %v", took, err)
		}
	}
}

func TestBrokenConnectionEndsQuestions(t *testing.T) {
	asked := make(chan struct{})
	s, p := serve(t, "b", func(comms.Command) []comms.Event { close(asked); return nil }), pool(t)
	answer := make(chan error, 1)
	go func() {
		_, err := p.Call(t.Context(), s.addr, comms.Status{})
		answer <- err
	}()
	<-asked
	s.stop()
	if err := <-answer; err == nil {
		t.Error("a question over a broken connection was answered")
	}
}

func TestWatchReportsUntilTheEnd(t *testing.T) {
	s, p := serve(t, "b", func(c comms.Command) []comms.Event {
		if _, ok := c.(comms.WatchRooms); !ok {
			return nil
		}
		return []comms.Event{comms.RoomReport{Partition: 3, First: true, More: true}, comms.RoomReport{Partition: 3}}
	}), pool(t)
	reports := make(chan comms.RoomReport, 2)
	ended := make(chan error, 1)
	go func() { ended <- p.Watch(t.Context(), s.addr, func(r comms.RoomReport) { reports <- r }) }()
	if r := <-reports; r.Partition != 3 || !r.More {
		t.Errorf("first %+v", r)
	}
	if r := <-reports; r.More {
		t.Errorf("then %+v", r)
	}
	s.stop()
	if err := <-ended; err == nil {
		t.Error("a watch over a broken connection ended without an error")
	}
}

// late is a connection on which a deadline that is over is set only once the
// deadlines were reset, or it was closed.
type late struct {
	net.Conn
	heard func() // once something was read
	begun chan struct{}
	reset chan struct{}
	once  sync.Once
}

func (l *late) Read(b []byte) (int, error) {
	n, err := l.Conn.Read(b)
	l.heard()
	<-l.begun
	return n, err
}

func (l *late) SetDeadline(at time.Time) error {
	if at.IsZero() {
		l.once.Do(func() { close(l.reset) })
	} else {
		close(l.begun)
		<-l.reset
	}
	return l.Conn.SetDeadline(at)
}

func (l *late) Close() error {
	l.once.Do(func() { close(l.reset) })
	return l.Conn.Close()
}

// TestConnectionThatIsBeingInterruptedIsNotShared: the deadline that ends its
// reads may be set at any time from then on.
func TestConnectionThatIsBeingInterruptedIsNotShared(t *testing.T) {
	s := serve(t, "b", offers)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	p := peer.NewPool(keys, "s2", "boot-2", func(ctx context.Context, addr string) (net.Conn, error) {
		var d net.Dialer
		nc, err := d.DialContext(ctx, "tcp", addr)
		return &late{Conn: nc, heard: cancel, begun: make(chan struct{}), reset: make(chan struct{})}, err
	})
	defer p.Close() //nolint:errcheck // never fails
	if _, err := p.Link(ctx, s.addr, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
