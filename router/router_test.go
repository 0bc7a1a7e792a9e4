package router

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"positivity-exchange/comms"
	"positivity-exchange/comms/peer"
	"positivity-exchange/membership"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeGossip says what the test wants.
type fakeGossip struct {
	mu       sync.Mutex
	members  []membership.Member
	table    *membership.Table
	watchers []chan struct{}
}

func (g *fakeGossip) Table() *membership.Table {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.table
}
func (g *fakeGossip) Members() []membership.Member {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.members)
}
func (g *fakeGossip) Watch() (<-chan struct{}, func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := make(chan struct{}, 1)
	g.watchers = append(g.watchers, c)
	return c, func() {}
}

// set makes these the living shards.
func (g *fakeGossip) set(shards ...membership.Member) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.members, g.table = shards, membership.NewTable(shards)
	for _, w := range g.watchers {
		select {
		case w <- struct{}{}:
		default:
		}
	}
}

func shardAt(name, addr string) membership.Member {
	return membership.Member{Name: name, Boot: name + "-boot", Role: membership.RoleShard, State: membership.StateActive, Client: addr}
}

// running is a router under test.
type running struct {
	*Router
	t      *testing.T
	gossip *fakeGossip
	addr   string
	web    string

	judging chan struct{} // gets one for each judgement of who is gone

	mu   sync.Mutex // held by the test: the log that judgements read does not answer
	gone map[string]bool
}

func start(t *testing.T, rooms ...comms.Room) *running {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	web, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &running{t: t, gossip: &fakeGossip{table: membership.NewTable(nil)}, addr: ln.Addr().String(), web: "http://" + web.Addr().String(), judging: make(chan struct{}, 1), gone: map[string]bool{}}
	keys := comms.NewKeys(make([]byte, 32))
	peers := peer.NewPool(keys, "r1", "rb", nil)
	r.Router = New(Options{Name: "r1", Boot: "rb", Cluster: "px", Listener: ln, HTTP: web, Gossip: r.gossip, Peers: peers, Keys: keys, Rooms: rooms,
		Gone: func(boot string) bool {
			select {
			case r.judging <- struct{}{}:
			default:
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			return r.gone[boot]
		}})
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { r.Run(ctx) }) //nolint:errcheck // ends with ctx
	t.Cleanup(func() {
		cancel()
		wg.Wait()
		peers.Close() //nolint:errcheck // never fails
		http.DefaultClient.CloseIdleConnections()
	})
	return r
}

// rawConn is a client's raw connection.
type rawConn struct {
	t  *testing.T
	nc net.Conn
	in *bufio.Reader
}

func (r *running) dial() *rawConn {
	r.t.Helper()
	nc, err := net.Dial("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { nc.Close() })
	if err := nc.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		r.t.Fatal(err)
	}
	return &rawConn{r.t, nc, bufio.NewReaderSize(nc, 1<<20)}
}

func (c *rawConn) say(lines ...string) {
	c.t.Helper()
	if _, err := io.WriteString(c.nc, strings.Join(lines, "\n")+"\n"); err != nil {
		c.t.Fatal(err)
	}
}

// hear reads lines until one that holds all of the words.
func (c *rawConn) hear(words ...string) string {
	c.t.Helper()
	for {
		line, err := c.in.ReadString('\n')
		if err != nil {
			c.t.Fatalf("waiting for %q: %v", words, err)
		}
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(line, w) }) {
			return line
		}
	}
}

const hello = `{"_ct":"hello","v":1,"u":"ada"}`

func TestGreetingListsTheFileFirst(t *testing.T) {
	r := start(t, comms.Room{Name: "zoo", Description: "d"}, comms.Room{Name: "bar"})
	var many []comms.Room
	for i := range 600 {
		many = append(many, comms.Room{Name: fmt.Sprintf("a%03d", i)})
	}
	r.report(comms.RoomReport{Partition: 1, Rooms: many, First: true})
	var greeting struct {
		Rooms []comms.Room `json:"rs"`
	}
	if err := json.Unmarshal([]byte(r.dial().hear(`"login_successful"`)), &greeting); err != nil {
		t.Fatal(err)
	}
	if n := len(greeting.Rooms); n != comms.GreetingRooms || greeting.Rooms[0].Name != "zoo" || greeting.Rooms[1].Name != "bar" || greeting.Rooms[2].Name != "a000" {
		t.Errorf("%d rooms, first %v", n, greeting.Rooms[:3])
	}
}

