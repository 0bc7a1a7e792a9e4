package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"positivity-exchange/comms"
	"positivity-exchange/membership"
)

func TestBadCommandLines(t *testing.T) {
	dir := t.TempDir()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	rooms := filepath.Join(dir, "rooms.json")
	if err := os.WriteFile(rooms, []byte(`[{"name":"a"},{"name":"a"}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"unknown command":  {[]string{"fly"}, exitUsage, `"fly"`},
		"unknown flag":     {[]string{"status", "--fly"}, exitUsage, "-fly"},
		"extra argument":   {[]string{"status", "x"}, exitUsage, `"x"`},
		"send nowhere":     {[]string{"send", "hi"}, exitUsage, "px send needs --room"},
		"room behind it":   {[]string{"send", "hi", "--room", "go"}, exitUsage, "stands in the text"},
		"tail nowhere":     {[]string{"tail"}, exitUsage, "px tail needs --room"},
		"no shard's name":  {[]string{"shard", "--data", dir}, exitUsage, "px shard needs --name"},
		"bad log level":    {[]string{"shard", "--name", "s1", "--log-level", "loud"}, exitUsage, "loud"},
		"bad shard name":   {[]string{"shard", "--name", "S 1", "--data", dir}, exitUsage, `"S 1": use 1 to 32 of a-z`},
		"port in use":      {[]string{"shard", "--name", "s1", "--data", dir, "--listen", taken.Addr().String()}, exitFailed, "px: --listen " + taken.Addr().String() + ": address already in use: name another, or port 0 for any free one\n"},
		"HTTP port in use": {[]string{"router", "--data", dir, "--listen", "127.0.0.1:0", "--http", taken.Addr().String()}, exitFailed, "px: --http " + taken.Addr().String() + ": address already in use"},
		"rooms file":       {[]string{"shard", "--name", "s1", "--data", dir, "--rooms", rooms}, exitFailed, "twice"},
		"no rooms file":    {[]string{"shard", "--name", "s1", "--data", dir, "--rooms", rooms + "x"}, exitFailed, "rooms.jsonx"},
		"data is a file":   {[]string{"shard", "--name", "s1", "--data", rooms}, exitFailed, "data directory"},
		"bad sync":         {[]string{"shard", "--name", "s1", "--data", dir, "--sync", "maybe"}, exitUsage, `"maybe": use normal or full`},
		"not an address":   {[]string{"shard", "--name", "s1", "--data", dir, "--listen", "0.0.0.0:0"}, exitFailed, "0.0.0.0:0 is no address that others can reach: add --advertise HOST"},
		"other's gossip":   {[]string{"shard", "--name", "s1", "--data", dir, "--gossip", "nowhere"}, exitUsage, `"nowhere": use host:port`},
		"a log nowhere":    {[]string{"router", "--data", dir, "--log", "foo"}, exitUsage, `"foo": use nats://`},
		"a log elsewhere":  {[]string{"router", "--data", dir, "--log", "http://127.0.0.1"}, exitUsage, "use nats://"},
		"no shards":        {[]string{"up", "--no-client", "--data", dir, "--shards", "0"}, exitUsage, "--shards 0: use 1 to 271"},
		"too many shards":  {[]string{"up", "--no-client", "--data", dir, "--shards", "272"}, exitUsage, "use 1 to 271"},
		"bad listen":       {[]string{"router", "--data", dir, "--listen", "nonsense"}, exitUsage, `"nonsense": use host:port`},
		"no such port":     {[]string{"router", "--data", dir, "--http", "127.0.0.1:99999"}, exitUsage, "use host:port"},
		"gossip's port":    {[]string{"router", "--data", dir, "--gossip", "127.0.0.1"}, exitUsage, "use host:port"},
		"bad advertise":    {[]string{"shard", "--name", "s1", "--data", dir, "--advertise", "bad:host:name"}, exitUsage, "bad:host:name"},
		"bad join":         {[]string{"shard", "--name", "s1", "--data", dir, "--join", "a:1,nonsense:abc:1"}, exitUsage, `--join "nonsense:abc:1"`},
		"bad user":         {[]string{"send", "--room", "go", "--user", "Bob", "hi"}, exitUsage, `"Bob" is no user name`},
		"negative time":    {[]string{"send", "--room", "go", "--timeout", "-1s", "hi"}, exitUsage, "--timeout -1s: a time is not negative"},
		"a time of what":   {[]string{"send", "--room", "go", "--timeout", "1", "hi"}, exitUsage, "--timeout \"1\": use a time like 5s, 2m or 1h30m"},
		"no number":        {[]string{"tail", "--room", "go", "--count", "x"}, exitUsage, "--count \"x\": use a whole number"},
		"no yes and no":    {[]string{"status", "--json=yes"}, exitUsage, "--json \"yes\": use true or false"},
		"since before":     {[]string{"tail", "--room", "go", "--since", "-5"}, exitUsage, "--since -5: leave it out for what is new alone"},
		"less than none":   {[]string{"tail", "--room", "go", "--count", "-3"}, exitUsage, "--count -3: leave it out for no end"},
		"before it began":  {[]string{"stress", "fanout", "--duration", "-1s"}, exitUsage, "--duration -1s"},
		"no NATS":          {[]string{"shard", "--name", "s1", "--data", dir, "--nats-replicas", "3"}, exitUsage, "--nats-replicas is about NATS"},
		"no partition":     {[]string{"export", "--data", dir, "--leave-out", "271", "x"}, exitUsage, "--leave-out 271: there are partitions 0 to 270"},
		"no NATS either":   {[]string{"export", "--data", dir, "--nats-creds", rooms, "x"}, exitUsage, "--nats-creds is about NATS"},
		"no data":          {[]string{"shard", "--name", "s1", "--data", ""}, exitUsage, `--data "": name a directory`},
		"send to no room":  {[]string{"send", "--room", "Bad Room", "hi"}, exitUsage, `"Bad Room" is no room name`},
		"send nothing":     {[]string{"send", "--room", "go", ""}, exitUsage, "nothing in the text"},
		"send blanks":      {[]string{"send", "--room", "go", " ", "\t"}, exitUsage, "nothing in the text"},
		"tail of no room":  {[]string{"tail", "--room", "##go"}, exitUsage, `"#go" is no room name`},
		"where no room":    {[]string{"where", "Go"}, exitUsage, `"Go" is no room name`},
		"rooms of no name": {[]string{"rooms", "--prefix", "GO"}, exitUsage, `"GO" is no room name`},
		"rooms of no text": {[]string{"rooms", "--prefix", "\xff"}, exitUsage, "no room's name begins so"},
		"create no room":   {[]string{"create", "#"}, exitUsage, `"" is no room name`},
		"open no room":     {[]string{"client", "--room", "Bad Room"}, exitUsage, `"Bad Room" is no room name`},
		"no address":       {[]string{"status", "--router", "a:b:c"}, exitUsage, `"a:b:c" is no router's address`},
		"no plain address": {[]string{"client", "--plain", "--router", "http://x:1"}, exitUsage, `"http://x:1" is no router's address`},
	} {
		t.Run(name, func(t *testing.T) {
			out, errs, code := px(c.args...)
			if code != c.code || out != "" || !strings.Contains(errs, c.want) || strings.Contains(errs, "panic") {
				t.Errorf("ended with %d, %q, %q; want %d and a word of %q", code, out, errs, c.code, c.want)
			}
		})
	}
}

// TestBadVariables are said by their names, since nobody typed a flag.
func TestBadVariables(t *testing.T) {
	for set, want := range map[string]string{
		"PX_NO_CLIENT=yes": "PX_NO_CLIENT \"yes\": use true or false",
		"PX_SHARDS=three":  "PX_SHARDS \"three\": use a whole number",
	} {
		cmd := exec.Command(binary, "up", "--data", t.TempDir())
		cmd.Env = append(os.Environ(), set)
		out, err := cmd.CombinedOutput()
		if err == nil || cmd.ProcessState.ExitCode() != exitUsage || !strings.HasPrefix(string(out), "px: usage: "+want+"; ") {
			t.Errorf("%s: %v, %s", set, err, out)
		}
	}
}

// TestHelpTellsOneDefault of a flag: the library adds those that it sees.
func TestHelpTellsOneDefault(t *testing.T) {
	for _, command := range newApp().Commands {
		out, _, _ := px(command.Name, "--help")
		for line := range strings.Lines(out) {
			if strings.Count(line, "(default") > 1 {
				t.Errorf("px %s: %s", command.Name, line)
			}
		}
	}
}

// TestHelpTellsWhatJSONHolds: a script is written by it.
func TestHelpTellsWhatJSONHolds(t *testing.T) {
	dir := t.TempDir()
	startShard(t, dir, "s1")
	router := startRouter(t, dir).addr("client")
	for _, command := range []string{"send --room go hello", "tail --room go --since 0 --count 1", "rooms --prefix gen", "where go", "status", "version"} {
		name, rest, _ := strings.Cut(command, " ")
		cmd := exec.Command(binary, append([]string{name, "--json"}, strings.Fields(rest)...)...)
		cmd.Env = append(os.Environ(), "PX_ROUTER="+router)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("px %s: %v", command, err)
		}
		help, _, _ := px(name, "--help")
		for _, key := range regexp.MustCompile(`"([a-z]+)":`).FindAllStringSubmatch(string(out), -1) {
			if !regexp.MustCompile(`(?s)--json prints.*\b` + key[1] + `\b.*OPTIONS`).MatchString(help) {
				t.Errorf("px %s: %s is not told of", name, key[1])
			}
		}
	}
}

