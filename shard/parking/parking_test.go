//go:build linux

package parking

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// running is a Lot that parks, until the test ends.
func running(t testing.TB) (l *Lot, stop func()) {
	t.Helper()
	l = NewLot()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != context.Canceled {
			t.Errorf("Run returned %v", err)
		}
	})
	t.Cleanup(stop)
	await(t, "the lot is open", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.running
	})
	return l, stop
}

func await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(10 * time.Second); !ok(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}

// parked is one end of a connection, owned by a test.
type parked struct {
	net.Conn
	far   net.Conn
	place Place
	woken chan bool // the values of due
}

func (p *parked) Wake(due bool) { p.woken <- due }

func (p *parked) expect(t *testing.T, due bool) {
	t.Helper()
	select {
	case got := <-p.woken:
		if got != due {
			t.Fatalf("woken with due %t", got)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("not woken")
	}
}

func connected(t testing.TB) *parked {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return accepted(t, ln, dialed(t, ln))
}

func dialed(t testing.TB, ln net.Listener) net.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	return nc
}

func accepted(t testing.TB, ln net.Listener, far net.Conn) *parked {
	t.Helper()
	nc, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	raw, err := nc.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	p := &parked{Conn: nc, far: far, woken: make(chan bool, 4)}
	p.place = NewPlace(p, raw)
	return p
}

func hour() time.Time { return time.Now().Add(time.Hour) }

func TestWokenByWhatComes(t *testing.T) {
	l, _ := running(t)
	p := connected(t)
	b := make([]byte, 1)
	for range 3 {
		if !l.Park(&p.place, hour()) {
			t.Fatal("not parked")
		}
		p.far.Write([]byte("x")) //nolint:errcheck // the read tells
		p.expect(t, false)
		if _, err := p.Read(b); err != nil {
			t.Fatal(err)
		}
	}
	// What came before is not waited for.
	p.far.Write([]byte("x")) //nolint:errcheck // likewise
	if !l.Park(&p.place, hour()) {
		t.Fatal("not parked")
	}
	p.expect(t, false)
	if len(p.woken) > 0 {
		t.Error("woken more than once")
	}
}

func TestWokenByTheEndOfTheConnection(t *testing.T) {
	l, _ := running(t)
	for name, end := range map[string]func(p *parked){
		"the peer closes":      func(p *parked) { p.far.Close() },
		"the peer resets":      func(p *parked) { p.far.(*net.TCPConn).SetLinger(0); p.far.Close() }, //nolint:errcheck // a test's
		"the peer half closes": func(p *parked) { p.far.(*net.TCPConn).CloseWrite() },                //nolint:errcheck // a test's
		"closed here":          func(p *parked) { p.Close(); l.Wake(&p.place) },
	} {
		t.Run(name, func(t *testing.T) {
			p := connected(t)
			if !l.Park(&p.place, hour()) {
				t.Fatal("not parked")
			}
			end(p)
			p.expect(t, false)
		})
	}
}

func TestWokenWhenTheTimeIsOver(t *testing.T) {
	l, _ := running(t)
	first, second, later := connected(t), connected(t), connected(t)
	now := time.Now()
	for p, wait := range map[*parked]time.Duration{first: 20 * time.Millisecond, second: 40 * time.Millisecond, later: time.Hour} {
		if !l.Park(&p.place, now.Add(wait)) {
			t.Fatal("not parked")
		}
	}
	first.expect(t, true)
	second.expect(t, true)
	if took := time.Since(now); took < 40*time.Millisecond {
		t.Errorf("both were woken after %s", took)
	}
	if len(later.woken) > 0 {
		t.Error("a third was woken an hour early")
	}
	if !l.Park(&first.place, now) {
		t.Fatal("not parked")
	}
	first.expect(t, true) // over already
}

func TestNothingParksWithoutRun(t *testing.T) {
	p := connected(t)
	if NewLot().Park(&p.place, hour()) {
		t.Error("parked where nobody looks")
	}
	l, stop := running(t)
	if !l.Park(&p.place, hour()) {
		t.Fatal("not parked")
	}
	stop()
	p.expect(t, false)
	if l.Park(&p.place, hour()) {
		t.Error("parked after the end")
	}
	l.Wake(&p.place)
	if len(p.woken) > 0 {
		t.Error("woken and not parked")
	}
}

func TestClosedConnectionIsNotParked(t *testing.T) {
	l, _ := running(t)
	p := connected(t)
	p.Close()
	if l.Park(&p.place, hour()) {
		t.Error("parked")
	}
}

