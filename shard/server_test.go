package shard

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"positivity-exchange/comms"
	"positivity-exchange/membership"
	"positivity-exchange/shard/ownership"
	"positivity-exchange/shard/roomlog"
	"positivity-exchange/shard/roomlog/sqlitelog"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// alone is the gossip of a cluster of one shard.
type alone struct{ self membership.Member }

func (a alone) Self() membership.Member          { return a.self }
func (a alone) Table() *membership.Table         { return membership.NewTable([]membership.Member{a.self}) }
func (a alone) Members() []membership.Member     { return []membership.Member{a.self} }
func (a alone) Watch() (<-chan struct{}, func()) { return nil, func() {} }
func (a alone) Alive(string) bool                { return true }
func (a alone) SetState(membership.State)        {}
func (a alone) SetCut(bool)                      {}

var keys = comms.NewKeys(bytes.Repeat([]byte{1}, 32))

// serve runs one shard on a store of its own and returns its address.
func serve(t testing.TB) (addr string, log roomlog.Log) {
	t.Helper()
	store, err := sqlitelog.Open(t.TempDir(), sqlitelog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, store), store
}

// serveOn runs one shard on store, which ends with the test. Each change is
// made before it runs.
func serveOn(t testing.TB, store roomlog.Log, changes ...func(*Server)) (addr string) {
	t.Helper()
	return serverOn(t, store, changes...).opts.Listener.Addr().String()
}

func serverOn(t testing.TB, store roomlog.Log, changes ...func(*Server)) *Server {
	t.Helper()
	return run(t, optionsOn(t, store), changes...)
}

// optionsOn are those of a shard that is alone on store.
func optionsOn(t testing.TB, store roomlog.Log) Options {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	self := membership.Member{Name: "s1", Boot: membership.NewBoot(), Role: membership.RoleShard, State: membership.StateActive, Client: ln.Addr().String()}
	gossip := alone{self}
	census := ownership.NewCensus(store, roomlog.Process{Name: "s1", Boot: self.Boot, OS: roomlog.ThisProcess()}, ownership.CensusOptions{Alive: gossip.Alive})
	if err := census.Enroll(t.Context()); err != nil {
		t.Fatal(err)
	}
	return Options{Name: "s1", Boot: self.Boot, Listener: ln, Log: store, Gossip: gossip, Census: census, Keys: keys, Rooms: []comms.Room{{Name: "go", Description: "gophers"}, {Name: "tea"}}}
}

// run runs a shard with its heartbeats until the test ends, and closes its log then.
func run(t testing.TB, opts Options, changes ...func(*Server)) *Server {
	t.Helper()
	server := New(opts)
	for _, change := range changes {
		change(server)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{}, 2)
	go func() { server.Run(ctx); done <- struct{}{} }()      //nolint:errcheck // ends with ctx
	go func() { opts.Census.Run(ctx); done <- struct{}{} }() //nolint:errcheck // ends with ctx
	t.Cleanup(func() {
		cancel()
		<-done
		<-done
		if err := opts.Log.Close(); err != nil {
			t.Error(err)
		}
	})
	return server
}

func TestTalkResumeAndHistory(t *testing.T) {
	addr, _ := serve(t)
	ada, bob := login(t, addr, "ada"), login(t, addr, "bob")
	ada.join("go", nil)
	if j := bob.join("go", nil); len(j.Users) != 2 || j.Description != "gophers" {
		t.Errorf("%+v", j)
	}
	for i := range 10 {
		ada.say(comms.SendMessage{Room: "go", Content: fmt.Sprint(i), ID: fmt.Sprint("a", i)})
	}
	for i := range 10 {
		for _, c := range []*talker{ada, bob} {
			if m := c.message(); m.Seq != uint64(i+1) || m.Content != fmt.Sprint(i) || m.Epoch != 1 {
				t.Fatalf("message %d is %+v", i, m)
			}
		}
	}
	eve := login(t, addr, "eve")
	if j := eve.join("go", &comms.Position{Seq: 7, Epoch: 1}); j.Head != 10 {
		t.Errorf("%+v", j)
	}
	for seq := uint64(8); seq <= 10; seq++ {
		if m := eve.message(); m.Seq != seq {
			t.Fatalf("got %d, want %d", m.Seq, seq)
		}
	}
	eve.say(comms.History{Room: "go", Before: 5, Limit: 2, Tag: "x"})
	if p, ok := eve.next().(comms.HistoryPage); !ok || len(p.Records) != 2 || p.Records[0].Seq != 3 || !p.More || p.Tag != "x" {
		t.Errorf("%+v", p)
	}
	eve.say(comms.LeaveRoom{Room: "go"})
	if _, ok := eve.next().(comms.RoomLeft); !ok {
		t.Error("no room_left")
	}
	// What a client saw under an epoch that the log does not have there is cut.
	if eve.join("go", &comms.Position{Seq: 12, Epoch: 1}); eve.next() != (comms.HistoryCut{Room: "go", At: 10}) {
		t.Error("no history_cut at 10")
	}
}

