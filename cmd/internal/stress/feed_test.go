package stress

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"positivity-exchange/comms"
)

// silentPipe takes what a link writes.
type silentPipe struct{ bytes.Buffer }

func (*silentPipe) Close() error { return nil }

// sitting is an engine with one speaker, and a reader whose link is returned.
func sitting(d Dialect) (*engine, *link) {
	e := newEngine(context.Background(), d, Profile{Rooms: 1, Sessions: 2, Joins: 1, Senders: 1, Window: 1, Size: 21}, "abcdef01")
	r := e.rooms[0]
	speaking := &seat{room: r, link: &link{engine: e, pipe: &silentPipe{}}}
	sp := &speaker{seat: speaking}
	speaking.speaker = sp
	e.speakers, r.speakers, r.locals = []*speaker{sp}, []*speaker{sp}, 1
	l := &link{engine: e, pipe: &silentPipe{}, owner: &session{user: "u"}}
	reading := &seat{room: r, link: l, session: l.owner, joined: true, next: 1}
	l.seats, r.seats, r.open = []*seat{reading}, []*seat{reading}, true
	return e, l
}

// stream is n messages as a shard sends them.
func stream(e *engine, n int) []byte {
	sp := e.speakers[0]
	var b []byte
	for i := 1; i <= n; i++ {
		sp.sent++
		sp.times = append(sp.times, 0)
		content := string(appendContent(nil, 0, uint32(i), e.profile.Size))
		b = comms.AppendMessage(b, &comms.UserMessage{Room: "stress-0", User: "st-abcdef01-0", Content: content, ID: e.nonce + "." + content[:headSize], Seq: uint64(i), Epoch: 1, Time: 1700000000000})
	}
	return b
}

// TestFeedTakesAnyPieces: frames come in pieces of every length.
func TestFeedTakesAnyPieces(t *testing.T) {
	for size := 1; size < 400; size += 13 {
		e, l := sitting(NewPx(nil, nil))
		for data := stream(e, 40); len(data) > 0; {
			piece := data[:min(size, len(data))]
			data = data[len(piece):]
			l.feed(append(bytes.Clone(l.rest), piece...), time.Second)
		}
		if e.tally.Delivered != 40 || len(e.faults) > 0 {
			t.Fatalf("in pieces of %d: %d delivered, %v", size, e.tally.Delivered, e.faults)
		}
	}
}

// TestFeedDoesNotAllocate: the generator must not cost what it measures.
func TestFeedDoesNotAllocate(t *testing.T) {
	e, l := sitting(NewPx(nil, nil))
	data := stream(e, 1000)
	e.rooms[0].book = make([]entry, 0, 1000)
	e.measured = true
	allocations := testing.AllocsPerRun(100, func() {
		l.seats[0].next = 1
		l.feed(data, time.Second)
	})
	if allocations != 0 || len(e.faults) > 0 || e.tally.Delivered != 101_000 {
		t.Errorf("%g allocations for 1000 messages; %d delivered, %v", allocations, e.tally.Delivered, e.faults)
	}
}

