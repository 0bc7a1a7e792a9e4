package fanout

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// processors has the threads counted for so many.
func processors(t *testing.T, n int) {
	before := runtime.GOMAXPROCS(n)
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
}

// listener is a member of one ring, and what it hears.
type listener struct {
	*Outlet
	net.Conn
	lines *bufio.Scanner
}

// join makes n members of a ring, in the order in which they are visited.
func join(t *testing.T, p *Pool, r *Ring, n int) (list []listener) {
	for range n {
		server, client := tcpPair(t)
		o := p.NewOutlet(server, func(error) {})
		o.Attach(r, 0, nil)
		o.Flush()
		list = append(list, listener{o, client, bufio.NewScanner(client)})
	}
	return list
}

func (l listener) hears(t *testing.T, want string) {
	t.Helper()
	l.SetReadDeadline(time.Now().Add(10 * time.Second)) //nolint:errcheck // then the test hangs
	if !l.lines.Scan() || l.lines.Text() != want {
		t.Fatalf("heard %q, want %q: %v", l.lines.Text(), want, l.lines.Err())
	}
}

// hold lets nobody visit the listener until release is called, or the test ends.
func (l listener) hold(t *testing.T) (release func()) {
	l.mu.Lock()
	release = sync.OnceFunc(l.mu.Unlock)
	t.Cleanup(release)
	return release
}

// TestWalkIsHeldUp at its first members: who writes to the crowd goes on, so do
// small rooms and the thread that has the other members, and who comes and goes
// does not disturb the walk.
func TestWalkIsHeldUp(t *testing.T) {
	processors(t, 4)
	p := pool(t)
	large, small := p.NewRing(0, &book{}), p.NewRing(0, &book{})
	members, others := join(t, p, large, share+crowd), join(t, p, small, 3)
	first, last := members[0], members[len(members)-1]
	release := first.hold(t)
	large.Append(1, []byte("one\n"))
	large.Wake()
	last.hears(t, "one")
	alone := func() bool {
		large.mu.Lock()
		defer large.mu.Unlock()
		return large.walkers == 1 && len(large.ahead) == 0
	}
	for !alone() {
		runtime.Gosched()
	}
	left := members[few/2:]
	for _, m := range left {
		m.Detach(large, nil)
	}
	large.Append(2, []byte("two\n"))
	large.Wake()
	small.Append(1, []byte("small\n"))
	small.Wake()
	others[0].hears(t, "small")
	release()
	for _, m := range members[:few/2] {
		m.hears(t, "one")
		m.hears(t, "two")
	}
}

// TestCrowdThatGoesOnWaitsForTheOthers: one thread, and a ring that has more when
// it was walked.
func TestCrowdThatGoesOnWaitsForTheOthers(t *testing.T) {
	processors(t, 2)
	p := pool(t)
	hot, other := p.NewRing(0, &book{}), p.NewRing(0, &book{})
	members, others := join(t, p, hot, crowd), join(t, p, other, crowd)
	first, last := members[0], members[crowd-1]
	passOn := last.hold(t)
	hot.Append(1, []byte("one\n"))
	hot.Wake()
	first.hears(t, "one")
	members[crowd/2].hears(t, "one") // the first is not being visited any more
	begin := first.hold(t)           // the next walk
	hot.Append(2, []byte("two\n"))
	hot.Wake()
	other.Append(1, []byte("other\n"))
	other.Wake()
	passOn()
	for _, o := range others {
		o.hears(t, "other")
	}
	begin()
	first.hears(t, "two")
	last.hears(t, "one")
	last.hears(t, "two")
}

// TestWhoWalksGoesBackToItsOwn work after some walks, though there is more to
// write each time: a thread goes on.
func TestWhoWalksGoesBackToItsOwn(t *testing.T) {
	p := pool(t)
	r := p.NewRing(0, &book{})
	members := join(t, p, r, 2*few)
	first, last := members[0], members[len(members)-1]
	wait := func(until func() bool) {
		for done := false; !done && t.Context().Err() == nil; runtime.Gosched() {
			r.mu.Lock()
			done = until()
			r.mu.Unlock()
		}
	}
	begin := first.hold(t)
	r.Append(1, []byte("1\n"))
	returned := make(chan struct{})
	go func() {
		defer close(returned)
		r.Wake()
	}()
	wait(func() bool { return r.walkers == 1 })
	for seq := uint64(2); seq < 2+rounds; seq++ {
		end := last.hold(t)
		begin()
		wait(func() bool { return len(r.ahead) == 0 }) // the first were visited
		r.Append(seq, fmt.Appendln(nil, seq))
		r.Wake()
		select {
		case <-returned:
			t.Fatalf("a thread had to do walk %d", seq-1)
		default:
		}
		begin = first.hold(t)
		end()
		wait(func() bool { return r.since == seq }) // the next walk
	}
	select {
	case <-returned:
	case <-time.After(10 * time.Second):
		t.Fatal("the caller still walks")
	}
	begin()
	for seq := 1; seq < 2+rounds; seq++ {
		for _, m := range members {
			m.hears(t, strconv.Itoa(seq))
		}
	}
}