func TestRepeatsOfAnyAgeAppearOnce(t *testing.T) {
	addr, log := serve(t)
	ada := login(t, addr, "ada")
	ada.join("go", nil)
	ada.say(comms.SendMessage{Room: "go", Content: "first", ID: "old"})
	ada.message()
	const n = 2*windowSize + 10
	for i := range n {
		ada.say(comms.SendMessage{Room: "go", Content: "x", ID: fmt.Sprint("n", i)})
		ada.message()
	}
	// Within the window, far behind it, and with other content.
	ada.say(comms.SendMessage{Room: "go", Content: "x", ID: fmt.Sprint("n", n-1), Again: true, Seen: n})
	if m := ada.message(); m.Seq != n+1 {
		t.Errorf("a fresh repeat is answered with %+v", m)
	}
	ada.say(comms.SendMessage{Room: "go", Content: "first", ID: "old", Again: true})
	if m := ada.message(); m.Seq != 1 {
		t.Errorf("an old repeat is answered with %+v", m)
	}
	ada.say(comms.SendMessage{Room: "go", Content: "second", ID: "old", Again: true})
	ada.refused(comms.CodeConflict)
	ada.say(comms.SendMessage{Room: "go", Content: "new", ID: "never seen", Again: true})
	ada.refused(comms.CodeBadID)
	ada.say(comms.SendMessage{Room: "go", Content: "new", ID: "never-stored", Again: true})
	if m := ada.message(); m.Seq != n+2 {
		t.Errorf("a repeat of what was never stored is %+v", m)
	}
	at, _, err := log.Head(t.Context(), membership.Partition("go"), "go")
	if err != nil || at.Seq != n+2 {
		t.Errorf("the room has %d records, %v; want %d", at.Seq, err, n+2)
	}
}

func TestBadInputIsRefusedAndNobodyElseNotices(t *testing.T) {
	addr, _ := serve(t)
	calm := login(t, addr, "calm")
	calm.join("go", nil)
	bad := login(t, addr, "bad")
	for line, code := range map[string]string{
		`not json`:                                              comms.CodeNotJSON,
		`{"_ct":"fly"}`:                                         comms.CodeUnknownType,
		`{"_ct":"join_room","r":"nowhere"}`:                     comms.CodeNoRoom,
		`{"_ct":"join_room","r":"NO"}`:                          comms.CodeBadRoom,
		`{"_ct":"leave_room","r":"go"}`:                         comms.CodeNotJoined,
		`{"_ct":"send_message","r":"go","c":"x","id":"1"}`:      comms.CodeNotJoined,
		`{"_ct":"send_message","r":"go","c":"x"}`:               comms.CodeBadID,
		`{"_ct":"send_message","r":"go","c":"\u0007","id":"1"}`: comms.CodeBadContent,
		`{"_ct":"history","r":"go","n":1000000000}`:             comms.CodeBadRange,
		`{"_ct":"join_room","r":"go","after":{"seq":99}}`:       comms.CodeBadRange,
		`{"_ct":"yield","p":1,"name":"x","boot":"y"}`:           comms.CodeNotAllowed,
		`{"_ct":"drain","name":"s1"}`:                           comms.CodeNotAllowed,
		`{"_ct":"hello","v":1}`:                                 comms.CodeHelloTwice,
		`{"_ct":"create_room","r":"go"}`:                        comms.CodeRoomExists,
	} {
		if e, ok := bad.answer(line + "\n").(comms.Error); !ok || e.Code != code {
			t.Fatalf("%s: got %+v, want %s", line, e, code)
		}
	}
	bad.join("go", nil)
	bad.say(comms.JoinRoom{Room: "go"})
	bad.refused(comms.CodeJoined)
	// A line over the limit ends that connection alone.
	if _, err := io.WriteString(bad.nc, strings.Repeat("x", comms.MaxCommandFrame+1)); err != nil {
		t.Fatal(err)
	}
	bad.refused(comms.CodeFrameTooLong)
	if g, ok := bad.next().(comms.Goodbye); !ok || g.Reason != comms.CodeFrameTooLong {
		t.Errorf("%+v", g)
	}
	expired, _ := keys.Issue(comms.AsClient, "eve", time.Now().Add(-time.Hour))
	others, _ := keys.Issue(comms.AsClient, "ada", time.Now())
	for ticket, code := range map[string]string{"": comms.CodeBadTicket, "1.client.eve.9.forged": comms.CodeBadTicket, expired: comms.CodeExpired, others: comms.CodeBadTicket} {
		c := dial(t, addr)
		c.say(comms.Hello{Version: comms.Version, User: "eve", Ticket: ticket})
		c.refused(code)
	}
	c := dial(t, addr)
	c.say(comms.JoinRoom{Room: "go"})
	c.refused(comms.CodeHelloFirst)
	calm.say(comms.SendMessage{Room: "go", Content: "still here", ID: "1"})
	if m := calm.message(); m.Seq != 1 {
		t.Errorf("%+v", m)
	}
}

