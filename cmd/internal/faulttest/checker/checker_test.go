package checker

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// history is lines without their times, which are put before them.
func history(lines ...string) string {
	var b strings.Builder
	for i, line := range lines {
		fmt.Fprintf(&b, "%d %s\n", (i+1)*1000, line)
	}
	return b.String()
}

// clean is a run of one room that moves once, with a reader that reconnects, a
// message without an outcome that is in, and one that is not.
var clean = []string{
	"joined go ann seq=0 epoch=1 owner=s1",                  // 1
	"joined go bob seq=0 epoch=1 owner=s1",                  // 2
	"joined go eve seq=0 epoch=1 owner=s1",                  // 3, the reader
	"send go ann id=a1 hash=a1",                             // 4
	"send go bob id=b1 hash=b1",                             // 5
	"ack go ann id=a1 seq=1 epoch=1",                        // 6
	"deliver go eve seq=1 epoch=1 author=ann id=a1 hash=a1", // 7
	"ack go bob id=b1 seq=2 epoch=1",                        // 8
	"deliver go eve seq=2 epoch=1 author=bob id=b1 hash=b1", // 9
	"fault - kill code=s1",                                  // 10
	"disconnect go eve code=reset",                          // 11
	"send go ann id=a2 hash=a2",                             // 12
	"send go bob id=b2 hash=b2",                             // 13
	"joined go eve seq=2 epoch=2 owner=s2",                  // 14
	"heal - kill",                                           // 15
	"unknown go bob id=b2",                                  // 16
	"ack go ann id=a2 seq=3 epoch=2",                        // 17
	"deliver go eve seq=3 epoch=2 author=ann id=a2 hash=a2", // 18
	"send go bob id=b3 hash=b3",                             // 19
	"error go bob id=b3 code=id_conflict",                   // 20
	"send go ann id=a3 hash=a3",                             // 21
	"unknown go ann id=a3",                                  // 22
	"deliver go eve seq=4 epoch=2 author=ann id=a3 hash=a3", // 23
	"end go eve", // 24
	"final go ada seq=1 epoch=1 author=ann id=a1 hash=a1", // 25
	"final go ada seq=2 epoch=1 author=bob id=b1 hash=b1", // 26
	"final go ada seq=3 epoch=2 author=ann id=a2 hash=a2", // 27
	"final go ada seq=4 epoch=2 author=ann id=a3 hash=a3", // 28
	"read go ada seq=4", // 29
}

