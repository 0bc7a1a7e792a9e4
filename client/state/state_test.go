package state

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"positivity-exchange/client"
	"positivity-exchange/comms"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func in(room string) State {
	s := State{Page: PageChat, User: "ada", Now: noon, Router: client.RouterLink{Up: true}}
	return s.Open(room).Apply(client.Joined{Room: room, Users: []string{"ada", "bob"}, Count: 2})
}

func said(room, user, text string, seq uint64) client.Message {
	return client.Message{Room: room, Record: comms.Record{Kind: comms.KindMessage, Seq: seq, User: user, ID: fmt.Sprint(user, seq), Content: text}}
}

func pageOf(room string, head uint64, seqs ...uint64) comms.HistoryPage {
	p := comms.HistoryPage{Room: room, Head: head}
	for _, seq := range seqs {
		p.Records = append(p.Records, said(room, "bob", "old", seq).Record)
	}
	return p
}

func TestUnreadCountsReachZero(t *testing.T) {
	s := in("go").Apply(client.Joined{Room: "tea"})
	for seq := uint64(1); seq <= 5; seq++ {
		s = s.Apply(said("tea", "bob", "hello", seq))
	}
	s = s.Apply(said("tea", "bob", "ada: look", 6))
	if r := s.Room("tea"); r.Unread != 6 || r.Mentions != 1 || r.Badge() != "@1" {
		t.Errorf("%+v", r)
	}
	if s.NextUnread() != "tea" {
		t.Error("the room with a mention is not next")
	}
	s = s.Open("tea")
	if r := s.Room("tea"); r.Unread != 0 || r.Mentions != 0 || r.Read != 6 {
		t.Errorf("%+v", r)
	}
	if unread, _, _ := s.Totals(); unread != 0 || s.Previous != "go" {
		t.Errorf("%d unread, previous %q", unread, s.Previous)
	}
	// While nobody looks, the open room counts too; looking takes it as read.
	s = s.Focus(false).Apply(said("tea", "bob", "more", 7))
	if r := s.Room("tea"); r.Unread != 1 {
		t.Errorf("unread behind one's back: %d", r.Unread)
	}
	s = s.Focus(true)
	if r := s.Room("tea"); r.Unread != 0 || r.Marker != 6 {
		t.Errorf("after looking: %d unread, marker behind %d", r.Unread, r.Marker)
	}
	// A muted room shows that there is something, and is never next.
	s = s.Update("go", func(r *Room) { r.Level = NotifyNone }).Apply(said("go", "bob", "x", 1))
	if s.Room("go").Badge() != "·" || s.NextUnread() != "" {
		t.Errorf("muted: %q, next %q", s.Room("go").Badge(), s.NextUnread())
	}
}