func BenchmarkFeed(b *testing.B) {
	e, l := sitting(NewPx(nil, nil))
	data := stream(e, 1000)
	e.measured = true
	b.ReportAllocs()
	for b.Loop() {
		l.seats[0].next = 1
		l.feed(data, time.Second)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/message")
}

// TestNextReadsWhatShardsWrite compares the quick reading of events with the
// protocol's own, and what both make of the exact bytes.
func TestNextReadsWhatShardsWrite(t *testing.T) {
	message := func(content string) comms.Event {
		return comms.UserMessage{Room: "go", User: "ada", Content: content, ID: "x.1", Seq: 12, Epoch: 3, Time: 4}
	}
	tests := map[string]struct {
		event comms.Event
		want  Frame
	}{
		"a message":              {message("hi"), Frame{Kind: Message, Room: []byte("go"), ID: []byte("x.1"), Content: []byte("hi"), Seq: 12}},
		"one with escapes":       {message("a\"b\\ \n\x01é"), Frame{Kind: Message, Room: []byte("go"), ID: []byte("x.1"), Content: []byte("a\"b\\ \n\x01é"), Seq: 12}},
		"an answer to a join":    {comms.UserJoinedRoom{Room: "go", Users: []string{"ada"}, Description: `x,"head":9`, Head: 4, HeadEpoch: 2, Epoch: 3}, Frame{Kind: Joined, Room: []byte("go"), Seq: 4}},
		"of an empty room":       {comms.UserJoinedRoom{Room: "go", Users: []string{}, Epoch: 3}, Frame{Kind: Joined, Room: []byte("go")}},
		"an answer to a leave":   {comms.RoomLeft{Room: "go"}, Frame{Kind: Left, Room: []byte("go")}},
		"a topic":                {comms.TopicChanged{Room: "go", Seq: 13, Epoch: 3}, Frame{Kind: Record, Room: []byte("go"), Seq: 13}},
		"presence":               {comms.Presence{Room: "go", Joined: []string{"ada"}}, Frame{Kind: Other}},
		"a ping":                 {comms.PingEvent{N: 3}, Frame{Kind: Ping, N: 3}},
		"a redirect":             {comms.Redirect{Room: "go", Addr: "h:1", Retry: 5}, Frame{Kind: Redirected, Room: []byte("go"), Addr: "h:1", Retry: 5 * time.Millisecond}},
		"an error":               {comms.Error{Code: "storage", Message: "m", Room: "go", Retry: 9}, Frame{Kind: Refused, Room: []byte("go"), Text: "storage (m)", Retry: 9 * time.Millisecond}},
		"an announcement":        {comms.RoomMoving{Rooms: []string{"go"}, Addr: "h:2"}, Frame{Kind: Other}},
		"the end of the session": {comms.Goodbye{Reason: "quit"}, Frame{Kind: Ended, Text: "goodbye: quit"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			line := comms.AppendEvent(nil, test.event)
			d := NewPx(nil, nil)
			for cut := range line {
				var f Frame
				if n, err := d.Next(line[:cut], &f); n != 0 || err != nil {
					t.Fatalf("a part of %d bytes was taken for %d, %v", cut, n, err)
				}
			}
			var quick, slow Frame
			n, err := d.Next(append(bytes.Clone(line), "more"...), &quick)
			if n != len(line) || err != nil {
				t.Fatalf("got %d of %d, %v", n, len(line), err)
			}
			if err := slowEvent(line, &slow); err != nil {
				t.Fatal(err)
			}
			for _, got := range []Frame{quick, slow} {
				if !same(got, test.want) {
					t.Errorf("got %+v, want %+v", got, test.want)
				}
			}
		})
	}
}

// same compares what the kind of frame says.
func same(a, b Frame) bool {
	return a.Kind == b.Kind && bytes.Equal(a.Room, b.Room) && bytes.Equal(a.ID, b.ID) && bytes.Equal(a.Content, b.Content) &&
		a.Seq == b.Seq && a.N == b.N && a.Addr == b.Addr && a.Text == b.Text && a.Retry == b.Retry
}

// TestNextRefusesWhatIsNoProtocol: rubbish ends the connection, never the program.
func TestNextRefusesWhatIsNoProtocol(t *testing.T) {
	for _, line := range []string{"HTTP/1.1 400 Bad Request\r\n", "{}\r\n", "{\"_et\":\"user_message\",\"r\":\"go\r\n", "\n", strings.Repeat("x", comms.MaxEventFrame+1)} {
		var f Frame
		if n, err := NewPx(nil, nil).Next([]byte(line), &f); err == nil {
			t.Errorf("%.40q was taken for %d bytes of %+v", line, n, f)
		}
	}
}

// unnumbered is a server without sequences, as NATS is.
type unnumbered struct{ *Px }

func (unnumbered) Numbered() bool { return false }

// TestOrderWithoutNumbers holds the order of a speaker where a server gives no sequence.
func TestOrderWithoutNumbers(t *testing.T) {
	tests := map[string]struct {
		numbers []uint32
		want    Tally
	}{
		"in order":                {[]uint32{1, 2, 3, 4}, Tally{Delivered: 4}},
		"lost":                    {[]uint32{1, 2, 4}, Tally{Delivered: 3, Lost: 1}},
		"the first lost":          {[]uint32{2, 3, 4}, Tally{Delivered: 3, Lost: 1}},
		"doubled":                 {[]uint32{1, 2, 2, 3, 4}, Tally{Delivered: 4, Doubled: 1}},
		"swapped":                 {[]uint32{1, 3, 2, 4}, Tally{Delivered: 4, OutOfOrder: 1}},
		"overtaken, then doubled": {[]uint32{1, 3, 2, 2, 4}, Tally{Delivered: 4, OutOfOrder: 1, Doubled: 1}},
		"one that nobody sent":    {[]uint32{1, 2, 3, 4, 5}, Tally{Delivered: 4, Altered: 1}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e, l := sitting(unnumbered{NewPx(nil, nil)})
			stream(e, 4)
			for _, n := range test.numbers {
				l.seats[0].accept(e, &Frame{Kind: Message, Content: appendContent(nil, 0, n, e.profile.Size)}, 0)
			}
			if e.tally != test.want {
				t.Errorf("got %+v, want %+v", e.tally, test.want)
			}
			if clean := test.want == (Tally{Delivered: 4}); clean != (len(e.faults) == 0) {
				t.Errorf("faults: %v", e.faults)
			}
		})
	}
}