// TestDescriptorUsedAgain: what is parked under a closed connection's number
// hears of its own events alone, and the closed one is woken by its closer.
func TestDescriptorUsedAgain(t *testing.T) {
	l, _ := running(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	var fars []net.Conn
	for range 8 {
		fars = append(fars, dialed(t, ln))
	}
	old := accepted(t, ln, fars[0])
	if !l.Park(&old.place, hour()) {
		t.Fatal("not parked")
	}
	old.Close() // whoever closes says so a moment later
	var heir *parked
	for _, far := range fars[1:] {
		p := accepted(t, ln, far)
		if !l.Park(&p.place, hour()) {
			t.Fatal("not parked")
		}
		if p.place.fd == old.place.fd {
			heir = p
			break
		}
	}
	if heir == nil {
		t.Fatal("the closed one's number did not come again")
	}
	l.Wake(&old.place)
	old.expect(t, false)
	if len(heir.woken) > 0 {
		t.Error("the heir was woken by the old one's end")
	}
	heir.far.Write([]byte("x")) //nolint:errcheck // the event tells
	heir.expect(t, false)
}

// echo answers each byte: a goroutine of its own only while there is something.
type echo struct {
	lot   *Lot
	conn  net.Conn
	place Place
	group *sync.WaitGroup // a count until the connection ends
	turns atomic.Int64
	runs  atomic.Int32 // readers at this moment
	twice atomic.Bool  // there were two
}

func (e *echo) Wake(bool) { go e.read() }

func (e *echo) read() {
	e.turns.Add(1)
	b := make([]byte, 16)
	for {
		if e.runs.Add(1) > 1 {
			e.twice.Store(true)
		}
		e.conn.SetReadDeadline(time.Now().Add(50 * time.Microsecond)) //nolint:errcheck // the read tells
		n, err := e.conn.Read(b)
		if n > 0 {
			_, err = e.conn.Write(b[:n])
		}
		e.runs.Add(-1)
		if nerr, ok := err.(net.Error); ok && nerr.Timeout() {
			// Short enough that time, bytes and closing meet.
			if e.lot.Park(&e.place, time.Now().Add(time.Millisecond)) {
				return
			}
			continue
		}
		if err != nil {
			e.conn.Close()
			e.group.Done()
			return
		}
	}
}

// TestNothingIsLostAndNobodyWokenTwice lets bytes, deadlines and ends race on
// connections that park all the time.
func TestNothingIsLostAndNobodyWokenTwice(t *testing.T) {
	l, _ := running(t)
	const connections, rounds = 16, 200
	var readers, writers sync.WaitGroup
	var list []*echo
	for i := range connections {
		p := connected(t)
		raw, err := p.Conn.(*net.TCPConn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		e := &echo{lot: l, conn: p.Conn, group: &readers}
		e.place = NewPlace(e, raw)
		list = append(list, e)
		readers.Add(1)
		go e.read()
		writers.Go(func() {
			b := make([]byte, 1)
			p.far.SetDeadline(time.Now().Add(60 * time.Second)) //nolint:errcheck // the read tells
			for n := range rounds {
				b[0] = byte(n)
				if _, err := p.far.Write(b); err != nil {
					t.Error(err)
					break
				}
				if _, err := io.ReadFull(p.far, b); err != nil || b[0] != byte(n) {
					t.Errorf("round %d: got %d, %v", n, b[0], err)
					break
				}
			}
			if i%2 == 0 {
				p.far.Close()
			} else {
				p.Close()
				l.Wake(&e.place)
			}
		})
	}
	writers.Wait()
	readers.Wait()
	var turns int64
	for _, e := range list {
		if e.twice.Load() {
			t.Error("two readers of one connection at once")
		}
		turns += e.turns.Load()
	}
	if turns <= connections {
		t.Errorf("%d readers for %d connections: nothing was ever parked", turns, connections)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) > 0 {
		t.Errorf("%d are parked and have ended", len(l.queue))
	}
}

// BenchmarkParkAndWake is what a byte costs more after a silence.
func BenchmarkParkAndWake(b *testing.B) {
	l, _ := running(b)
	p := connected(b)
	buf := make([]byte, 1)
	b.ReportAllocs()
	for b.Loop() {
		if !l.Park(&p.place, hour()) {
			b.Fatal("not parked")
		}
		p.far.Write(buf) //nolint:errcheck // the read tells
		<-p.woken
		if _, err := p.Read(buf); err != nil {
			b.Fatal(err)
		}
	}
}