func TestMentionsAreWords(t *testing.T) {
	for text, want := range map[string]bool{
		"ada": true, "@ada look": true, "hey ada!": true, "ada: yes": true, "(ada)": true,
		"adamant": false, "canada": false, "ada-2": false, "Ada: look": true, "Canada": false, "": false,
	} {
		if Mentions(text, "ada") != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
}

func TestHolesAreFoundAndFilled(t *testing.T) {
	s := in("go").WithHistory("go", pageOf("go", 10, 1, 2, 3)).WithHistory("go", pageOf("go", 10, 8, 9))
	for _, want := range [][2]uint64{{10, 10}, {4, 7}} {
		from, to, ok := s.Room("go").Hole()
		if !ok || from != want[0] || to != want[1] {
			t.Fatalf("hole %d to %d, %v; want %v", from, to, ok, want)
		}
		var seqs []uint64
		for seq := from; seq <= to; seq++ {
			seqs = append(seqs, seq)
		}
		s = s.WithHistory("go", pageOf("go", 10, seqs...))
	}
	if _, _, ok := s.Room("go").Hole(); ok || !strings.Contains(s.Status(s.Room("go"), 200, false), "#1-10, no gaps") {
		t.Errorf("then: %s", s.Status(s.Room("go"), 200, false))
	}
}

func TestPlaceIsKeptWhileScrolled(t *testing.T) {
	s := in("go").WithHistory("go", pageOf("go", 50, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50))
	s = s.Update("go", func(r *Room) { r.Scroll = 4 })
	bottom := func() uint64 { r := s.Room("go"); return r.Lines[len(r.Lines)-1-r.Scroll].Seq }
	if bottom() != 46 {
		t.Fatalf("the bottom line is %d", bottom())
	}
	s = s.Apply(said("go", "bob", "new", 51))
	s = s.Apply(client.Presence{Room: "go", Joined: []string{"eve"}})
	s = s.WithHistory("go", pageOf("go", 51, 38, 39, 40))
	if bottom() != 46 {
		t.Errorf("the bottom line became %d", bottom())
	}
	if s.Room("go").Unread != 1 {
		t.Error("what came below the screen counts as read")
	}
}

func TestJoinsAndLeavesFold(t *testing.T) {
	s := in("go")
	s = s.Apply(client.Presence{Room: "go", Joined: []string{"eve", "mia"}, Count: 4})
	s = s.Apply(client.Presence{Room: "go", Left: []string{"bob", "eve"}, Count: 2})
	r := s.Room("go")
	if n := len(r.Lines); n != 1 || r.Lines[0].PresenceText() != "mia joined · bob left" {
		t.Errorf("%d lines: %q", n, r.Lines[0].PresenceText())
	}
	s = s.Apply(client.Presence{Room: "go", Joined: []string{"bob"}, Left: []string{"mia"}, Count: 2})
	if n := len(s.Room("go").Lines); n != 0 {
		t.Errorf("nothing changed in the end, and %d lines say so", n)
	}
	var many []string
	for i := range 7 {
		many = append(many, fmt.Sprint("u", i))
	}
	s = s.Apply(client.Presence{Room: "go", Joined: many, Count: 9})
	if got := s.Room("go").Lines[0].PresenceText(); got != "7 joined" {
		t.Errorf("got %q", got)
	}
}

func TestStoreThatLostItsEnd(t *testing.T) {
	s := in("go").WithHistory("go", pageOf("go", 9, 7, 8, 9))
	s = s.Apply(client.Joined{Room: "go", Head: comms.Position{Seq: 8}})
	r := s.Room("go")
	if last := r.Lines[len(r.Lines)-1]; last.Kind != LineCut || r.Last != 8 || !strings.Contains(last.Text, "1 message missing") {
		t.Errorf("%+v", r.Lines)
	}
	s = s.Apply(said("go", "bob", "another nine", 9))
	if r = s.Room("go"); r.Lines[len(r.Lines)-1].Text != "another nine" {
		t.Errorf("%+v", r.Lines)
	}
}

// TestStoreThatLostItsEndAndWentOn: who was away hears of no cut from the
// server. What the disk has of the room is not what the store has any more.
func TestStoreThatLostItsEndAndWentOn(t *testing.T) {
	page := func(from, to uint64) (p comms.HistoryPage) {
		for seq := from; seq <= to; seq++ {
			p.Records = append(p.Records, said("go", "eve", "new", seq).Record)
			if seq <= 6 {
				p.Records[len(p.Records)-1] = said("go", "bob", "old", seq).Record
			}
		}
		p.Head = 20
		return p
	}
	for name, c := range map[string]struct {
		pages []comms.HistoryPage
		want  string
	}{
		"the page holds the break":      {[]comms.HistoryPage{page(5, 20)}, "1 2 3 4 5 6 [3 messages missing: the store lost its end behind #6] 7 8 9 10 11 12 13 14 15 16 17 18 19 20"},
		"it begins behind the break":    {[]comms.HistoryPage{page(8, 20)}, "[messages missing: the store lost its end before #8] 8 9 10 11 12 13 14 15 16 17 18 19 20"},
		"it begins right at the break":  {[]comms.HistoryPage{page(7, 20), page(1, 6)}, "1 2 3 4 5 6 [messages missing: the store lost its end before #7] 7 8 9 10 11 12 13 14 15 16 17 18 19 20"},
		"a page far up, then the hole":  {[]comms.HistoryPage{page(15, 20), page(9, 14)}, "[messages missing: the store lost its end before #9] 9 10 11 12 13 14 15 16 17 18 19 20"},
		"a page that the disk had half": {[]comms.HistoryPage{page(1, 6)}, "1 2 3 4 5 6 7 8 9"},
	} {
		s := in("go").WithHistory("go", pageOf("go", 9, 1, 2, 3, 4, 5, 6, 7, 8, 9))
		for _, p := range c.pages {
			s = s.WithHistory("go", p)
		}
		var got []string
		for _, l := range s.Room("go").Lines {
			switch {
			case l.Kind == LineCut:
				got = append(got, "["+l.Text+"]")
			case l.Text != "new" && l.Seq > 6 && name != "a page that the disk had half":
				got = append(got, "stale")
			default:
				got = append(got, fmt.Sprint(l.Seq))
			}
		}
		if got := strings.Join(got, " "); got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, c.want)
		}
	}
}

