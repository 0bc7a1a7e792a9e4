package stress

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"positivity-exchange/comms"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// quick is a profile that ends after a number of messages.
func quick(messages int) Profile {
	return Profile{Name: "quick", Rooms: 2, Sessions: 6, Joins: 1, Senders: 2, Window: 3, Size: 21, Messages: messages, Duration: 20 * time.Second}
}

// wrongAt is the delivery that the tests spoil: one reader's, in the middle.
func wrongAt(d delivery) bool {
	return d.member == 1 && d.line.Seq == 7+20 && d.line.Room == "stress-0"
}

// TestWrongAnswersAreFound lets a server answer wrong once in each way.
func TestWrongAnswersAreFound(t *testing.T) {
	var held []byte
	var before comms.UserMessage
	tests := []struct {
		name    string
		deliver func(delivery) [][]byte
		count   func(Tally) int64 // at least 1 is expected
		says    string
	}{
		{"lost in the middle", func(d delivery) [][]byte {
			if wrongAt(d) {
				return nil
			}
			return honest(d)
		}, func(t Tally) int64 { return t.Lost }, "1 lost or overtaken: number 28 after 26"},
		{"lost at the end", func(d delivery) [][]byte {
			if d.member == 1 && d.line.Seq > 7+20 {
				return nil
			}
			return honest(d)
		}, func(t Tally) int64 { return t.Lost }, "did not come within"},
		{"doubled", func(d delivery) [][]byte {
			if wrongAt(d) {
				return [][]byte{d.bytes(), d.bytes()}
			}
			return honest(d)
		}, func(t Tally) int64 { return t.Doubled }, "doubled: number 27 after 27"},
		{"two messages swapped", func(d delivery) [][]byte {
			if wrongAt(d) {
				held = d.bytes()
				return nil
			}
			if d.member == 1 && held != nil {
				out := [][]byte{d.bytes(), held}
				held = nil
				return out
			}
			return honest(d)
		}, func(t Tally) int64 { return t.OutOfOrder }, "number 28 after 26"},
		{"content altered", func(d delivery) [][]byte {
			if wrongAt(d) {
				d.line.Content = d.line.Content[:18] + "#" + d.line.Content[19:]
			}
			return honest(d)
		}, func(t Tally) int64 { return t.Altered }, "content that nobody sent"},
		{"a message's number of its sender altered", func(d delivery) [][]byte {
			if wrongAt(d) {
				other := "9"
				if d.line.Content[headSize-1:headSize] == other {
					other = "8"
				}
				d.line.Content = d.line.Content[:headSize-1] + other + d.line.Content[headSize:]
			}
			return honest(d)
		}, func(t Tally) int64 { return t.Altered }, "content that nobody sent"},
		{"cut short", func(d delivery) [][]byte {
			if wrongAt(d) {
				d.line.Content = d.line.Content[:20]
			}
			return honest(d)
		}, func(t Tally) int64 { return t.Altered }, "content that nobody sent"},
		{"another message under the number for one reader", func(d delivery) [][]byte {
			if d.member == 1 && d.line.Seq == 7+19 {
				before = d.line
			}
			if wrongAt(d) {
				d.line.ID, d.line.Content = before.ID, before.Content
			}
			return honest(d)
		}, func(t Tally) int64 { return t.OutOfOrder }, "is not the same message for all readers"},
		{"the same message twice for all, under two numbers", func(d delivery) [][]byte {
			if d.line.Seq == 7+19 {
				before = d.line
			}
			if d.line.Seq == 7+20 {
				d.line.ID, d.line.Content = before.ID, before.Content
			}
			return honest(d)
		}, func(t Tally) int64 { return t.Doubled }, "stands under two numbers"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			held, before = nil, comms.UserMessage{}
			s := serve(t, listen(t, nil), test.deliver)
			p := quick(200)
			p.Rooms, p.Duration = 1, 2*time.Second // one room, so that the numbers above are reached
			result, err := Run(t.Context(), NewPx([]string{s.addr()}, nil), p, Options{Patience: 200 * time.Millisecond})
			if !errors.Is(err, ErrWrong) {
				t.Fatalf("got %v, want %v", err, ErrWrong)
			}
			if test.count(result.Tally) < 1 {
				t.Errorf("it is not counted: %+v", result.Tally)
			}
			if said := strings.Join(result.Faults, "\n"); !strings.Contains(said, test.says) {
				t.Errorf("the faults do not say %q:\n%s", test.says, said)
			}
		})
	}
}

