package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"positivity-exchange/client"
)

// TestUpIsSuspendedAndContinued stops a whole px up, as a laptop does whose lid
// is closed, alone and with a shard beside it that takes over what is used. All
// must be served again within seconds of its waking, and nobody be ended by
// force.
func TestUpIsSuspendedAndContinued(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 20 s")
	}
	for name, beside := range map[string]bool{"alone": false, "with a shard beside it": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			listen := freeAddr(t) // its first line tells of a shard
			up := start(t, "up", "--shards", "3", "--no-client", "--listen", listen, "--http", "127.0.0.1:0", "--gossip", "127.0.0.1:0", "--data", dir)
			addrs := []string{listen}
			all := []*process{up}
			if beside {
				addrs = append(addrs, startRouter(t, dir).addr("client"))
				all = append(all, startShard(t, dir, "s9"))
			}
			c := converse(t, 4, addrs...)
			sleeps := 6 * time.Second
			if beside {
				sleeps = 15 * time.Second
			}
			up.signal(syscall.SIGSTOP)
			awaitState(t, up, 'T')
			asleep := time.Now()
			pass(t.Context(), sleeps)
			up.signal(syscall.SIGCONT)
			c.happens("it goes on", sleeps+pauseKilled)
			c.progress(40)
			c.finish()
			for _, p := range all {
				if state := stateOf(p); state == 'Z' || strings.Contains(p.log(), "ending a process") {
					t.Errorf("state %c, and the log says\n%s", state, p.log())
				}
			}
			if !beside {
				return
			}
			// Their router sleeps too, which has to be noticed, and so do most members,
			// which makes gossip doubt itself.
			took := time.Duration(0)
			for _, h := range c.histories {
				took = max(took, worst(h.samples, asleep))
			}
			t.Logf("the longest wait for the shard beside it: %s", took.Round(time.Millisecond))
			waited := strings.Contains(all[1].log(), fmt.Sprint("pid=", up.cmd.Process.Pid)) // it sleeps inside a transaction
			if took > sleeps-time.Second && !waited {
				t.Errorf("the shard beside it took over after %s:\n%s", took, all[1].log())
			}
		})
	}
}

// freeAddr is an address that nobody listened at just now. Its port is none that
// the system gives to whoever asks for any, as every connection does.
func freeAddr(t *testing.T) string {
	t.Helper()
	for range 100 {
		ln, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", 20_000+rand.IntN(10_000)))
		if err == nil {
			defer ln.Close()
			return ln.Addr().String()
		}
	}
	t.Fatal("no port is free")
	return ""
}

// TestBothRoutersAreDown takes both routers away for five seconds. Rooms go on
// for those in them, without a pause; who comes meanwhile is let in when one is
// back.
func TestBothRoutersAreDown(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 10 s")
	}
	dir := t.TempDir()
	startShard(t, dir, "s1")
	startShard(t, dir, "s2")
	routers := []*process{startRouter(t, dir), startRouter(t, dir)}
	addrs := []string{routers[0].addr("client"), routers[1].addr("client")}
	c := converse(t, 4, addrs...)
	for _, r := range routers {
		r.kill()
	}
	c.happens("both routers are killed", 500*time.Millisecond)
	down := time.Now()
	entered := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		s, err := client.Connect(ctx, client.Options{Routers: addrs, User: "late"})
		if err == nil {
			drainEvents(s)
			err = s.Join(ctx, "go", nil)
			s.Close() //nolint:errcheck // never fails
		}
		entered <- err
	}()
	pass(t.Context(), 5*time.Second)
	c.progress(20)
	select {
	case err := <-entered:
		t.Errorf("somebody came in without a router: %v", err)
	default:
	}
	c.happens("they come back", 500*time.Millisecond)
	for _, addr := range addrs {
		start(t, "router", "--data", dir, "--listen", addr, "--http", "127.0.0.1:0", "--gossip", "127.0.0.1:0")
	}
	back := time.Now()
	if err := <-entered; err != nil {
		t.Error(err)
	}
	took := time.Since(back)
	t.Logf("routers were down for %s; who came meanwhile is in %s after they were back", back.Sub(down).Round(time.Millisecond), took.Round(time.Millisecond))
	c.progress(20)
	c.finish()
	if took > 2*time.Second+allowance(c.late) {
		t.Error("that is more than 2 s")
	}
}