// TestReadMarkOfALostEnd: what stands where a record was read that is lost now is new.
func TestReadMarkOfALostEnd(t *testing.T) {
	s := State{User: "ada", Now: noon}.Restore(Saved{User: "ada", Rooms: map[string]SavedRoom{"go": {Read: 9}}}).Open("go")
	s = s.WithHistory("go", pageOf("go", 9, 7, 8, 9)).Apply(client.Joined{Room: "go", Head: comms.Position{Seq: 10}})
	p := pageOf("go", 10, 6, 7)
	for seq := uint64(8); seq <= 10; seq++ {
		p.Records = append(p.Records, said("go", "eve", "new", seq).Record)
	}
	if r := s.WithHistory("go", p).Room("go"); r.Marker != 7 || r.New != 3 {
		t.Errorf("marker %d, %d new; want 7 and 3", r.Marker, r.New)
	}
}

// TestWhatWasMissedIsNew: the read marks of the last visit count.
func TestWhatWasMissedIsNew(t *testing.T) {
	s := State{User: "ada", Now: noon}.Restore(Saved{User: "ada", Rooms: map[string]SavedRoom{"go": {Read: 10}, "tea": {Read: 5}}})
	s = s.Open("go").Apply(client.Joined{Room: "go", Head: comms.Position{Seq: 14}}).Apply(client.Joined{Room: "tea", Head: comms.Position{Seq: 8}}).Apply(client.Joined{Room: "new", Head: comms.Position{Seq: 90}})
	if r := s.Room("go"); r.Marker != 10 || r.Unread != 0 || r.Read != 14 {
		t.Errorf("the open room: marker %d, unread %d, read %d", r.Marker, r.Unread, r.Read)
	}
	if r := s.Room("tea"); r.Unread != 3 {
		t.Errorf("another room: %d unread", r.Unread)
	}
	if s = s.Open("tea"); s.Room("tea").Marker != 5 {
		t.Errorf("opened: marker %d", s.Room("tea").Marker)
	}
	if r := s.Room("new"); r.Unread != 0 || r.Read != 90 {
		t.Errorf("a first visit: %d unread", r.Unread)
	}
}

func TestPaletteFinds(t *testing.T) {
	s := in("general").WithRooms([]comms.Room{{Name: "rust", Description: "Crabs"}, {Name: "go"}})
	s = s.Apply(client.Presence{Room: "general", Joined: []string{"ruslan"}}).Apply(said("go", "bob", "ada!", 1))
	if c := s.Choices(); c[0].Name != "#go" || c[0].Badge != "@1" {
		t.Errorf("without a query: %+v", c)
	}
	s.Palette.Query = NewInput("rus")
	c := s.Choices()
	if len(c) < 2 || c[0].Name != "#rust" && c[0].Name != "ruslan" {
		t.Errorf("rus: %+v", c)
	}
	s.Palette.Query = NewInput("/top")
	if c := s.Choices(); len(c) != 1 || c[0].Name != "/topic" {
		t.Errorf("/top: %+v", c)
	}
	// A kind alone asks for all of it, in its own order.
	s = s.Apply(client.Joined{Room: "zoo-and-more"})
	for query, want := range map[string][]string{"#": {"#general", "#zoo-and-more", "#go", "#rust"}, "/": {"/join", "/part", "/create", "/list"}} {
		s.Palette.Query = NewInput(query)
		var names []string
		for _, c := range s.Choices() {
			names = append(names, c.Name)
		}
		if len(names) < 4 || !slices.Equal(names[:4], want) {
			t.Errorf("%s: %v", query, names)
		}
	}
}

