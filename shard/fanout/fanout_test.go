package fanout

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// book is a Source that keeps everything.
type book struct {
	mu     sync.Mutex
	events []string // events[i] is record i+1
	reads  int
}

func (b *book) Records(_ context.Context, after, upTo uint64, maxBytes int) ([]byte, uint64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reads++
	var out []byte
	last := after
	for last < min(upTo, uint64(len(b.events))) && (len(out) == 0 || len(out) < maxBytes) {
		out = append(out, b.events[last]...)
		last++
	}
	return out, last, nil
}

func (b *book) Snapshot() []byte { return []byte("snapshot\n") }

func pool(t testing.TB) *Pool {
	p := NewPool(time.Minute)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { p.Run(ctx); close(done) }() //nolint:errcheck // ends with ctx
	t.Cleanup(func() { cancel(); <-done })
	return p
}

func tcpPair(t testing.TB) (server, client net.Conn) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	client, err = net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err = ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(); server.Close() })
	return server, client
}

// TestSlowSessionIsCaughtUpFromTheLog lets far more pass than the ring keeps
// while one session does not read; then it gets everything in order, once.
func TestSlowSessionIsCaughtUpFromTheLog(t *testing.T) {
	p, log := pool(t), &book{}
	r := p.NewRing(0, log)
	server, client := tcpPair(t)
	o := p.NewOutlet(server, func(error) {})
	o.Attach(r, 0, []byte("reply\n"))
	o.Flush()
	const n = 50000
	pad := strings.Repeat("x", 200)
	for seq := uint64(1); seq <= n; seq++ {
		event := fmt.Sprintf("%d %s\n", seq, pad)
		log.mu.Lock()
		log.events = append(log.events, event)
		log.mu.Unlock()
		r.Append(seq, []byte(event))
		r.Wake()
		if seq%1000 == 0 {
			r.Notice([]byte("notice\n"))
		}
	}
	lines := bufio.NewScanner(client)
	want, snapshots := 1, 0
	for want <= n && lines.Scan() {
		word, _, _ := strings.Cut(lines.Text(), " ")
		switch word {
		case "reply":
			if want != 1 {
				t.Fatal("the reply came behind records")
			}
		case "notice":
		case "snapshot":
			snapshots++
		default:
			if word != strconv.Itoa(want) {
				t.Fatalf("got record %s, want %d", word, want)
			}
			want++
		}
	}
	if want != n+1 || snapshots == 0 {
		t.Errorf("read up to %d of %d with %d snapshots: %v", want-1, n, snapshots, lines.Err())
	}
}

func TestAttachInTheMiddleAndDetach(t *testing.T) {
	p, log := pool(t), &book{}
	r := p.NewRing(0, log)
	server, client := tcpPair(t)
	first := p.NewOutlet(server, func(error) {})
	first.Attach(r, 0, nil)
	first.Flush()
	publish := func(seq uint64) {
		event := fmt.Sprintf("%d\n", seq)
		log.mu.Lock()
		log.events = append(log.events, event)
		log.mu.Unlock()
		r.Append(seq, []byte(event))
		r.Wake()
	}
	for seq := uint64(1); seq <= 5; seq++ {
		publish(seq)
	}
	server2, client2 := tcpPair(t)
	second := p.NewOutlet(server2, func(error) {})
	second.Attach(r, 3, []byte("hello\n"))
	second.Flush()
	publish(6)
	lines2 := bufio.NewScanner(client2)
	for _, want := range []string{"hello", "4", "5", "6"} {
		if !lines2.Scan() || lines2.Text() != want {
			t.Fatalf("got %q, want %q", lines2.Text(), want)
		}
	}
	second.Detach(r, []byte("left\n"))
	second.Flush()
	publish(7)
	second.Send([]byte("end\n"))
	for _, want := range []string{"left", "end"} {
		if !lines2.Scan() || lines2.Text() != want {
			t.Fatalf("got %q, want %q", lines2.Text(), want)
		}
	}
	lines := bufio.NewScanner(client)
	for want := 1; want <= 7; want++ {
		if !lines.Scan() || lines.Text() != strconv.Itoa(want) {
			t.Fatalf("got %q, want %d", lines.Text(), want)
		}
	}
	if r.Members() != 1 {
		t.Errorf("%d members, want 1", r.Members())
	}
}