// TestHonestServerPasses: the same server, answering right.
func TestHonestServerPasses(t *testing.T) {
	s := serve(t, listen(t, nil), honest)
	r, err := Run(t.Context(), NewPx([]string{s.addr()}, nil), quick(500), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if r.Sent != 500 || r.Acknowledged != 500 || r.Delivered != 1500 || r.Lost+r.Doubled+r.OutOfOrder+r.Altered != 0 {
		t.Errorf("got %+v, want 500 sent and 1500 delivered", r.Tally)
	}
	if r.Arrivals != 6 || r.Latency.Max <= 0 {
		t.Errorf("%d sessions arrived, latency %s", r.Arrivals, r.Latency)
	}
}

// TestOthersMessagesAreNoFault: people may speak in the rooms meanwhile, and
// change their topic.
func TestOthersMessagesAreNoFault(t *testing.T) {
	s := serve(t, listen(t, nil), honest)
	s.deliver = func(d delivery) [][]byte {
		d.line.Seq = d.line.Seq*3 - 16 // 8, 9, 10 become 8, 11, 14
		d.line.Time = 2
		other := comms.UserMessage{Room: d.line.Room, User: "bob", Content: "a \"b\" \\ \n", ID: "x.1", Seq: d.line.Seq + 1, Epoch: 1, Time: 1}
		topic := comms.TopicChanged{Room: d.line.Room, User: "bob", Topic: "t", ID: "x.2", Seq: d.line.Seq + 2, Epoch: 1, Time: 1}
		return [][]byte{d.bytes(), comms.AppendEvent(nil, other), comms.AppendEvent(nil, topic), comms.AppendEvent(nil, comms.Presence{Room: d.line.Room, Joined: []string{"bob"}, Count: 2})}
	}
	r, err := Run(t.Context(), NewPx([]string{s.addr()}, nil), quick(100), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if r.Delivered != 300 || r.Foreign != 600 {
		t.Errorf("got %d delivered and %d foreign, want 300 and 600", r.Delivered, r.Foreign)
	}
}

// TestOverTLS uses the readers that have a goroutine for each connection.
func TestOverTLS(t *testing.T) {
	web := httptest.NewTLSServer(nil) // for its certificate
	defer web.Close()
	roots := x509.NewCertPool()
	roots.AddCert(web.Certificate())
	s := serve(t, listen(t, &tls.Config{Certificates: web.TLS.Certificates}), honest)
	r, err := Run(t.Context(), NewPx([]string{s.addr()}, &tls.Config{RootCAs: roots}), quick(300), Options{})
	if err != nil || r.Delivered != 900 {
		t.Errorf("%d delivered, %v", r.Delivered, err)
	}
}

// TestJoinsAreRedirectedAndRetried: answers "later" and "elsewhere" to a join.
func TestJoinsAreRedirectedAndRetried(t *testing.T) {
	s := serve(t, listen(t, nil), honest)
	other := serve(t, listen(t, nil), honest)
	other.rooms["stress-0"] = &scripted{}
	later := 0
	s.refuse = func(c comms.Command) comms.Event {
		j, ok := c.(comms.JoinRoom)
		switch {
		case !ok:
		case j.Room == "stress-0":
			return comms.Redirect{Room: j.Room, Addr: other.addr()}
		case later < 5:
			later++
			return comms.Error{Code: comms.CodeNotReady, Room: j.Room, Retry: 1}
		}
		return nil
	}
	r, err := Run(t.Context(), NewPx([]string{s.addr()}, nil), quick(100), Options{})
	if err != nil || r.Delivered != 300 || later != 5 {
		t.Errorf("%d delivered, %d times later, %v", r.Delivered, later, err)
	}
}

// TestRunsThatCannotGoOn: what ends a run is told.
func TestRunsThatCannotGoOn(t *testing.T) {
	tests := []struct {
		name   string
		refuse func(comms.Command) comms.Event
		says   string
	}{
		{"a message is refused", func(c comms.Command) comms.Event {
			if m, ok := c.(comms.SendMessage); ok {
				return comms.Error{Code: comms.CodeStorage, Message: "disk full", Room: m.Room, ID: m.ID, Retry: 500}
			}
			return nil
		}, "disk full"},
		{"a room cannot be joined", func(c comms.Command) comms.Event {
			if j, ok := c.(comms.JoinRoom); ok {
				return comms.Error{Code: comms.CodeNoRoom, Message: "there is no room", Room: j.Room}
			}
			return nil
		}, "there is no room"},
		{"a room moves away", func(c comms.Command) comms.Event {
			if m, ok := c.(comms.SendMessage); ok {
				return comms.RoomMoved{Rooms: []string{m.Room}, Shard: "s2"}
			}
			return nil
		}, "moved to shard s2"},
		{"the server says goodbye", func(c comms.Command) comms.Event {
			if _, ok := c.(comms.SendMessage); ok {
				return comms.Goodbye{Reason: "shutdown"}
			}
			return nil
		}, "goodbye: shutdown"},
		{"nobody may log in", func(c comms.Command) comms.Event {
			if _, ok := c.(comms.Hello); ok {
				return comms.Error{Code: comms.CodeVersion, Message: "not this version"}
			}
			return nil
		}, "not this version"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := serve(t, listen(t, nil), honest)
			s.refuse = test.refuse
			_, err := Run(t.Context(), NewPx([]string{s.addr()}, nil), quick(100), Options{})
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want an error that says %q", err, test.says)
			}
		})
	}
}