// TestPassingByARoomDoesNotEnterIt: the keys for the next room and for a place
// lead to rooms one takes part in, in an order that survives a restart.
func TestPassingByARoomDoesNotEnterIt(t *testing.T) {
	s := in("tea").WithRooms([]comms.Room{{Name: "art"}, {Name: "zoo"}}).Apply(client.Joined{Room: "go"})
	order := func(s State) (names []string) {
		for _, r := range s.Rooms {
			names = append(names, r.Name)
		}
		return names
	}
	want := []string{"tea", "go", "art", "zoo"}
	if got := order(s); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if s.Next(1) != "go" || s.Next(2) != "tea" || s.Next(-1) != "go" || s.At(1) != "go" || s.At(2) != "" {
		t.Errorf("next %q, then %q, at 2 %q", s.Next(1), s.Next(2), s.At(2))
	}
	back := State{Now: noon}.Restore(s.Save()).WithRooms([]comms.Room{{Name: "art"}, {Name: "zoo"}})
	back = back.Apply(client.Joined{Room: "go"}).Apply(client.Joined{Room: "tea"}) // whichever answers first
	if got := order(back); !slices.Equal(got, want) {
		t.Errorf("after a restart %v, want %v", got, want)
	}
	if s = s.Apply(client.Left{Room: "tea"}); s.Room("tea").Place != 0 || s.Save().Rooms["tea"].Joined {
		t.Error("a room that was left is still taken part in")
	}
}

// TestARoomThatDoesNotExist leaves no trace, and leads back.
func TestARoomThatDoesNotExist(t *testing.T) {
	s := in("go").Open("typo").Forget("typo")
	if s.Room("typo") != nil || s.Active != "go" || s.Previous != "" {
		t.Errorf("active %q, previous %q", s.Active, s.Previous)
	}
	s = s.Open("typo").Queue("typo", "1", "words", false).Forget("typo")
	if s.Active != "typo" {
		t.Error("what was written is out of sight")
	}
	if s = s.WithRooms([]comms.Room{{Name: "\x1b[2J"}, {Name: "Ab"}}); len(s.Rooms) != 2 {
		t.Errorf("%d rooms", len(s.Rooms))
	}
}

// TestMentionsOfAnAbsenceCount: they come as a page of history.
func TestMentionsOfAnAbsenceCount(t *testing.T) {
	s := State{User: "ada", Now: noon}.Restore(Saved{User: "ada", Active: "go", Rooms: map[string]SavedRoom{"go": {Read: 1}, "tea": {Read: 5}}})
	s = s.Open("go").Apply(client.Joined{Room: "tea", Head: comms.Position{Seq: 8}})
	p := pageOf("tea", 8, 4, 5, 6, 7, 8)
	p.Records[0].Content, p.Records[3].Content = "@ada long ago", "@ada look"
	s = s.WithHistory("tea", p)
	if r := s.Room("tea"); r.Unread != 3 || r.Mentions != 1 || r.Badge() != "@1" {
		t.Errorf("%d unread, %d mentions", r.Unread, r.Mentions)
	}
}

// TestOtherRoomsStaySmall: memory does not grow with what pours in elsewhere.
func TestOtherRoomsStaySmall(t *testing.T) {
	s := in("go").Apply(client.Joined{Room: "tea"})
	for seq := uint64(1); seq <= 6000; seq++ {
		s = s.Apply(said("tea", "bob", "x", seq)).Apply(said("go", "bob", "x", seq))
	}
	if n := len(s.Room("tea").Lines); n > maxOther*11/10 {
		t.Errorf("%d lines", n)
	}
	if r := s.Room("go"); len(r.Lines) > maxLines*11/10 || len(r.Lines) < maxLines || r.Lines[len(r.Lines)-1].Seq != 6000 {
		t.Errorf("%d lines", len(r.Lines))
	}
}

// TestNothingShownStandsBehindAGap: a page further up or down must not skip what was
// never loaded.
func TestNothingShownStandsBehindAGap(t *testing.T) {
	s := in("go").WithHistory("go", pageOf("go", 50, 1, 2, 3, 4, 7, 8)).Apply(client.Presence{Room: "go", Joined: []string{"eve"}})
	s = s.WithHistory("go", pageOf("go", 50, 49, 50))
	r := *s.Room("go") // 1 2 3 4, 7 8, 49 50 and eve who came then
	for i, want := range [][2]int{{0, 3}, {0, 3}, {0, 3}, {0, 3}, {4, 5}, {4, 5}, {6, 8}} {
		if first, last := r.Stretch(i); first != want[0] || last != want[1] {
			t.Errorf("around line %d: %d to %d, want %v", i, first, last, want)
		}
	}
	for i, want := range map[int][2]uint64{4: {5, 6}, 6: {9, 48}} {
		if from, to, ok := r.Gap(i); !ok || from != want[0] || to != want[1] {
			t.Errorf("above line %d: %d to %d, %v, want %v", i, from, to, ok, want)
		}
	}
	for _, i := range []int{0, 3, 5, 8} {
		if from, to, ok := r.Gap(i); ok {
			t.Errorf("above line %d: %d to %d are missing", i, from, to)
		}
	}
	for seq, want := range map[uint64]uint64{1: 3, 3: 4, 7: 8, 20: 50} {
		if r.ScrollTo(seq, 2); r.Lines[len(r.Lines)-1-r.Scroll].Place() != want {
			t.Errorf("to #%d: the bottom is #%d", seq, r.Lines[len(r.Lines)-1-r.Scroll].Place())
		}
	}
}