func TestLocateKnowsWhichRoomsThereAre(t *testing.T) {
	addr, _ := serve(t)
	c := login(t, addr, "ada")
	located := func(room string) {
		t.Helper()
		if e, ok := c.ask(comms.Locate{Room: room}).(comms.Located); !ok || e.Room != room || e.Shard != "s1" {
			t.Errorf("%s: got %+v", room, e)
		}
	}
	c.join("go", nil)
	located("go")
	located("tea") // which nobody has opened
	if e, ok := c.ask(comms.Locate{Room: "typo"}).(comms.Error); !ok || e.Code != comms.CodeNoRoom {
		t.Fatalf("got %+v, want %s", e, comms.CodeNoRoom)
	}
	if e, ok := c.ask(comms.CreateRoom{Room: "typo"}).(comms.RoomCreated); !ok {
		t.Fatalf("got %+v", e)
	}
	located("typo")
}

// TestReaderThatStopsReadingGetsAllAfterwards lets 50,000 messages pass while
// one session does not read.
func TestReaderThatStopsReadingGetsAllAfterwards(t *testing.T) {
	n := 50000
	if testing.Short() {
		n = 5000
	}
	addr, _ := serve(t)
	slow, ada := login(t, addr, "slow"), login(t, addr, "ada")
	slow.join("go", nil)
	ada.join("go", nil)
	sent := make(chan error, 1)
	go func() {
		for i := range n {
			if err := ada.conn.WriteCommand(comms.SendMessage{Room: "go", Content: strings.Repeat("x", 100), ID: fmt.Sprint(i)}); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	for _, c := range []*talker{ada, slow} {
		for seq := 1; seq <= n; seq++ {
			if m := c.message(); m.Seq != uint64(seq) || m.ID != fmt.Sprint(seq-1) {
				t.Fatalf("record %d is %d, %s", seq, m.Seq, m.ID)
			}
		}
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
}

// TestConnectionThatEndsLeavesItsRooms: bob was named in the reply to ada's
// join, so she must hear that he left, even if he went before anybody was told
// that he had come.
func TestConnectionThatEndsLeavesItsRooms(t *testing.T) {
	for name, c := range map[string]struct {
		linger time.Duration
		end    func(*talker)
	}{
		"says so":    {time.Hour, func(bob *talker) { bob.say(comms.Quit{}) }},
		"breaks off": {time.Millisecond, func(bob *talker) { bob.conn.Close() }}, //nolint:errcheck // as a network does
	} {
		t.Run(name, func(t *testing.T) {
			addr := serveChanged(t, func(s *Server) { s.linger = c.linger })
			ada, bob := login(t, addr, "ada"), login(t, addr, "bob")
			bob.join("go", nil)
			if j := ada.join("go", nil); len(j.Users) != 2 {
				t.Fatalf("%+v", j)
			}
			c.end(bob)
			p := ada.told()
			for len(p.Left) == 0 {
				p = ada.told()
			}
			if len(p.Left) != 1 || p.Left[0] != "bob" || p.Count != 1 {
				t.Errorf("%+v", p)
			}
		})
	}
}

// TestConnectionThatBreaksOffMayComeBack: nobody is told of a flicker, neither
// that somebody left nor that they came.
func TestConnectionThatBreaksOffMayComeBack(t *testing.T) {
	addr := serveChanged(t, func(s *Server) { s.linger = time.Hour })
	ada, bob := login(t, addr, "ada"), login(t, addr, "bob")
	bob.join("go", nil)
	ada.join("go", nil)
	for !slices.Contains(ada.told().Joined, "ada") {
	}
	for _, other := range []string{"carol", "dave"} {
		bob.conn.Close() //nolint:errcheck // as a network does
		if users := login(t, addr, other).join("go", nil).Users; !slices.Contains(users, "bob") {
			t.Errorf("%s found %q there", other, users)
		}
		if p := ada.told(); len(p.Joined) != 1 || p.Joined[0] != other || len(p.Left) != 0 {
			t.Errorf("%+v", p)
		}
		bob = login(t, addr, "bob")
		bob.join("go", nil)
	}
	bob.say(comms.Quit{})
	if p := ada.told(); len(p.Joined) != 0 || len(p.Left) != 1 || p.Count != 3 {
		t.Errorf("%+v", p)
	}
}

// TestLastWordInACrowd: who says something and leaves, or quits, in one breath has
// its copy first. The others of a crowd are written to by a thread.
func TestLastWordInACrowd(t *testing.T) {
	addr, _ := serve(t)
	for i := range 300 {
		login(t, addr, fmt.Sprint("user", i)).join("go", nil)
	}
	for i, last := range []comms.Command{comms.LeaveRoom{Room: "go"}, comms.Quit{}} {
		ada := login(t, addr, "ada")
		ada.join("go", nil)
		ada.say(comms.SendMessage{Room: "go", Content: "bye", ID: fmt.Sprint("last", i)}, last)
		if m := ada.message(); m.Content != "bye" {
			t.Errorf("got %+v", m)
		}
	}
}