func TestRoomsAreListedInPages(t *testing.T) {
	r := start(t)
	var rooms []comms.Room
	for i := range 25 {
		rooms = append(rooms, comms.Room{Name: fmt.Sprintf("go-%02d", i)})
	}
	r.report(comms.RoomReport{Partition: 1, Rooms: append(rooms, comms.Room{Name: "rust"}), First: true})
	c := r.dial()
	c.say(hello)
	var names []string
	for after := ""; ; {
		c.say(fmt.Sprintf(`{"_ct":"list_rooms","prefix":"go","n":10,"after":%q,"tag":"t"}`, after))
		var page comms.RoomList
		if err := json.Unmarshal([]byte(c.hear(`"room_list"`, `"tag":"t"`)), &page); err != nil {
			t.Fatal(err)
		}
		for _, room := range page.Rooms {
			names = append(names, room.Name)
		}
		if after = page.Next; after == "" {
			break
		}
	}
	if len(names) != 25 || !slices.IsSorted(names) {
		t.Errorf("listed %v", names)
	}
	// A partition reported again replaces what it had.
	r.report(comms.RoomReport{Partition: 1, Rooms: rooms[:1], First: true})
	c.say(`{"_ct":"list_rooms","n":10}`)
	if got := c.hear(`"room_list"`); strings.Contains(got, "rust") || !strings.Contains(got, "go-00") {
		t.Errorf("after another report: %s", got)
	}
}

func TestLocateGuessesAndTellsOfMoves(t *testing.T) {
	r := start(t)
	c := r.dial()
	c.say(hello, `{"_ct":"locate","r":"go"}`)
	if got := c.hear(`"_et":"error"`); !strings.Contains(got, `"no_shard"`) || !strings.Contains(got, `"retry":500`) {
		t.Errorf("without shards: %s", got)
	}
	r.gossip.set(shardAt("s1", "127.0.0.1:1"))
	c.say(`{"_ct":"locate","r":"go"}`)
	if got := c.hear(`"located"`); !strings.Contains(got, `"addr":"127.0.0.1:1"`) || !strings.Contains(got, `"epoch":0`) {
		t.Errorf("with one: %s", got)
	}
	// Out of the table is not gone: nothing is said until it is.
	r.gossip.set(shardAt("s2", "127.0.0.1:2"))
	c.say(`{"_ct":"ping","n":1}`)
	if got := c.hear(""); !strings.Contains(got, `"pong"`) {
		t.Errorf("before it was gone: %s", got)
	}
	r.mu.Lock()
	r.gone["s1-boot"] = true
	r.mu.Unlock()
	if got := c.hear(`"room_moved"`); !strings.Contains(got, `"rs":["go"]`) || !strings.Contains(got, `"addr":"127.0.0.1:2"`) || !strings.Contains(got, `"ticket":"`) {
		t.Errorf("after it: %s", got)
	}
}

// TestQuestionsDoNotWaitForTheLog: who is gone is read from the room log, which
// may not answer for a while.
func TestQuestionsDoNotWaitForTheLog(t *testing.T) {
	r := start(t)
	c := r.dial()
	r.gossip.set(shardAt("s1", "127.0.0.1:1"))
	c.say(hello, `{"_ct":"locate","r":"go"}`)
	c.hear(`"located"`, `"127.0.0.1:1"`)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gossip.set(shardAt("s2", "127.0.0.1:2"))
	<-r.judging
	c.say(`{"_ct":"locate","r":"tea"}`)
	c.hear(`"located"`, `"tea"`)
}

// TestClientSaysWhereItIsServed: it was redirected, and that shard is watched.
func TestClientSaysWhereItIsServed(t *testing.T) {
	r := start(t)
	r.gossip.set(shardAt("s1", "127.0.0.1:1"))
	table := r.gossip.Table()
	r.gossip.set(shardAt("s1", "127.0.0.1:1"), shardAt("s2", "127.0.0.1:2"))
	r.gossip.mu.Lock()
	r.gossip.table = table // s2 holds what the table gives to s1
	r.gossip.mu.Unlock()
	c := r.dial()
	c.say(hello, `{"_ct":"locate","r":"go"}`, `{"_ct":"locate","r":"go","at":"127.0.0.1:2"}`)
	c.hear(`"located"`)
	c.hear(`"located"`, `"127.0.0.1:1"`)
	r.mu.Lock()
	r.gone["s2-boot"] = true
	r.mu.Unlock()
	c.hear(`"room_moved"`, `"127.0.0.1:1"`)
}

func TestTicketsAreForWhoSaidHello(t *testing.T) {
	r := start(t)
	c := r.dial()
	c.say(`{"_ct":"renew"}`)
	c.hear(`"hello_first"`)
	c.say(hello)
	c.hear(`"welcome"`, `"u":"ada"`)
	c.say(`{"_ct":"renew"}`)
	var ticket comms.Ticket
	if err := json.Unmarshal([]byte(c.hear(`"_et":"ticket"`)), &ticket); err != nil {
		t.Fatal(err)
	}
	if err := r.opts.Keys.Check(ticket.Ticket, comms.AsClient, "ada", time.Now()); err != nil {
		t.Error(err)
	}
	if err := r.opts.Keys.Check(ticket.Ticket, comms.AsOperator, "ada", time.Now()); err == nil {
		t.Error("a client's ticket is good for an operator")
	}
}

