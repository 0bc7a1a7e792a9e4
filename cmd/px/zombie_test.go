package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"positivity-exchange/client"
)

// cutter dials for a session until its router is cut off.
type cutter struct {
	router string

	mu    sync.Mutex
	cut   bool
	conns []net.Conn
}

func (c *cutter) dial(ctx context.Context, addr string) (net.Conn, error) {
	var d net.Dialer
	nc, err := d.DialContext(ctx, "tcp", addr)
	if err != nil || addr != c.router {
		return nc, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut {
		return nil, errors.Join(errors.New("the router is cut off"), nc.Close())
	}
	c.conns = append(c.conns, nc)
	return nc, nil
}

func (c *cutter) Cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = true
	for _, nc := range c.conns {
		nc.Close()
	}
}

// TestFrozenOwnerOfAQuietRoomWakes stops the owner of a room in which nobody
// writes, whose readers have no router to be told by. What others write through
// the successor they must see within a second of the owner's waking.
func TestFrozenOwnerOfAQuietRoomWakes(t *testing.T) {
	for range 4 {
		if quietOwnerWakes(t) {
			return
		}
		t.Log("the owner froze inside a write to the store, and was ended by force, as it must be: once more")
	}
	t.Error("the owner froze inside a write each time")
}

// quietOwnerWakes reports whether the owner lived to be woken.
func quietOwnerWakes(t *testing.T) (woke bool) {
	dir := t.TempDir()
	shards := map[string]*process{}
	for _, name := range []string{"s1", "s2", "s3"} {
		shards[name] = startShard(t, dir, name)
	}
	router := startRouter(t, dir).addr("client")
	writer := connectTo(t, "writer", router)
	drainEvents(writer)
	if err := writer.Join(t.Context(), "tea", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := writer.Send(t.Context(), "tea", "0"); err != nil {
		t.Fatal(err)
	}
	type reader struct {
		session *client.Session
		cut     *cutter
		got     chan uint64
	}
	var readers []reader
	for i := range 2 {
		c := &cutter{router: router}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		s, err := client.Connect(ctx, client.Options{Routers: []string{router}, User: fmt.Sprint("reader", i), Dial: c.dial})
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() }) //nolint:errcheck // never fails
		r := reader{s, c, make(chan uint64, 1000)}
		go func() {
			for e := range s.Events() {
				if m, ok := e.(client.Message); ok {
					r.got <- m.Seq
				}
			}
		}()
		if err := s.Join(t.Context(), "tea", nil); err != nil {
			t.Fatal(err)
		}
		readers = append(readers, r)
	}
	at, err := writer.Where(t.Context(), "tea")
	if err != nil {
		t.Fatal(err)
	}
	owner := shards[at.Shard]
	for _, r := range readers {
		r.cut.Cut()
	}
	owner.signal(syscall.SIGSTOP)
	const messages = 100
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	start := time.Now()
	for i := range messages {
		if _, err := writer.Send(ctx, "tea", fmt.Sprint(i+1)); err != nil {
			t.Fatalf("message %d: %v", i+1, err)
		}
	}
	t.Logf("the successor had acknowledged %d messages %s after the freeze", messages, time.Since(start))
	if stateOf(owner) == 'Z' {
		return false
	}
	owner.signal(syscall.SIGCONT)
	woken := time.Now()
	lateness := watch(t)
	slowest := time.Duration(0)
	for i, r := range readers {
		for want := uint64(2); want <= messages+1; want++ {
			select {
			case seq := <-r.got:
				if seq != want {
					t.Fatalf("reader %d got %d, want %d", i, seq, want)
				}
			case <-time.After(time.Until(woken.Add(10 * time.Second))):
				t.Fatalf("reader %d has nothing after %d", i, want-1)
			}
		}
		took := time.Since(woken)
		t.Logf("reader %d had all of them %s after the owner woke", i, took)
		slowest = max(slowest, took)
	}
	if late := lateness(); slowest > time.Second+allowance(late) {
		t.Errorf("it took %s, more than a second, and the machine itself was late by %s at worst", slowest, late)
	}
	return true
}

func drainEvents(s *client.Session) {
	go func() {
		for range s.Events() { //nolint:revive // not needed
		}
	}()
}

// TestProcessWithARouterIsNeverEnded stops a whole px up inside a transaction.
// A shard that shares its data directory wants the partition and has to wait:
// it may end no process that hosts more than shards. A shard alone, stopped in
// the same place, is ended.
func TestProcessWithARouterIsNeverEnded(t *testing.T) {
	failing, err := withFailpoints()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args  []string
		ended bool
	}{
		"px up":    {[]string{"up", "--shards", "1", "--no-client", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"}, false},
		"px shard": {[]string{"shard", "--name", "s1"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			freeze := filepath.Join(dir, "freeze")
			cmd := exec.Command(failing, append(c.args, "--data", dir, "--gossip", "127.0.0.1:0")...)
			cmd.Env = append(os.Environ(), "PX_FAILPOINTS=roomlog.append.inTx=stop@"+freeze)
			victim, err := launch(t, cmd)
			if err != nil {
				t.Fatalf("%v\n%s", err, victim.log())
			}
			router := startRouter(t, dir).addr("client")
			s := connectTo(t, "ada", router)
			drainEvents(s)
			if err := s.Join(t.Context(), "tea", nil); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(freeze, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Post("tea", "stuck"); err != nil {
				t.Fatal(err)
			}
			awaitState(t, victim, 'T')
			successor := startShard(t, dir, "s9", "--log-level", "info")
			if c.ended {
				awaitState(t, victim, 'Z')
				awaitLog(t, successor, "ending a process")
				return
			}
			awaitLog(t, successor, fmt.Sprint("pid=", victim.cmd.Process.Pid))
			if state := stateOf(victim); state != 'T' {
				t.Errorf("the process with a router is in state %c", state)
			}
			victim.signal(syscall.SIGCONT)
			if _, err := s.Send(t.Context(), "tea", "after"); err != nil {
				t.Error(err)
			}
		})
	}
}