// TestHelpIsGivenAnywhere on a command line that is right or wrong.
func TestHelpIsGivenAnywhere(t *testing.T) {
	for _, line := range []string{"where --help", "where general --help", "stress fanout -h", "send -h hi", "drain --fly s1 --help", "shard --help"} {
		args := strings.Fields(line)
		out, errs, code := px(args...)
		if code != 0 || errs != "" || !strings.Contains(out, "\n   px "+args[0]+" - ") {
			t.Errorf("px %s: %d, %s%s", line, code, out, errs)
		}
	}
}

// TestHelpIsARoomAndAWord: the command-line library takes it for a command.
func TestHelpIsARoomAndAWord(t *testing.T) {
	dir := t.TempDir()
	startShard(t, dir, "s1")
	router := startRouter(t, dir).addr("client")
	if out, errs, code := px("send", "--router", router, "--room", "help", "--json", "help", "me"); code != 0 || !strings.Contains(out, `"seq":1`) {
		t.Errorf("send: %d, %s%s", code, out, errs)
	}
	if out, errs, code := px("where", "help", "--router", router, "--json"); code != 0 || !strings.Contains(out, `"room":"help"`) {
		t.Errorf("where: %d, %s%s", code, out, errs)
	}
	if out, _, code := px("tail", "--router", router, "--room", "help", "--since", "0", "--count", "1"); code != 0 || !strings.Contains(out, "help me") {
		t.Errorf("tail: %d, %s", code, out)
	}
}

