package membership_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"positivity-exchange/membership"
)

// record is what a member logs at Warn and above.
type record struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (r *record) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.Write(b)
}

// warnings are the lines that hold text, "" all.
func (r *record) warnings(text string) (lines []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for line := range strings.Lines(r.buf.String()) {
		if strings.Contains(line, text) {
			lines = append(lines, line)
		}
	}
	return lines
}

// in makes a member log to r.
func (r *record) in(o *membership.Options) {
	o.Logger = slog.New(slog.NewTextHandler(r, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

func secret(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }

// TestWhoIsNotLetInIsToldOnce: a member that was answered, and kept out, must not
// look like one that found nobody, nor say so every two seconds.
func TestWhoIsNotLetInIsToldOnce(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(*membership.Options)
		atStart int // warnings; who hangs up may just have been killed, and is tried again first
	}{
		"another secret":  {func(o *membership.Options) { o.Secret = secret(8) }, 1},
		"no secret":       {func(o *membership.Options) { o.Secret = nil }, 1},
		"another cluster": {func(o *membership.Options) { o.Cluster = "other" }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(t *testing.T, s *simulation) {
				s.start("s1", func(o *membership.Options) { o.Secret = secret(7) })
				var said record
				s.start("s2", said.in, func(o *membership.Options) { o.Secret = secret(7) }, c.change)
				if all := said.warnings(""); len(all) != c.atStart {
					t.Errorf("as it starts it warns %q", all)
				}
				time.Sleep(time.Minute)
				if n, all := len(said.warnings("cannot be joined")), said.warnings(""); n != 1 || len(all) != 1 {
					t.Errorf("in a minute it warns %q", all)
				}
			})
		})
	}
}

// TestOneThatDoesNotFitIsNamedOnBothSides: the first of two was ready before the
// other was there, so neither ends.
func TestOneThatDoesNotFitIsNamedOnBothSides(t *testing.T) {
	simulate(t, func(t *testing.T, s *simulation) {
		late := s.network.Host()
		var first, second record
		s.start("s1", first.in, func(o *membership.Options) { o.LogID, o.Join = "log-one", []string{late.GossipAddr()} })
		transport, err := late.Transport()
		if err != nil {
			t.Fatal(err)
		}
		s.start("s2", second.in, func(o *membership.Options) {
			o.LogID, o.Join, o.Bind, o.Transport = "log-two", nil, late.GossipAddr(), transport
		})
		time.Sleep(time.Minute)
		for name, said := range map[string]*record{"s1": &first, "s2": &second} {
			if lines := said.warnings("log-one"); len(lines) != 1 || !strings.Contains(lines[0], "log-two") {
				t.Errorf("%s warns %q, want one line that names both logs", name, said.warnings(""))
			}
		}
	})
}

// TestARefusedMemberDoesNotSayThatNobodyAnswers, and ends with the reason.
func TestARefusedMemberDoesNotSayThatNobodyAnswers(t *testing.T) {
	simulate(t, func(t *testing.T, s *simulation) {
		s.start("s1", func(o *membership.Options) { o.LogID = "log-one" })
		var said record
		m := s.launch("s2", said.in, func(o *membership.Options) { o.LogID = "log-two" })
		m.ended.Wait()
		if m.err == nil || !strings.Contains(m.err.Error(), "log-one") {
			t.Errorf("it ends with %v", m.err)
		}
		if all := said.warnings(""); len(all) != 0 {
			t.Errorf("it warns %q", all)
		}
	})
}

// TestSilentAddressesDoNotHoldUp: neither those that lead nowhere nor the port of
// a frozen process, whose kernel takes the connection.
func TestSilentAddressesDoNotHoldUp(t *testing.T) {
	simulate(t, func(t *testing.T, s *simulation) {
		a := s.start("s1")
		var silent []string
		for range 4 {
			nowhere, frozen := s.network.Host(), s.network.Host()
			s.network.Cut(nowhere, a.host)
			if _, err := frozen.Listen(frozen.GossipAddr()); err != nil {
				t.Fatal(err)
			}
			silent = append(silent, nowhere.GossipAddr(), frozen.GossipAddr())
		}
		for i := range 6 {
			began := time.Now()
			var said record
			m := s.launch("s2", said.in, func(o *membership.Options) { o.Join = append(silent, "10.99.0.1:7946") })
			if i == 5 { // before it is ready
				m.Leave()
				m.ended.Wait()
				if took := time.Since(began); took > time.Second {
					t.Errorf("one that leaves as it starts takes %s", took)
				}
				continue
			}
			<-m.Ready()
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("ready after %s", took)
			}
			time.Sleep(time.Duration(i) * 700 * time.Millisecond)
			began = time.Now()
			m.stop()
			if took := time.Since(began); took > 100*time.Millisecond {
				t.Errorf("stopped after %s", took)
			}
			if all := said.warnings(""); len(all) != 1 || !strings.Contains(all[0], "none of the members") {
				t.Errorf("it warns %q", all)
			}
		}
	})
}