// TestARoomIsReadWhereItsEndShows: one that reopens where it was scrolled to
// hides what came since, and says so until its end is shown.
func TestARoomIsReadWhereItsEndShows(t *testing.T) {
	s := in("go").Apply(said("go", "bob", "one", 1)).Apply(said("go", "bob", "two", 2))
	s = s.Update("go", func(r *Room) { r.Scroll = 1 }).Open("tea").Apply(said("go", "bob", "ada: three", 3))
	for name, s := range map[string]State{"reopened": s.Open("go"), "looked at again": s.Open("go").Focus(false).Focus(true)} {
		if r := s.Room("go"); r.Scroll != 2 || r.Unread != 1 || r.Mentions != 1 || r.Read != 2 || r.Marker != 2 {
			t.Errorf("%s: scroll %d, %d unread, %d mentions, read %d, marker %d", name, r.Scroll, r.Unread, r.Mentions, r.Read, r.Marker)
		}
	}
	s = s.Open("go").Apply(said("go", "bob", "four", 4))
	if s = s.Open(s.NextUnread()); s.Active != "go" {
		t.Fatalf("next is %q", s.Active)
	}
	if r := s.Room("go"); r.Scroll != 0 || r.Unread != 0 || r.Mentions != 0 || r.Read != 4 || r.Marker != 2 || r.New != 2 {
		t.Errorf("asked for again: scroll %d, %d unread, %d mentions, read %d, marker %d, %d new", r.Scroll, r.Unread, r.Mentions, r.Read, r.Marker, r.New)
	}
}

// TestAnOwnMessageReadsNothingElse: written to a room that is not looked at, it
// leaves what is unread there unread, over a restart too.
func TestAnOwnMessageReadsNothingElse(t *testing.T) {
	s := in("go").Apply(client.Joined{Room: "tea", Head: comms.Position{Seq: 5}})
	if s = s.Apply(said("tea", "ada", "hi", 6)); s.Room("tea").Read != 6 || s.Room("tea").Unread != 0 {
		t.Errorf("with nothing unread: read %d, %d unread", s.Room("tea").Read, s.Room("tea").Unread)
	}
	s = s.Apply(said("tea", "bob", "seven", 7)).Apply(said("tea", "ada", "hi", 8))
	if r := s.Room("tea"); r.Unread != 1 || r.Read != 6 {
		t.Errorf("%d unread, read %d", r.Unread, r.Read)
	}
	if r := s.Open("tea").Room("tea"); r.Marker != 6 || r.New != 1 || r.Read != 8 {
		t.Errorf("opened: marker %d, %d new, read %d", r.Marker, r.New, r.Read)
	}
	back := State{User: "ada", Now: noon}.Restore(s.Save()).Apply(client.Joined{Room: "tea", Head: comms.Position{Seq: 8}})
	if r := back.Room("tea"); r.Unread == 0 {
		t.Error("nothing is unread after a restart")
	}
}

// TestARoomThatWasEmptyIsNotNew: who was in it before anything was said has
// missed all of it, over a restart too.
func TestARoomThatWasEmptyIsNotNew(t *testing.T) {
	s := in("go").Apply(client.Joined{Room: "tea"})
	s = State{User: "ada", Now: noon}.Restore(s.Save()).Open("go")
	s = s.Apply(client.Joined{Room: "tea", Head: comms.Position{Seq: 3}})
	p := pageOf("tea", 3, 1, 2, 3)
	p.Records[1].Content = "ada: look"
	if r := s.WithHistory("tea", p).Room("tea"); r.Unread != 3 || r.Mentions != 1 {
		t.Errorf("%d unread, %d mentions; want 3 and 1", r.Unread, r.Mentions)
	}
	// A join that never came through was no visit.
	s = in("go").Update("new", func(r *Room) { r.Joining = true })
	s = State{User: "ada", Now: noon}.Restore(s.Save()).Apply(client.Joined{Room: "new", Head: comms.Position{Seq: 90}})
	if r := s.Room("new"); r.Unread != 0 || r.Read != 90 {
		t.Errorf("a first visit: %d unread, read %d", r.Unread, r.Read)
	}
}