// TestRoomsAreNamedAsTheyArePrinted, with a '#', or without.
func TestRoomsAreNamedAsTheyArePrinted(t *testing.T) {
	dir := t.TempDir()
	startShard(t, dir, "s1")
	router := startRouter(t, dir).addr("client")
	for _, c := range []struct {
		input, args, want string
	}{
		{"", "create #our-room", ""},
		{"", "send --room #our-room hello", ""},
		{"", "tail --room #our-room --since 0 --count 1", ": hello\n"},
		{"", "where #our-room", "#our-room is served by s1"},
		{"", "rooms --prefix #our", "#our-room"},
		{"/where\n", "client --plain --room #our-room", "* you are in #our-room"},
	} {
		command, rest, _ := strings.Cut(c.args, " ")
		out, code := pxReading(c.input, append([]string{command, "--router", router}, strings.Fields(rest)...)...)
		if code != 0 || !strings.Contains(out, c.want) {
			t.Errorf("px %s: %d, %s; want %q", c.args, code, out, c.want)
		}
	}
}

// TestWordsOfAMessageAreNoFlags, whatever they look like.
func TestWordsOfAMessageAreNoFlags(t *testing.T) {
	dir := t.TempDir()
	startShard(t, dir, "s1")
	router := startRouter(t, dir).addr("client")
	texts := []string{"try px -h", "room for one", "-- is a dash", "-h", "- or --room rust"}
	for _, text := range texts {
		args := strings.Fields(text)
		if strings.HasPrefix(text, "-") {
			args = append([]string{"--"}, args...)
		}
		if out, errs, code := px(append([]string{"send", "--router", router, "--room", "go"}, args...)...); code != 0 || out != "" {
			t.Errorf("%s: %d, %s%s", text, code, out, errs)
		}
	}
	if got := storedTexts(t, router, "go", len(texts)); !slices.Equal(got, texts) {
		t.Errorf("stored %q, sent %q", got, texts)
	}
}