// TestServerThatClosesEndsTheRun: a connection that ends is told with its user.
func TestServerThatClosesEndsTheRun(t *testing.T) {
	s := serve(t, listen(t, nil), honest)
	s.deliver = func(d delivery) [][]byte {
		if d.line.Seq == 7+10 {
			for _, nc := range s.conns {
				nc.Close() //nolint:errcheck // that is the point
			}
		}
		return honest(d)
	}
	_, err := Run(t.Context(), NewPx([]string{s.addr()}, nil), quick(100), Options{})
	if err == nil || !strings.Contains(err.Error(), s.addr()) {
		t.Errorf("got %v", err)
	}
}

// TestPingIsAnswered: a session that is asked whether it lives says so.
func TestPingIsAnswered(t *testing.T) {
	s := serve(t, listen(t, nil), func(d delivery) [][]byte {
		return [][]byte{comms.AppendEvent(nil, comms.PingEvent{N: d.line.Seq}), d.bytes()}
	})
	pongs := 0
	s.refuse = func(c comms.Command) comms.Event {
		if _, ok := c.(comms.Pong); ok {
			pongs++
		}
		return nil
	}
	if _, err := Run(t.Context(), NewPx([]string{s.addr()}, nil), quick(50), Options{}); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if pongs == 0 {
		t.Error("no pong")
	}
}

// TestEveryKindOfLoad runs each kind against a server that answers right.
func TestEveryKindOfLoad(t *testing.T) {
	base := Profile{Rooms: 4, Sessions: 12, Joins: 2, Senders: All, Size: 40, Duration: 300 * time.Millisecond}
	tests := map[string]func(*Profile){
		"silent":                 func(p *Profile) { p.Senders = 0 },
		"closed loop":            func(p *Profile) { p.Window = 2 },
		"open loop":              func(p *Profile) { p.Rate = 400 },
		"each in its turn":       func(p *Profile) { p.Every = 50 * time.Millisecond },
		"they come one by one":   func(p *Profile) { p.Every, p.Ramp = 40*time.Millisecond, 200*time.Millisecond },
		"they come and they go":  func(p *Profile) { p.Window, p.Talk = 1, 3 },
		"with a warm-up":         func(p *Profile) { p.Window, p.Warmup = 2, 50*time.Millisecond },
		"a bound on the traffic": func(p *Profile) { p.Window, p.Messages, p.Duration = 2, 30, 20*time.Second },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			p := base
			change(&p)
			r := runLoad(t, p)
			for !timeSufficed(r) && p.Duration < 4*time.Second {
				p.Duration *= 4
				r = runLoad(t, p)
			}
			if silent := p.Senders == 0; silent != (r.Delivered == 0) || !silent && r.Acknowledged != r.Sent {
				t.Errorf("%+v", r.Tally)
			}
			if p.Messages > 0 && r.Sent != int64(p.Messages) {
				t.Errorf("%d sent, want %d", r.Sent, p.Messages)
			}
			if !timeSufficed(r) {
				t.Errorf("%d sent in %.2f s, %d sessions came", r.Sent, r.Seconds, r.Arrivals)
			}
			if r.Measured > 0 && (r.CPU <= 0 || r.PerSecond <= 0) {
				t.Errorf("no cost was measured: %+v", r)
			}
		})
	}
}

func runLoad(t *testing.T, p Profile) Result {
	t.Helper()
	s := serve(t, listen(t, nil), honest)
	r, err := Run(t.Context(), NewPx([]string{s.addr()}, nil), p, Options{Pids: []int{os.Getpid()}})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// timeSufficed is whether a load that is a matter of time came as it was ordered.
// A busy machine holds that up at its ends, which matter less the longer it runs.
func timeSufficed(r Result) bool {
	if p := r.Profile; p.Talk > 0 {
		return r.Arrivals > int64(p.Sessions)
	} else if p.Rate > 0 {
		due := p.Rate * r.Seconds
		return math.Abs(float64(r.Sent)-due) <= due/10
	}
	return true
}

// TestInterruptedRunTellsWhatItSaw: an end from outside keeps the figures.
func TestInterruptedRunTellsWhatItSaw(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := serve(t, listen(t, nil), honest)
	s.deliver = func(d delivery) [][]byte {
		if d.line.Seq == 7+50 {
			cancel()
		}
		return honest(d)
	}
	p := quick(0)
	r, err := Run(ctx, NewPx([]string{s.addr()}, nil), p, Options{})
	if !errors.Is(err, context.Canceled) || r.Delivered == 0 || r.Seconds == 0 {
		t.Errorf("%v; %d delivered in %.3f s", err, r.Delivered, r.Seconds)
	}
}