func TestCloseWritesWhatIsQueued(t *testing.T) {
	p := pool(t)
	server, client := tcpPair(t)
	closed := make(chan error, 1)
	o := p.NewOutlet(server, func(err error) { closed <- err })
	o.Send([]byte("one\n"))
	o.Close([]byte("goodbye\n"), 1e9)
	lines := bufio.NewScanner(client)
	for _, want := range []string{"one", "goodbye"} {
		if !lines.Scan() || lines.Text() != want {
			t.Fatalf("got %q, want %q", lines.Text(), want)
		}
	}
	if lines.Scan() {
		t.Errorf("then %q", lines.Text())
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
}

// TestSendMeetsTheWriterThatEnds answers each reply with the next one, which so
// comes while the goroutine that wrote the first is about to end.
func TestSendMeetsTheWriterThatEnds(t *testing.T) {
	p := pool(t)
	server, client := tcpPair(t)
	o := p.NewOutlet(server, func(error) {})
	if err := client.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(client)
	for i := range 20_000 {
		o.Send([]byte(strconv.Itoa(i) + "\n"))
		if !lines.Scan() || lines.Text() != strconv.Itoa(i) {
			t.Fatalf("got %q, want %d: %v", lines.Text(), i, lines.Err())
		}
	}
}

// lockedBook is a Source as a shard's: its Snapshot takes the lock under which
// rings are attached.
type lockedBook struct {
	book
	room sync.Mutex
}

func (b *lockedBook) Snapshot() []byte {
	b.room.Lock()
	defer b.room.Unlock()
	return b.book.Snapshot()
}

// TestSnapshotTakesTheRoomsLock attaches and detaches under the room's lock
// while a session that missed notices is given a snapshot: neither may wait for
// the other.
func TestSnapshotTakesTheRoomsLock(t *testing.T) {
	p, log := pool(t), &lockedBook{}
	r, other := p.NewRing(0, log), p.NewRing(0, log)
	server, client := tcpPair(t)
	o := p.NewOutlet(server, func(error) {})
	o.Attach(r, 0, nil)
	o.Flush()
	done, overflown := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		pad := strings.Repeat("x", 400)
		for seq := uint64(1); seq <= 60_000; seq++ {
			event := []byte(pad + "\n")
			log.room.Lock()
			log.mu.Lock()
			log.events = append(log.events, string(event))
			log.mu.Unlock()
			r.Append(seq, event)
			if seq > 20_000 {
				o.Attach(other, 0, []byte("joined\n"))
				o.Detach(other, []byte("left\n"))
			}
			log.room.Unlock()
			r.Wake()
			if seq%100 == 0 {
				r.Notice([]byte("notice\n"))
			}
			if seq == 20_000 {
				close(overflown)
			}
			if err := o.Wait(t.Context()); err != nil {
				return
			}
		}
	}()
	<-overflown
	lines := bufio.NewScanner(client)
	records, snapshots := 0, 0
	for records < 60_000 && lines.Scan() {
		switch lines.Text() {
		case "snapshot":
			snapshots++
		case "notice", "joined", "left":
		default:
			records++
		}
	}
	<-done
	t.Logf("%d records, %d snapshots", records, snapshots)
	if records != 60_000 || snapshots == 0 {
		t.Errorf("%d records, %d snapshots: %v", records, snapshots, lines.Err())
	}
}

// turned is a connection whose cipher turns each byte over.
type turned struct {
	net.Conn
	out []byte
}

func turn(b []byte) {
	for i := range b {
		b[i] ^= 0xff
	}
}

func (c *turned) Beneath() net.Conn { return c.Conn }

func (c *turned) Seal(b []byte) ([]byte, error) {
	c.out = append(c.out[:0], b...)
	turn(c.out)
	return c.out, nil
}

func (c *turned) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	turn(b[:n])
	return n, err
}

// TestManySessionsInManyRooms lets several rooms talk at once to sessions that
// are in all of them, some of which read slowly and some of which are
// encrypted: each sees every record of a room once and in order.
func TestManySessionsInManyRooms(t *testing.T) {
	t.Run("walked by whoever wrote", func(t *testing.T) { talk(t, 5, 20, 3000) })
	t.Run("walked by threads", func(t *testing.T) {
		processors(t, 4)
		talk(t, 3, share+crowd/2, 100)
	})
}

func talk(t *testing.T, rooms, sessions, records int) {
	p := pool(t)
	logs := make([]*book, rooms)
	rings := make([]*Ring, rooms)
	for i := range rings {
		logs[i] = &book{}
		rings[i] = p.NewRing(0, logs[i])
	}
	var readers sync.WaitGroup
	var outlets []*Outlet
	for n := range sessions {
		server, client := tcpPair(t)
		if n%3 == 0 {
			server, client = &turned{Conn: server}, &turned{Conn: client}
		}
		o := p.NewOutlet(server, func(error) {})
		for _, r := range rings {
			o.Attach(r, 0, nil)
		}
		o.Flush()
		outlets = append(outlets, o)
		readers.Go(func() {
			next := make([]int, rooms)
			left := rooms * records
			in := bufio.NewReaderSize(client, 256<<(n%6))
			for left > 0 {
				line, err := in.ReadString('\n')
				if err != nil {
					t.Errorf("session %d: %v with %d to come", n, err, left)
					return
				}
				room, seq, ok := strings.Cut(strings.TrimSpace(line), " ")
				if !ok {
					continue
				}
				i, _ := strconv.Atoi(room)
				seq, _, _ = strings.Cut(seq, " ")
				if next[i]++; seq != strconv.Itoa(next[i]) {
					t.Errorf("session %d, room %d: got %s, want %d", n, i, seq, next[i])
					return
				}
				left--
			}
		})
	}
	var writers sync.WaitGroup
	for i, r := range rings {
		writers.Go(func() {
			for seq := uint64(1); seq <= uint64(records); seq++ {
				event := fmt.Sprintf("%d %d %s\n", i, seq, strings.Repeat("x", int(seq%700)))
				logs[i].mu.Lock()
				logs[i].events = append(logs[i].events, event)
				logs[i].mu.Unlock()
				r.Append(seq, []byte(event))
				r.Wake()
				if seq%50 == 0 {
					outlets[int(seq)%sessions].Send([]byte("reply\n"))
					r.Notice([]byte("notice\n"))
				}
				if seq%70 == 0 { // whoever is slow has not got it
					r.Rest()
					r.Rest()
				}
			}
		})
	}
	writers.Wait()
	readers.Wait()
}