// TestComingAndGoingMovesNothing: the line of joins and leaves that is not
// needed any more goes from below the screen, and what is on it stays.
func TestComingAndGoingMovesNothing(t *testing.T) {
	s := in("go").WithHistory("go", pageOf("go", 9, 1, 2, 3, 4, 5, 6, 7, 8, 9))
	s = s.Update("go", func(r *Room) { r.Scroll = 3 })
	for range 4 {
		s = s.Apply(client.Presence{Room: "go", Joined: []string{"eve"}}).Apply(client.Presence{Room: "go", Left: []string{"eve"}})
	}
	if r := s.Room("go"); r.Scroll != 3 || len(r.Lines) != 9 {
		t.Errorf("scroll %d of %d lines, want 3 of 9", r.Scroll, len(r.Lines))
	}
	// If nothing else was below, the end shows again, and is read.
	s = s.Update("go", func(r *Room) { r.Scroll = 1 }).Apply(said("go", "bob", "new", 10))
	s = s.Apply(client.Presence{Room: "go", Joined: []string{"eve"}}).Update("go", (*Room).ToEnd)
	s = s.Apply(client.Presence{Room: "go", Left: []string{"eve"}})
	if r := s.Room("go"); r.Scroll != 0 || r.Unread != 0 || r.Read != 10 {
		t.Errorf("scroll %d, %d unread, read %d", r.Scroll, r.Unread, r.Read)
	}
}

// TestScrolledRoomsStayBounded: a place further up is kept for long, not for
// ever.
func TestScrolledRoomsStayBounded(t *testing.T) {
	var seqs []uint64
	for seq := uint64(1); seq <= 100; seq++ {
		seqs = append(seqs, seq)
	}
	s := in("go").WithHistory("go", pageOf("go", 100, seqs...)).Apply(client.Joined{Room: "tea"}).WithHistory("tea", pageOf("tea", 100, seqs...))
	for _, room := range []string{"go", "tea"} {
		s = s.Update(room, func(r *Room) { r.ScrollTo(50, 0) })
	}
	bottom := func(room string) uint64 { r := s.Room(room); return r.Lines[len(r.Lines)-1-r.Scroll].Seq }
	for seq := uint64(101); seq <= 60_000; seq++ {
		s = s.Apply(said("tea", "bob", "x", seq)).Apply(said("go", "bob", "x", seq))
		if at := bottom("go"); seq == 50_000 && at != 50 {
			t.Errorf("in the open room %d became the bottom", at)
		}
		if at := bottom("tea"); seq == 5000 && at != 50 {
			t.Errorf("in another room %d became the bottom", at)
		}
	}
	for room, most := range map[string]int{"go": 10 * maxLines * 11 / 10, "tea": 10 * maxOther * 11 / 10} {
		if r := s.Room(room); len(r.Lines) > most || r.Scroll >= len(r.Lines) || r.Lines[len(r.Lines)-1].Seq != 60_000 {
			t.Errorf("#%s: %d lines, scroll %d", room, len(r.Lines), r.Scroll)
		}
	}
}

// TestTheLineOfNewMessagesCountsThem, those too that come while one looks.
func TestTheLineOfNewMessagesCountsThem(t *testing.T) {
	s := in("go").Apply(client.Joined{Room: "tea", Head: comms.Position{Seq: 3}}).Apply(said("tea", "bob", "one", 4)).Apply(said("tea", "bob", "two", 5)).Open("tea")
	for seq := uint64(6); seq <= 11; seq++ {
		s = s.Apply(said("tea", "bob", "more", seq))
	}
	if r := s.Room("tea"); r.Marker != 3 || r.New != 8 {
		t.Errorf("%d new behind #%d", r.New, r.Marker)
	}
	// Without the line there is none to count.
	if s = s.Open("go").Open("tea").Apply(said("tea", "bob", "and on", 12)); s.Room("tea").New != 0 {
		t.Errorf("%d new, of which all were seen", s.Room("tea").New)
	}
}
