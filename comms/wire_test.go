package comms

import (
	"errors"
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/golden.txt anew")

// samples has one filled value of every type, and the ancestor's forms.
func samples() (commands []Command, events []Event) {
	commands = []Command{
		Hello{Version: 1, User: "ada", Ticket: "1.client.ada.1.x", As: AsMember, Name: "s1", Boot: "b1"},
		Hello{Version: 1, User: "ada"},
		JoinRoom{Room: "general"}, JoinRoom{Room: "general", After: &Position{Seq: 17, Epoch: 3}}, JoinRoom{Room: "general", After: &Position{}},
		LeaveRoom{Room: "general"},
		SendMessage{Room: "general", Content: "hello"},
		SendMessage{Room: "general", Content: "a \"b\" \\ <c> \n\t \u2028 é", ID: "x.1", Again: true, Seen: 9},
		SetTopic{Room: "go", Topic: "gophers", ID: "x.2", Again: true, Seen: 4},
		Quit{}, History{Room: "go", Before: 5, Limit: 50, Tag: "t"}, History{Room: "go", From: 1, Limit: 500},
		CreateRoom{Room: "new", Description: "fresh"}, ListRooms{Prefix: "g", After: "go", Limit: 10, Tag: "t"}, ListRooms{},
		Locate{Room: "go"}, Locate{Room: "go", At: "h:1"}, Ping{N: 1}, Pong{N: 2}, Renew{}, Status{}, Drain{Name: "s1"},
		Yield{Partition: 3, Name: "s1", Boot: "b"}, Offer{Partition: 3, Draining: true}, WatchRooms{},
	}
	events = []Event{
		LoginSuccessful{Session: "sid", User: "a1b2c", Rooms: []Room{{"general", "General discussions"}}},
		LoginSuccessful{Session: "sid", User: "a1b2c"},
		RoomParticipation{Room: "general", User: "a1b2c", Status: "joined"},
		UserJoinedRoom{Room: "general", Users: []string{"a1b2c", "x9y8z"}},
		UserJoinedRoom{Room: "general", Users: []string{"ada"}, Count: 1, Description: "d", Head: 4, HeadEpoch: 2, Epoch: 3},
		UserJoinedRoom{Room: "general", Silent: true, Head: 4, HeadEpoch: 2, Epoch: 3},
		UserMessage{Room: "general", User: "a1b2c", Content: "hello"},
		UserMessage{Room: "general", User: "ada", Content: "x\x01\u007f<", ID: "x.1", Seq: 12, Epoch: 3, Time: 1700000000000},
		TopicChanged{Room: "go", User: "ada", Topic: "gophers", ID: "x.2", Seq: 13, Epoch: 3, Time: 1},
		HistoryPage{Room: "go", Records: []Record{{KindMessage, 1, 1, "ada", "x.1", 5, "hi"}}, Head: 1, Epoch: 2, More: true, Tag: "t"},
		HistoryCut{Room: "go", At: 7},
		Welcome{Version: 1, Session: "s", User: "ada", Role: "shard", Name: "s1", Boot: "b", Ticket: "t", Expires: 5},
		Welcome{Version: 1, Session: "s", User: "ada", Role: "router", Name: "r1", Boot: "b", Ticket: "t", Expires: 5, Cluster: "c"},
		Ticket{"t", 5}, RoomLeft{"go"}, RoomCreated{"go", "d", 2}, RoomList{Rooms: []Room{{"go", "d"}}, Next: "go", Tag: "t"},
		Presence{Room: "go", Joined: []string{"a"}, Left: []string{"b"}, Count: 2}, PresenceList{"go", []string{"a"}, 1},
		Located{"go", 3, "s1", "h:1", 4}, Redirect{Room: "go", Partition: 3, Shard: "s1", Addr: "h:1", Epoch: 4, ID: "x.1", Retry: 200},
		RoomMoving{3, []string{"go"}, "s2", "h:2"},
		RoomMoved{Partition: 3, Rooms: []string{"go"}, Shard: "s2", Addr: "h:2", Epoch: 5, Spread: 100, Ticket: "t", Expires: 6},
		Error{Code: CodeNotJoined, Message: "m", Room: "go", ID: "x.1", Tag: "t", Retry: 9},
		PingEvent{1}, PongEvent{2}, Goodbye{CodeQuit},
		StatusReport{"px", 271, "ab", []MemberStatus{{"s1", "shard", "active", "h:1", "h:2", "b", 1, 2, 3, false, false}}},
		StatusReport{"px", 271, "ab", []MemberStatus{{"s1", "shard", "active", "h:1", "h:2", "b", 0, 0, 0, true, false}}},
		StatusReport{"px", 271, "ab", []MemberStatus{{"s1", "shard", "active", "h:1", "h:2", "b", 1, 2, 3, false, true}}},
		DrainProgress{"s1", 2, 3, true}, Yielded{3, YieldQueued}, Offered{3, true}, RoomReport{3, []Room{{"go", "d"}}, true, true},
	}
	return commands, events
}

func TestGoldenBytesOfEveryType(t *testing.T) {
	commands, events := samples()
	var got []byte
	for _, c := range commands {
		got = AppendCommand(got, c)
	}
	for _, e := range events {
		got = AppendEvent(got, e)
	}
	if *update {
		if err := os.WriteFile("testdata/golden.txt", got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/golden.txt")
	if err != nil {
		t.Fatal(err)
	}
	gotLines, wantLines := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
	for i := range min(len(gotLines), len(wantLines)) {
		if gotLines[i] != wantLines[i] {
			t.Errorf("line %d\n got %s\nwant %s", i+1, gotLines[i], wantLines[i])
		}
	}
	if len(gotLines) != len(wantLines) {
		t.Errorf("%d lines, want %d", len(gotLines), len(wantLines))
	}
}

func TestEveryTypeHasASampleAndComesBackAsItWent(t *testing.T) {
	commands, events := samples()
	for _, c := range commands {
		got, err := DecodeCommand(AppendCommand(nil, c))
		if err != nil || !reflect.DeepEqual(got, c) {
			t.Errorf("%#v came back as %#v, %v", c, got, err)
		}
	}
	for _, e := range events {
		got, err := DecodeEvent(AppendEvent(nil, e))
		if err != nil {
			t.Errorf("%#v: %v", e, err)
			continue
		}
		// A nil list and an empty one are the same on the wire.
		if again := AppendEvent(nil, got); string(again) != string(AppendEvent(nil, e)) {
			t.Errorf("%#v came back as %#v", e, got)
		}
	}
}

func TestAncestorBytes(t *testing.T) {
	for want, line := range map[string][]byte{
		`{"_ct":"join_room","r":"general"}`:                                   AppendCommand(nil, JoinRoom{Room: "general"}),
		`{"_ct":"leave_room","r":"general"}`:                                  AppendCommand(nil, LeaveRoom{Room: "general"}),
		`{"_ct":"send_message","r":"general","c":"hello"}`:                    AppendCommand(nil, SendMessage{Room: "general", Content: "hello"}),
		`{"_ct":"quit"}`:                                                      AppendCommand(nil, Quit{}),
		`{"_et":"room_participation","r":"general","u":"a1b2c","s":"joined"}`: AppendEvent(nil, RoomParticipation{"general", "a1b2c", "joined"}),
		`{"_et":"user_joined_room","r":"general","us":["a1b2c","x9y8z"]}`:     AppendEvent(nil, UserJoinedRoom{Room: "general", Users: []string{"a1b2c", "x9y8z"}}),
		`{"_et":"user_message","r":"general","u":"a1b2c","c":"hello"}`:        AppendEvent(nil, UserMessage{Room: "general", User: "a1b2c", Content: "hello"}),
		`{"_et":"login_successful","s":"<session id>","u":"<user id>","rs":[{"n":"general","d":"General discussions"}]}`: AppendEvent(nil, LoginSuccessful{"<session id>", "<user id>", []Room{{"general", "General discussions"}}}),
	} {
		if string(line) != want+"\r\n" {
			t.Errorf("got %q, want %q and CR LF", line, want)
		}
	}
}

func TestAppendMessageAllocatesNothing(t *testing.T) {
	m := UserMessage{Room: "general", User: "ada", Content: "twenty-one bytes here", ID: "AAAAAAAAAAAAAAAA.1", Seq: 12345, Epoch: 7, Time: 1700000000000}
	buf := make([]byte, 0, 512)
	if n := testing.AllocsPerRun(100, func() { buf = AppendMessage(buf[:0], &m) }); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func TestBadLinesAreRefusedWithTheirCode(t *testing.T) {
	for name, c := range map[string]struct{ line, code string }{
		"empty":                   {"", CodeNotJSON},
		"not JSON":                {"hello", CodeNotJSON},
		"an array":                {`["_ct"]`, CodeNotJSON},
		"unfinished":              {`{"_ct":"quit"`, CodeNotJSON},
		"trailing bytes":          {`{"_ct":"quit"} x`, CodeNotJSON},
		"too deep":                {`{"_ct":"quit","x":` + strings.Repeat("[", 10000) + strings.Repeat("]", 10000) + `}`, CodeNotJSON},
		"raw control in a string": {"{\"_ct\":\"qu\x01it\"}", CodeNotJSON},
		"leading zero":            {`{"_ct":"ping","n":01}`, CodeNotJSON},
		"not UTF-8":               {"{\"_ct\":\"quit\xff\"}", CodeNotUTF8},
		"overlong":                {"{\"_ct\":\"\xc0\xaf\"}", CodeNotUTF8},
		"lone surrogate":          {`{"_ct":"send_message","r":"go","c":"\ud800"}`, CodeNotUTF8},
		"low surrogate":           {`{"_ct":"send_message","r":"go","c":"\udc00x"}`, CodeNotUTF8},
		"unknown type":            {`{"_ct":"fly"}`, CodeUnknownType},
		"no type":                 {`{"r":"go"}`, CodeUnknownType},
		"type not a string":       {`{"_ct":1}`, CodeUnknownType},
		"repeated key":            {`{"_ct":"join_room","r":"a","r":"b"}`, CodeBadField},
		"room not a string":       {`{"_ct":"join_room","r":1}`, CodeBadField},
		"number as string":        {`{"_ct":"ping","n":"12"}`, CodeBadField},
		"negative":                {`{"_ct":"ping","n":-1}`, CodeBadField},
		"fraction":                {`{"_ct":"ping","n":1.5}`, CodeBadField},
		"exponent":                {`{"_ct":"ping","n":1e400}`, CodeBadField},
		"beyond 2^53":             {`{"_ct":"ping","n":9007199254740993}`, CodeBadField},
		"2^63":                    {`{"_ct":"ping","n":9223372036854775808}`, CodeBadField},
		"after not an object":     {`{"_ct":"join_room","r":"go","after":3}`, CodeBadField},
		"empty room":              {`{"_ct":"join_room","r":""}`, CodeBadRoom},
		"upper case room":         {`{"_ct":"join_room","r":"Go"}`, CodeBadRoom},
		"room of 65":              {`{"_ct":"join_room","r":"` + strings.Repeat("a", 65) + `"}`, CodeBadRoom},
		"user of 33":              {`{"_ct":"hello","v":1,"u":"` + strings.Repeat("a", 33) + `"}`, CodeBadUser},
		"homoglyph user":          {`{"_ct":"hello","v":1,"u":"аda"}`, CodeBadUser},
		"unknown role":            {`{"_ct":"hello","v":1,"as":"king"}`, CodeBadField},
		"empty content":           {`{"_ct":"send_message","r":"go","c":""}`, CodeBadContent},
		"escape character":        {`{"_ct":"send_message","r":"go","c":"\u001b[2J"}`, CodeBadContent},
		"C1":                      {`{"_ct":"send_message","r":"go","c":"\u009b"}`, CodeBadContent},
		"carriage return":         {`{"_ct":"send_message","r":"go","c":"a\rb"}`, CodeBadContent},
		"content over 16 KiB":     {`{"_ct":"send_message","r":"go","c":"` + strings.Repeat("a", MaxContent+1) + `"}`, CodeTooLong},
		"bad id":                  {`{"_ct":"send_message","r":"go","c":"x","id":"a b"}`, CodeBadID},
		"newline in description":  {`{"_ct":"create_room","r":"go","d":"a\nb"}`, CodeBadContent},
		"page of 0":               {`{"_ct":"history","r":"go","n":0}`, CodeBadRange},
		"page of 10^9":            {`{"_ct":"history","r":"go","n":1000000000}`, CodeBadRange},
		"both ends of a history":  {`{"_ct":"history","r":"go","n":1,"before":3,"from":1}`, CodeBadRange},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := DecodeCommand([]byte(c.line))
			var e *Error
			if !errors.As(err, &e) || e.Code != c.code {
				t.Fatalf("got %#v, %v (%+v); want code %s", got, err, e, c.code)
			}
		})
	}
}

func TestRefusalNamesRoomAndID(t *testing.T) {
	_, err := DecodeCommand([]byte(`{"_ct":"send_message","r":"go","c":"","id":"x.7"}`))
	if e := AsError(err); e.Room != "go" || e.ID != "x.7" {
		t.Errorf("got %+v", e)
	}
}

func TestUnknownFieldsAreSkipped(t *testing.T) {
	line := `{"new":{"a":[1,{"b":null}]},"_ct":"join_room","r":"go","x":true,"R":"no"}` + "\r\n"
	got, err := DecodeCommand([]byte(line))
	if err != nil || !reflect.DeepEqual(got, JoinRoom{Room: "go"}) {
		t.Errorf("got %#v, %v", got, err)
	}
	if e, err := DecodeEvent([]byte(`{"_et":"later"}`)); e != nil || err != nil {
		t.Errorf("unknown event: got %v, %v; want to be skipped", e, err)
	}
}

// TestWordsThatWereNeverSpokenAreTaken: the protocol once had them, and another
// program may have been written by it.
func TestWordsThatWereNeverSpokenAreTaken(t *testing.T) {
	hello, err := DecodeCommand([]byte(`{"_ct":"hello","v":1,"u":"ada","features":["f"]}`))
	if want := (Hello{Version: 1, User: "ada"}); err != nil || hello != want {
		t.Errorf("hello: %#v, %v", hello, err)
	}
	for _, line := range []string{
		`{"_et":"welcome","v":1,"s":"s","u":"ada","role":"shard","name":"s1","boot":"b","features":["f"]}`,
		`{"_et":"goodbye","reason":"slow","retry":5}`, `{"_et":"goodbye","reason":"replaced","retry":5}`,
	} {
		if e, err := DecodeEvent([]byte(line)); e == nil || err != nil {
			t.Errorf("%s: %#v, %v", line, e, err)
		}
	}
}

// FuzzViewSend holds the decoder of the hot path to the general one: what it
// takes must mean the same.
func FuzzViewSend(f *testing.F) {
	for _, line := range []string{
		`{"_ct":"send_message","r":"go","c":"hello","id":"a-1"}`,
		`{"_ct":"send_message","r":"go","c":"日本","id":"a.1","again":true,"seen":17}`,
		`{ "c":"x" , "id":"1","_ct":"send_message","r":"go"}`,
		`{"_ct":"send_message","r":"go","r":"tea","c":"twice","id":"a"}`,
		`{"_ct":"send_message","r":"go","c":"a\\n","id":"a"}`,
		`{"_ct":"send_message","r":"go","c":"a","id":"a","seen":1e3}`,
		`{"_ct":"quit"}`,
	} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		v, ok := ViewSend(line)
		if !ok {
			return
		}
		got := SendMessage{Room: string(v.Room), Content: string(v.Content), ID: string(v.ID), Again: v.Again, Seen: v.Seen}
		want, err := DecodeCommand(line)
		if err != nil || want != Command(got) {
			t.Fatalf("%q: viewed as %+v, decoded as %+v, %v", line, got, want, err)
		}
	})
}

