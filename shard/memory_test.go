//go:build linux && !race

package shard

import (
	"bytes"
	"fmt"
	"net"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"positivity-exchange/comms"
)

// sessionBytes bounds what a silent session in 5 rooms costs: everything that
// the runtime has for it in use. The heap's share of unused places is not in
// it, which depends on what else the process does.
const sessionBytes = 4 << 10

// inUse is what the process uses after a collection: objects, stacks, and what
// the runtime itself needs (the poller's part of a connection, for one).
func inUse() (m runtime.MemStats, sum uint64) {
	runtime.GC()
	runtime.GC() // the stacks of goroutines that have ended go with the next one
	runtime.ReadMemStats(&m)
	return m, m.HeapAlloc + m.StackInuse + m.MSpanInuse + m.OtherSys
}

// TestSilentSessionIsSmall measures with peers that have no memory of Go's.
func TestSilentSessionIsSmall(t *testing.T) {
	const sessions, rooms, each = 600, 24, 5
	addr := serveChanged(t, soon)
	founder := login(t, addr, "founder")
	for r := range rooms {
		founder.say(comms.CreateRoom{Room: fmt.Sprint("room-", r)})
		if _, ok := founder.next().(comms.RoomCreated); !ok {
			t.Fatal("not created")
		}
	}
	buf := make([]byte, 256<<10)
	fds := []int{attach(t, addr, "first", 0, rooms, rooms, buf)} // opens all
	t.Cleanup(func() {
		for _, fd := range fds {
			syscall.Close(fd) //nolint:errcheck // the test is over
		}
	})
	fds = slices.Grow(fds, sessions)
	await(t, "all are silent", func() bool { return readers() == 0 })
	before, empty := inUse()
	for i := range sessions {
		fds = append(fds, attach(t, addr, fmt.Sprint("user", i), i, each, rooms, buf))
	}
	var after runtime.MemStats
	var sum uint64
	end := time.Now().Add(20 * time.Second)
	for {
		for _, fd := range fds {
			for n := 1; n > 0; { // who came and went, until there is no more of it
				n, _, _ = syscall.Recvfrom(fd, buf, syscall.MSG_DONTWAIT)
			}
		}
		after, sum = inUse()
		if sum-empty < sessions*sessionBytes && readers() == 0 || time.Now().After(end) {
			break
		}
	}
	per := func(a, b uint64) float64 { return float64(int64(a-b)) / sessions }
	t.Logf("bytes a session: %.0f; of them objects %.0f in %.1f, stacks %.0f, spans %.0f, the runtime's %.0f", per(sum, empty), per(after.HeapAlloc, before.HeapAlloc),
		per(after.HeapObjects, before.HeapObjects), per(after.StackInuse, before.StackInuse), per(after.MSpanInuse, before.MSpanInuse), per(after.OtherSys, before.OtherSys))
	if got := per(sum, empty); got > sessionBytes {
		t.Errorf("a silent session costs %.0f bytes, more than %d", got, sessionBytes)
	}
	if got := readers(); got != 0 {
		t.Errorf("%d of %d silent sessions have a goroutine", got, sessions)
	}
}

// attach logs a session in through a bare socket and joins rooms from first on.
func attach(t *testing.T, addr, user string, first, count, rooms int, buf []byte) (fd int) {
	t.Helper()
	at, err := net.ResolveTCPAddr("tcp4", addr)
	if err != nil {
		t.Fatal(err)
	}
	if fd, err = syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Connect(fd, &syscall.SockaddrInet4{Port: at.Port, Addr: [4]byte(at.IP.To4())}); err != nil {
		t.Fatal(err)
	}
	ticket, _ := keys.Issue(comms.AsClient, user, time.Now())
	out := comms.AppendCommand(nil, comms.Hello{Version: comms.Version, User: user, Ticket: ticket})
	for j := range count {
		out = comms.AppendCommand(out, comms.JoinRoom{Room: fmt.Sprint("room-", (first+j)%rooms)})
	}
	if _, err := syscall.Write(fd, out); err != nil {
		t.Fatal(err)
	}
	for joined := 0; joined < count; {
		n, err := syscall.Read(fd, buf)
		if err != nil || n == 0 {
			t.Fatalf("%s read %d: %v", user, n, err)
		}
		joined += bytes.Count(buf[:n], []byte(`"_et":"user_joined_room"`))
	}
	return fd
}
