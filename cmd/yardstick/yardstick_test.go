package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"go.uber.org/goleak"

	"positivity-exchange/cmd/internal/app"
	"positivity-exchange/cmd/internal/stress"
	"positivity-exchange/membership"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// natsServer runs a NATS server, which ends with the test.
func natsServer(t *testing.T) (addr string) {
	t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	go s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("not ready")
	}
	return s.Addr().String()
}

// TestBusyRoomTalksUntilItIsTold: the neighbour's other half says when everybody
// talks, and ends without an error when it is told to.
func TestBusyRoomTalksUntilItIsTold(t *testing.T) {
	addr := natsServer(t)
	ctx, cancel := context.WithCancel(t.Context())
	said, says := io.Pipe()
	app := newApp()
	app.Writer = says
	ended := make(chan error, 1)
	go func() {
		err := app.RunContext(ctx, []string{"yardstick", "talk", "--server", "nats", "--sessions", "8", "--rate", "50", addr})
		says.CloseWithError(errors.Join(err, io.EOF)) //nolint:errcheck // never fails
		ended <- err
	}()
	if line, err := bufio.NewReader(said).ReadString('\n'); line != "ready\n" {
		t.Errorf("got %q, %v", line, err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestSameLoadOnNATS: the generator speaks NATS's protocol, and what a NATS
// server delivers passes its checks.
func TestSameLoadOnNATS(t *testing.T) {
	addr := natsServer(t)
	for _, name := range []string{"fanout", "rooms", "small", "latency", "idle", "churn", "ancestor"} {
		t.Run(name, func(t *testing.T) {
			p := named(name, 300*time.Millisecond)
			p.Sessions, p.Warmup = max(p.Sessions/20, 48), 0
			if p.Ramp > 0 {
				p.Ramp, p.Every = 200*time.Millisecond, 100*time.Millisecond
			}
			r, err := stress.Run(t.Context(), nats{addr}, p, stress.Options{})
			if err != nil {
				t.Fatalf("%v\n%v", err, r.Faults)
			}
			if name != "idle" && (r.Delivered == 0 || r.Acknowledged != r.Sent) {
				t.Errorf("%+v", r.Tally)
			}
		})
	}
}

// TestNATSThatEndsTheSession: its error is the run's.
func TestNATSThatEndsTheSession(t *testing.T) {
	d := nats{}
	var f stress.Frame
	for _, line := range []string{"MSG go 1 nan\r\n", "MSG \r\n", "MSG go\r\n"} {
		if n, err := d.Next([]byte(line), &f); err == nil {
			t.Errorf("%q was taken for %d bytes", line, n)
		}
	}
	if _, err := d.Next([]byte("-ERR 'Slow Consumer'\r\n"), &f); err != nil || f.Kind != stress.Ended || f.Text != "-ERR 'Slow Consumer'" {
		t.Errorf("got %+v, %v", f, err)
	}
	line := []byte("MSG stress-1 1 5\r\nhello\r\n")
	for cut := range line {
		if n, err := d.Next(line[:cut], &f); n != 0 || err != nil {
			t.Fatalf("%d bytes of a message were taken for %d, %v", cut, n, err)
		}
	}
	if n, err := d.Next(line, &f); n != len(line) || err != nil || f.Kind != stress.Message || string(f.Room) != "stress-1" || string(f.Content) != "hello" {
		t.Errorf("got %+v, %d, %v", f, n, err)
	}
}

// TestConnectToWhatIsNotNATS ends with an error and leaves nothing open.
func TestConnectToWhatIsNotNATS(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if nc, err := ln.Accept(); err == nil {
			fmt.Fprint(nc, "hello\r\n")
			nc.Close() //nolint:errcheck // that is the point
		}
	}()
	if _, err := (nats{}).Connect(t.Context(), ln.Addr().String(), "u", ""); err == nil {
		t.Error("connected")
	}
	<-ended
}

// TestRatiosAreOfTheSameTurn divides px's figures by those beside them.
func TestRatiosAreOfTheSameTurn(t *testing.T) {
	r := report{}
	for turn, cpu := range []float64{1, 4, 3} {
		r.Runs = append(r.Runs, outcome{"px", turn + 1, stress.Result{CPU: cpu}}, outcome{"nats", turn + 1, stress.Result{CPU: float64(turn + 1)}})
	}
	r.compare([]target{pxTarget{label: "px"}, natsTarget{}})
	want := spread{Figure: "CPU us/delivery", Over: "nats", Min: 1, Median: 1, Max: 2}
	if len(r.Ratios) != 1 || r.Ratios[0] != want {
		t.Errorf("got %+v, want %+v alone: nothing else was measured", r.Ratios, want)
	}
	if low, middle, high := spreadOf([]float64{4, 1, 3, 2}); low != 1 || middle != 2.5 || high != 4 {
		t.Errorf("got %g, %g, %g of 1 to 4", low, middle, high)
	}
}

// TestFilledStoreIsAStore: what fill writes is what a shard would have.
func TestFilledStoreIsAStore(t *testing.T) {
	rooms := roomsOfAll()
	seen := map[int]bool{}
	for _, room := range rooms {
		seen[membership.Partition(room)] = true
	}
	if len(seen) != membership.Partitions {
		t.Fatalf("rooms in %d partitions", len(seen))
	}
	dir, copied := t.TempDir(), t.TempDir()+"/copy"
	if err := fill(t.Context(), dir, rooms[:2], 2500); err != nil {
		t.Fatal(err)
	}
	if err := copyStore(dir, copied); err != nil {
		t.Fatal(err)
	}
	log, err := app.OpenLog(app.Config{Data: copied})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close() //nolint:errcheck // it was only read
	ctx := context.Background()
	p := membership.Partition(rooms[1])
	owner, err := log.Owner(ctx, p)
	if err != nil || !owner.Released || owner.Epoch != 1 {
		t.Errorf("owner record %+v, %v", owner, err)
	}
	head, _, err := log.Head(ctx, p, rooms[1])
	if err != nil || head.Seq != 2500 {
		t.Errorf("head %+v, %v", head, err)
	}
	if page, err := log.Read(ctx, p, rooms[1], 1000, 3, 1<<20); err != nil || len(page) != 3 || page[1].Seq != 1001 {
		t.Errorf("got %+v, %v", page, err)
	}
}