// TestViewSendTakesWhatClientsSend: otherwise the hot path would be nobody's.
func TestViewSendTakesWhatClientsSend(t *testing.T) {
	for _, c := range []SendMessage{
		{Room: "go", Content: "hello", ID: "a-1"},
		{Room: "go", Content: "日本 👩‍👩‍👧", ID: "a-1", Again: true, Seen: 17},
	} {
		line := AppendCommand(nil, c)
		v, ok := ViewSend(line)
		if !ok || string(v.Room) != c.Room || string(v.Content) != c.Content || string(v.ID) != c.ID || v.Again != c.Again || v.Seen != c.Seen {
			t.Errorf("%s: %+v, %t", line, v, ok)
		}
		if n := testing.AllocsPerRun(100, func() { ViewSend(line) }); n != 0 {
			t.Errorf("%s: %g allocations", line, n)
		}
	}
}

func FuzzDecodeCommand(f *testing.F) {
	commands, _ := samples()
	for _, c := range commands {
		f.Add(AppendCommand(nil, c))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		c, err := DecodeCommand(line)
		if err != nil {
			if AsError(err).Code == CodeInternal {
				t.Fatalf("%q: error without a code: %v", line, err)
			}
			return
		}
		again, err := DecodeCommand(AppendCommand(nil, c))
		if err != nil || string(AppendCommand(nil, again)) != string(AppendCommand(nil, c)) {
			t.Fatalf("%#v came back as %#v, %v", c, again, err)
		}
	})
}

func FuzzDecodeEvent(f *testing.F) {
	_, events := samples()
	for _, e := range events {
		f.Add(AppendEvent(nil, e))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		e, err := DecodeEvent(line)
		if err != nil || e == nil {
			return
		}
		again, err := DecodeEvent(AppendEvent(nil, e))
		if err != nil || string(AppendEvent(nil, again)) != string(AppendEvent(nil, e)) {
			t.Fatalf("%#v came back as %#v, %v", e, again, err)
		}
	})
}

func BenchmarkAppendMessage(b *testing.B) {
	m := UserMessage{Room: "general", User: "ada", Content: "twenty-one bytes here", ID: "AAAAAAAAAAAAAAAA.1", Seq: 12345, Epoch: 7, Time: 1700000000000}
	buf := make([]byte, 0, 512)
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendMessage(buf[:0], &m)
	}
}

func BenchmarkDecodeSendMessage(b *testing.B) {
	line := AppendCommand(nil, SendMessage{Room: "general", Content: "twenty-one bytes here", ID: "AAAAAAAAAAAAAAAA.1"})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeCommand(line); err != nil {
			b.Fatal(err)
		}
	}
}