func check(t *testing.T, lines []string) *Report {
	t.Helper()
	report, err := Check(strings.NewReader(history(lines...)), Options{})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestACleanHistoryHasNoBreach(t *testing.T) {
	report := check(t, clean)
	for _, b := range report.Breaches {
		t.Error(b)
	}
	if report.Sent != 6 || report.Acked != 3 || report.Unknown != 2 || report.Refused != 1 || report.Moves != 1 || report.Delivered != 4 || report.Unsettled != 0 {
		t.Errorf("counts: %+v", report)
	}
}

// edit changes lines of clean, by number; an empty text drops the line, and
// one that begins with '+' comes after it.
func edit(changes map[int]string) []string {
	var lines []string
	for i, line := range clean {
		change, ok := changes[i+1]
		after, more := strings.CutPrefix(change, "+")
		if !ok || more {
			lines = append(lines, line)
		}
		if ok && change != "" {
			lines = append(lines, after)
		}
	}
	return lines
}

func TestEveryBreachIsCaught(t *testing.T) {
	for name, c := range map[string]struct {
		invariant string
		changes   map[int]string
	}{
		"an acknowledged message is lost":           {I1, map[int]string{27: "", 28: "final go ada seq=3 epoch=2 author=ann id=a3 hash=a3", 18: "", 23: "deliver go eve seq=3 epoch=2 author=ann id=a3 hash=a3", 29: "read go ada seq=3"}},
		"the end is lost":                           {I1, map[int]string{23: "ack go ann id=a3 seq=4 epoch=2", 28: "", 29: "read go ada seq=3"}},
		"acknowledged at another sequence":          {I1, map[int]string{8: "ack go bob id=b1 seq=9 epoch=1"}},
		"acknowledged with other bytes":             {I1, map[int]string{6: "ack go ann id=a1 seq=1 epoch=1 hash=ff"}},
		"stored with other bytes":                   {I1, map[int]string{23: "", 24: "", 28: "final go ada seq=4 epoch=2 author=ann id=a3 hash=ff"}},
		"a reader is told of a cut":                 {I1, map[int]string{16: "+cut go eve seq=1"}},
		"a message is there twice":                  {I2, map[int]string{24: "", 28: "+final go ada seq=5 epoch=2 author=ann id=a1 hash=a1", 29: "read go ada seq=5"}},
		"a refused message is there":                {I2, map[int]string{24: "", 28: "+final go ada seq=5 epoch=2 author=bob id=b3 hash=b3", 29: "read go ada seq=5"}},
		"a message that nobody sent here":           {I2, map[int]string{24: "", 28: "+final go ada seq=5 epoch=2 author=zoe id=z1 hash=1", 29: "read go ada seq=5"}},
		"an acknowledgement of nothing":             {I2, map[int]string{8: "+ack go bob id=b9 seq=3 epoch=1"}},
		"refused and then acknowledged":             {I2, map[int]string{5: "+error go ann id=a1 code=storage"}},
		"a repeat gets another sequence":            {I2, map[int]string{6: "+ack go ann id=a1 seq=2 epoch=1"}},
		"the history has a hole":                    {I3, map[int]string{28: "final go ada seq=5 epoch=2 author=ann id=a3 hash=a3", 23: "", 24: ""}},
		"a stream has a hole":                       {I3, map[int]string{9: ""}},
		"a stream repeats itself":                   {I3, map[int]string{9: "+deliver go eve seq=2 epoch=1 author=bob id=b1 hash=b1"}},
		"a hole across a reconnect":                 {I3, map[int]string{14: "joined go eve seq=2 epoch=2 owner=s2", 18: ""}},
		"a reconnect goes on elsewhere":             {I3, map[int]string{14: "joined go eve seq=1 epoch=2 owner=s2"}},
		"a reader lacks the end":                    {I3, map[int]string{23: ""}},
		"two readers differ":                        {I4, map[int]string{9: "+deliver go eva seq=2 epoch=1 author=bob id=b1 hash=ff"}},
		"a reader has another order":                {I4, map[int]string{7: "deliver go eve seq=1 epoch=1 author=bob id=b1 hash=b1"}},
		"an epoch is told differently":              {I4, map[int]string{9: "deliver go eve seq=2 epoch=2 author=bob id=b1 hash=b1"}},
		"a sender's order is lost":                  {I4, map[int]string{17: "", 18: "deliver go eve seq=3 epoch=2 author=ann id=a3 hash=a3", 23: "deliver go eve seq=4 epoch=2 author=ann id=a2 hash=a2", 27: "final go ada seq=3 epoch=2 author=ann id=a3 hash=a3", 28: "final go ada seq=4 epoch=2 author=ann id=a2 hash=a2"}},
		"sent after it was seen that it came later": {I5, map[int]string{5: "", 9: "+send go bob id=b1 hash=b1"}},
		"the epoch falls":                           {I6, map[int]string{23: "deliver go eve seq=4 epoch=1 author=ann id=a3 hash=a3", 28: "final go ada seq=4 epoch=1 author=ann id=a3 hash=a3"}},
		"an epoch has two owners":                   {I6, map[int]string{15: "+joined go bob seq=0 epoch=2 owner=s3"}},
		"the deposed delivers":                      {I7, map[int]string{23: "+deliver go eve seq=5 epoch=1 author=bob id=b2 hash=b2", 24: ""}},
		"nobody reads the history":                  {Run, map[int]string{29: ""}},
		"the history was read in part":              {Run, map[int]string{29: "read go ada seq=5"}},
		"nothing moves":                             {Run, map[int]string{14: "joined go eve seq=2 epoch=2 owner=s1"}},
	} {
		t.Run(name, func(t *testing.T) {
			report := check(t, edit(c.changes))
			if !slices.ContainsFunc(report.Breaches, func(b Breach) bool { return b.Invariant == c.invariant }) {
				t.Errorf("want %s, got %v", c.invariant, report.Breaches)
			}
		})
	}
}

func TestAnEmptyRunIsABreach(t *testing.T) {
	report := check(t, nil)
	if len(report.Breaches) != 2 {
		t.Errorf("want breaches for no messages and no moves: %v", report.Breaches)
	}
	if report, _ := Check(strings.NewReader(""), Options{FewestMoves: -1, FewestSends: -1}); report.Breached != 0 {
		t.Errorf("not asked for any: %v", report.Breaches)
	}
}

func TestTimeMustNotGoBack(t *testing.T) {
	c := New(Options{FewestMoves: -1, FewestSends: -1})
	c.Add(Event{Time: 5, Kind: Fault, Who: "kill"})
	c.Add(Event{Time: 4, Kind: Heal, Who: "kill"})
	if report := c.Finish(); report.Breached != 1 || report.Breaches[0].Invariant != Run {
		t.Errorf("got %v", report.Breaches)
	}
}

func TestRoomsOfAPartitionShareTheirEpochs(t *testing.T) {
	lines := []string{"joined a ann epoch=1 owner=s1", "joined b ann epoch=1 owner=s2", "read a ada", "read b ada"}
	for _, c := range []struct {
		partition func(string) int
		want      int
	}{{nil, 0}, {func(string) int { return 7 }, 1}} {
		report, err := Check(strings.NewReader(history(lines...)), Options{PartitionOf: c.partition, FewestMoves: -1, FewestSends: -1})
		if err != nil || report.Breached != c.want {
			t.Errorf("got %v, %v; want %d breaches", report.Breaches, err, c.want)
		}
	}
}

func TestBreachesAreCountedAndTheFirstListed(t *testing.T) {
	lines := slices.Clone(clean)
	for range 10 {
		lines = slices.Insert(lines, 16, "cut go eve seq=1")
	}
	report := check(t, lines)
	if report.Breached != 10 || len(report.Breaches) != perKind {
		t.Errorf("%d breaches, %d listed; want 10 and %d", report.Breached, len(report.Breaches), perKind)
	}
}

func TestABreachQuotesItsLines(t *testing.T) {
	text := history(edit(map[int]string{9: ""})...)
	report, err := Check(strings.NewReader(text), Options{})
	if err != nil || len(report.Breaches) == 0 {
		t.Fatalf("%v, %v", report, err)
	}
	if err := Quote(strings.NewReader(text), report.Breaches); err != nil {
		t.Fatal(err)
	}
	got := report.Breaches[0].String()
	if !strings.Contains(got, "\n    > 13: 13000 joined go eve seq=2") || !strings.Contains(got, "\n      14: ") || strings.Count(got, "\n") > quoted {
		t.Errorf("quoted: %s", got)
	}
}

func TestPauseIsWhatTheEventAdds(t *testing.T) {
	c := New(Options{FewestMoves: -1})
	ms := int64(time.Millisecond)
	// 20 messages a second for 20 s, each acknowledged after 5 ms; those due
	// between 10 s and 10.4 s only at 10.4 s, when the room has moved.
	type at struct {
		time int64
		e    Event
	}
	var events []at
	add := func(time int64, e Event) { e.Time = time; events = append(events, at{time, e}) }
	add(0, Event{Kind: Joined, Room: "go", Who: "ann", Epoch: 1, Owner: "s1"})
	add(10_000*ms-1, Event{Kind: Fault, Who: "kill"})
	add(10_400*ms-1, Event{Kind: Joined, Room: "go", Who: "ann", Epoch: 2, Owner: "s2"})
	add(10_401*ms, Event{Kind: Heal, Who: "kill"})
	for i := range int64(400) {
		due := i * 50 * ms
		acked := due + 5*ms
		if due >= 10_000*ms && due < 10_400*ms {
			acked = 10_400 * ms
		}
		id := fmt.Sprint(i)
		add(due, Event{Kind: Send, Room: "go", Who: "ann", ID: id, Due: due})
		add(acked, Event{Kind: Ack, Room: "go", Who: "ann", ID: id, Seq: uint64(i + 1), Epoch: 1})
	}
	slices.SortStableFunc(events, func(a, b at) int { return int(a.time - b.time) })
	for _, e := range events {
		c.Add(e.e)
	}
	pauses := c.Finish().Pauses(func(string) bool { return true })
	if len(pauses) != 1 || pauses[0].Took != 395*time.Millisecond || pauses[0].Base != 5*time.Millisecond || !pauses[0].Moved || pauses[0].Event.Name != "kill" {
		t.Errorf("got %+v, want one pause of 395 ms over a base of 5 ms", pauses)
	}
	if pauses := c.Finish().Pauses(func(string) bool { return false }); len(pauses) != 2 {
		t.Errorf("got %+v, want the move listed too", pauses)
	}
}