func TestBadInputIsAnsweredAndHarmsNobody(t *testing.T) {
	r := start(t)
	other := r.dial()
	other.say(hello)
	other.hear(`"welcome"`)
	for name, c := range map[string]struct{ lines, want string }{
		"not JSON":           {"hello", `"not_json"`},
		"unknown type":       {`{"_ct":"fly"}`, `"unknown_type"`},
		"not UTF-8":          {"{\"_ct\":\"locate\",\"r\":\"\xff\"}", `"not_utf8"`},
		"a bad room name":    {hello + "\n" + `{"_ct":"locate","r":"No Room"}`, `"bad_room_name"`},
		"hello twice":        {hello + "\n" + hello, `"hello_twice"`},
		"another version":    {`{"_ct":"hello","v":99}`, `"version"`},
		"a member":           {`{"_ct":"hello","v":1,"as":"member"}`, `"not_allowed"`},
		"an operator's word": {hello + "\n" + `{"_ct":"drain","name":"s1"}`, `"not_allowed"`},
		"join at a router":   {hello + "\n" + `{"_ct":"join_room","r":"go"}`, `"not_allowed"`},
		"a frame too long":   {strings.Repeat("x", comms.MaxCommandFrame+1), `"frame_too_long"`},
	} {
		conn := r.dial()
		conn.say(strings.Split(c.lines, "\n")...)
		if got := conn.hear(c.want); !strings.Contains(got, `"m":"`) {
			t.Errorf("%s: no word for people in %s", name, got)
		}
	}
	other.say(`{"_ct":"ping","n":3}`)
	other.hear(`"pong"`, `"n":3`)
}

func TestHealthAndStatus(t *testing.T) {
	r := start(t)
	get := func(path string) (int, string) {
		t.Helper()
		answer, err := http.Get(r.web + path)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, string(body)
	}
	if code, _ := get("/healthz"); code != http.StatusOK {
		t.Errorf("healthz: %d", code)
	}
	readyz := func(when string, code int, why string) {
		t.Helper()
		if got, body := get("/readyz"); got != code || !strings.Contains(body, why) {
			t.Errorf("readyz %s: %d %s; want %d and a word of %q", when, got, body, code, why)
		}
	}
	s1, s2 := shardAt("s1", "127.0.0.1:1"), shardAt("s2", "127.0.0.1:2")
	readyz("of an empty cluster", http.StatusServiceUnavailable, "no shard")
	r.gossip.set(s1, s2)
	readyz("before the reports", http.StatusServiceUnavailable, "not reported")
	for p := range membership.Partitions {
		r.report(comms.RoomReport{Partition: p, First: true})
	}
	readyz("with all rooms", http.StatusOK, "ready")
	s1.Cut = true
	r.gossip.set(s1, s2)
	readyz("with a shard that can store", http.StatusOK, "ready")
	s2.Cut = true
	r.gossip.set(s1, s2)
	readyz("with none that can", http.StatusServiceUnavailable, "cut off")
	var status comms.StatusReport
	if _, body := get("/status"); json.Unmarshal([]byte(body), &status) != nil || status.Partitions != membership.Partitions || !status.Members[0].Cut {
		t.Errorf("status: %s", body)
	}
	r.gossip.set()
	readyz("without shards again", http.StatusServiceUnavailable, "no shard")
	r.gossip.set(shardAt("s3", "127.0.0.1:3"))
	readyz("with another shard", http.StatusOK, "ready")
}

// TestStatusTellsWhatIsNotKnown: a shard that does not answer may hold anything,
// and other routers are not asked.
func TestStatusTellsWhatIsNotKnown(t *testing.T) {
	r := start(t)
	r.gossip.set(shardAt("s1", "127.0.0.1:1"),
		membership.Member{Name: "r1", Boot: "rb", Role: membership.RoleRouter, State: membership.StateActive},
		membership.Member{Name: "r2", Boot: "other", Role: membership.RoleRouter, State: membership.StateActive})
	c := r.dial()
	c.say(hello, `{"_ct":"status"}`)
	var report comms.StatusReport
	if err := json.Unmarshal([]byte(c.hear(`"status_report"`)), &report); err != nil {
		t.Fatal(err)
	}
	for i, unknown := range []bool{true, false, true} {
		if m := report.Members[i]; m.Unknown != unknown || m.Sessions > 0 == unknown {
			t.Errorf("%s: %+v", m.Name, m)
		}
	}
}