// TestWhatComesBeforeAWalkGoesWithIt: a ring that waits for a thread is walked
// once, by whoever is in it then.
func TestWhatComesBeforeAWalkGoesWithIt(t *testing.T) {
	processors(t, 2)
	p := pool(t)
	busy, r := p.NewRing(0, &book{}), p.NewRing(0, &book{})
	held, members := join(t, p, busy, crowd)[0], join(t, p, r, crowd)
	release := held.hold(t)
	busy.Append(1, []byte("busy\n"))
	busy.Wake()
	for walks := false; !walks; runtime.Gosched() {
		busy.mu.Lock()
		walks = busy.walkers == 1
		busy.mu.Unlock()
	}
	r.Append(1, []byte("one\n"))
	r.Wake()
	late := join(t, p, r, 1)[0]
	r.Append(2, []byte("two\n"))
	r.Wake()
	last := members[crowd-1].hold(t)
	release()
	members[0].hears(t, "one")
	members[0].hears(t, "two")
	for at := false; !at; runtime.Gosched() {
		r.mu.Lock()
		at = r.walkers == 1 && len(r.ahead) < few
		again := r.again
		r.mu.Unlock()
		if at && again {
			t.Error("it is to be walked once more")
		}
	}
	last()
	late.hears(t, "one")
	late.hears(t, "two")
}

// TestEndOfAPoolThatWalks: nobody is waited for who does not read.
func TestEndOfAPoolThatWalks(t *testing.T) {
	p := NewPool(time.Minute)
	r := p.NewRing(0, &book{})
	for i, m := range join(t, p, r, crowd) {
		if i%2 == 0 {
			go io.Copy(io.Discard, m.Conn) //nolint:errcheck // ends with the connection
		}
	}
	line := make([]byte, 64<<10)
	line[len(line)-1] = '\n'
	for range 50 {
		r.Notice(line)
		r.Wake()
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	p.Run(over) //nolint:errcheck // over's
	r.Wake()
}

// TestWhoFloodsACrowdWaitsForIt: those who read get all from the ring, however
// fast one writes and however long a thread was away.
func TestWhoFloodsACrowdWaitsForIt(t *testing.T) {
	p, log := pool(t), &book{}
	r := p.NewRing(0, log)
	const records = 100
	members := join(t, p, r, 2*crowd)
	line := strings.Repeat("x", 16<<10-1) + "\n"
	write := func(seq uint64) {
		log.mu.Lock()
		log.events = append(log.events, line)
		log.mu.Unlock()
		r.Append(seq, []byte(line))
		r.Wake()
	}
	release := members[0].hold(t)
	write(1)
	for held := false; !held; runtime.Gosched() {
		r.mu.Lock()
		held = r.walkers == 1 // the thread, at the first member
		r.mu.Unlock()
	}
	written := make(chan struct{})
	go func() {
		defer close(written)
		for seq := uint64(2); seq <= records; seq++ {
			write(seq)
		}
	}()
	for !waitsInHelp() {
		select {
		case <-written:
			t.Fatal("nothing was waited for")
		default:
			runtime.Gosched()
		}
	}
	var readers sync.WaitGroup
	for _, m := range members {
		readers.Go(func() {
			for range records {
				m.lines.Scan()
			}
			if err := m.lines.Err(); err != nil {
				t.Error(err)
			}
		})
	}
	release()
	<-written
	readers.Wait()
	log.mu.Lock()
	defer log.mu.Unlock()
	if log.reads > len(members) {
		t.Errorf("%d pages were read from the log", log.reads)
	}
}

// waitsInHelp reports whether somebody waits for a walk that others do.
func waitsInHelp() bool {
	buf := make([]byte, 1<<20)
	for stack := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(stack, "(*Ring).help") && strings.Contains(stack, "sync.(*Cond).Wait") {
			return true
		}
	}
	return false
}