// TestNoShardIsSaidInWords, not as the library's deadline.
func TestNoShardIsSaidInWords(t *testing.T) {
	t.Parallel() // it waits as long as a command does
	router := startRouter(t, t.TempDir()).addr("client")
	for _, command := range []string{"where", "create"} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			if _, errs, code := px(command, "go", "--router", router); code != exitFailed || errs != "px: #go: no shard answered within 10s; px status shows who is there\n" {
				t.Errorf("%d, %s", code, errs)
			}
		})
	}
}

// TestStatusOfWhatIsNotKnown is a dash: a router asks shards, not the others.
func TestStatusOfWhatIsNotKnown(t *testing.T) {
	dir := t.TempDir()
	startShard(t, dir, "s1")
	asked := startRouter(t, dir).addr("client")
	startRouter(t, dir)
	await(t, "a dash for the other router alone", func() bool {
		out, errs, code := px("status", "--router", asked)
		if code != 0 {
			t.Fatal(errs)
		}
		members := strings.Split(strings.TrimSpace(out), "\n")[3:]
		right := len(members) == 3
		for _, line := range members {
			f := strings.Fields(line)
			known := f[1] == "shard" || f[3] == asked
			right = right && len(f) == 7 && (f[6] == "-") != known
		}
		return right
	})
}

// TestASilentRouterIsSaidInWords, by all that only a router answers.
func TestASilentRouterIsSaidInWords(t *testing.T) {
	t.Parallel() // it waits as long as a command does
	addr := fakeServer(t, func(*comms.Conn, string, comms.Command) {})
	data := t.TempDir()
	if _, _, err := membership.LoadSecret(data, "", ""); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"status", "rooms", "drain s1 --data " + data} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			args := append(strings.Fields(command), "--router", addr)
			if _, errs, code := px(args...); code != exitFailed || errs != "px: the router did not answer within 10s\n" {
				t.Errorf("%d, %s", code, errs)
			}
		})
	}
}

// fakeServer welcomes clients, answers what answer does and nothing else.
func fakeServer(t *testing.T, answer func(conn *comms.Conn, addr string, command comms.Command)) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	addr = ln.Addr().String()
	serve := func(nc net.Conn) {
		conn := comms.NewServerConn(nc, time.Minute)
		defer conn.Close()                                                //nolint:errcheck // it is over either way
		conn.WriteEvent(comms.LoginSuccessful{Session: "s", User: "ada"}) //nolint:errcheck // the read below ends too
		for {
			command, err := conn.ReadCommand()
			if err != nil {
				return
			}
			if hello, ok := command.(comms.Hello); ok {
				conn.WriteEvent(comms.Welcome{Version: comms.Version, User: hello.User, Role: "router", Name: "r1", Boot: "b", Ticket: "t", Expires: time.Now().Add(time.Hour).UnixMilli()}) //nolint:errcheck // the next read ends too
			}
			answer(conn, addr, command)
		}
	}
	go func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			go serve(nc)
		}
	}()
	return addr
}
