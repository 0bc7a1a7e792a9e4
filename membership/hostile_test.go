package membership

import (
	"bytes"
	"encoding/binary"
	"log/slog"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// lockedBuffer is what a member logs to.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// two starts two members of one cluster that have found each other.
func two(t *testing.T) (a, b *Cluster) {
	t.Helper()
	dir, secret := t.TempDir(), bytes.Repeat([]byte{7}, 32)
	a = start(t, Options{Name: "s1", Dir: dir, Secret: secret, LogID: "log"})
	b = start(t, Options{Name: "s2", Dir: dir, Secret: secret, LogID: "log"})
	for _, c := range []*Cluster{a, b} {
		await(t, c, "a table of two", func() bool { return len(c.Table().Shards()) == 2 })
	}
	return a, b
}

// stillTalk holds that both see what the other says of itself, and nobody else.
func stillTalk(t *testing.T, a, b *Cluster) {
	t.Helper()
	for _, c := range [][2]*Cluster{{a, b}, {b, a}} {
		c[0].SetState(StateDraining)
		await(t, c[1], "the drain", func() bool { return len(c[1].Table().Shards()) == 1 })
		c[0].SetState(StateActive)
		await(t, c[1], "its end", func() bool { return len(c[1].Table().Shards()) == 2 })
		if n := len(c[0].Members()); n != 2 {
			t.Errorf("%d members: %+v", n, c[0].Members())
		}
	}
}

// TestNoiseAtTheGossipPort throws packets and streams at a member: random ones,
// ones that begin as gossip does, lengths of 4 GiB, streams that stop half way.
func TestNoiseAtTheGossipPort(t *testing.T) {
	a, b := two(t)
	addr := a.Self().Gossip
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	noise := func(n int) []byte {
		p := make([]byte, n)
		for i := range p {
			p[i] = byte(random.UintN(256))
		}
		return p
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	udp, err := net.Dial("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	label := append([]byte{244, byte(len("px"))}, "px"...) // the header of a labelled packet
	for i := range 2000 {
		p := noise(1 + random.IntN(1400))
		switch i % 4 {
		case 1:
			p[0] = byte(random.UintN(16)) // a kind of message
		case 2:
			p = append(bytes.Clone(label), p...)
		}
		udp.Write(p) //nolint:errcheck // a full buffer drops it, as networks do
	}
	var open []net.Conn
	for i := range 200 {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		p := noise(1 + random.IntN(4000))
		switch i % 5 {
		case 1:
			p[0] = byte(random.UintN(16))
		case 2:
			p = append(bytes.Clone(label), p...)
		case 3: // encrypted state of 4 GiB
			p = binary.BigEndian.AppendUint32(append(bytes.Clone(label), 10), 1<<32-1)
		case 4:
			p = nil // says nothing
		}
		nc.Write(p) //nolint:errcheck // it may have hung up by then
		if i%2 == 0 {
			nc.Close()
		} else {
			open = append(open, nc)
		}
	}
	stillTalk(t, a, b)
	runtime.ReadMemStats(&after)
	if grown := int64(after.Sys) - int64(before.Sys); grown > 256<<20 {
		t.Errorf("noise cost %d MiB", grown>>20)
	}
	for _, nc := range open {
		nc.Close()
	}
}

// TestStrangersAreNotLetIn: without the secret, with another, or of another
// cluster, a process that asks to join is a member nowhere.
func TestStrangersAreNotLetIn(t *testing.T) {
	a, b := two(t)
	for name, opts := range map[string]Options{
		"no secret":       {},
		"another secret":  {Secret: bytes.Repeat([]byte{8}, 32)},
		"another cluster": {Secret: bytes.Repeat([]byte{7}, 32), Cluster: "other"},
	} {
		opts.Name, opts.LogID, opts.Join = "s9", "log", []string{a.Self().Gossip, b.Self().Gossip}
		var said lockedBuffer
		opts.Logger = slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelWarn}))
		stranger := start(t, opts) // ready: it has tried
		if log := said.String(); strings.Contains(log, "none of the members") {
			t.Errorf("%s: two have answered the stranger, who says %q", name, log)
		}
		if n := len(stranger.Members()); n != 1 {
			t.Errorf("%s: the stranger sees %d members", name, n)
		}
		stillTalk(t, a, b)
	}
}
