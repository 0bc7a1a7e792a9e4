package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"positivity-exchange/comms"
)

// hostileServer is a router and a shard in one that sends what no real server
// would let pass.
type hostileServer struct {
	listener net.Listener
	texts    []string
	wg       sync.WaitGroup
}

func newHostileServer(t testing.TB, texts []string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &hostileServer{listener: listener, texts: texts}
	var mu sync.Mutex
	var conns []*comms.Conn
	h.wg.Go(func() {
		for {
			nc, err := listener.Accept()
			if err != nil {
				return
			}
			conn := comms.NewServerConn(nc, time.Minute)
			mu.Lock()
			conns = append(conns, conn)
			mu.Unlock()
			h.wg.Go(func() { h.serve(conn) })
		}
	})
	t.Cleanup(func() {
		listener.Close() //nolint:errcheck // it is over
		mu.Lock()
		for _, conn := range conns {
			conn.Close() //nolint:errcheck // it is over
		}
		mu.Unlock()
		h.wg.Wait()
	})
	return listener.Addr().String()
}

func (h *hostileServer) serve(conn *comms.Conn) {
	defer conn.Close() //nolint:errcheck // it is over
	for {
		command, err := conn.ReadCommand()
		if err != nil {
			return
		}
		if err := conn.WriteEvent(h.answer(command)...); err != nil {
			return
		}
	}
}

func (h *hostileServer) answer(command comms.Command) (events []comms.Event) {
	last := uint64(2 * len(h.texts))
	switch c := command.(type) {
	case comms.Hello:
		return []comms.Event{comms.Welcome{Version: comms.Version, Session: "s", User: c.User, Name: "evil", Boot: "b", Ticket: "t"}}
	case comms.Locate:
		return []comms.Event{comms.Located{Room: c.Room, Shard: "evil", Addr: h.listener.Addr().String()}}
	case comms.ListRooms:
		list := comms.RoomList{Tag: c.Tag, Rooms: []comms.Room{{Name: "general"}}}
		for _, text := range h.texts {
			list.Rooms = append(list.Rooms, comms.Room{Name: text, Description: text}, comms.Room{Name: "go", Description: text})
		}
		return []comms.Event{list}
	case comms.JoinRoom:
		return []comms.Event{comms.UserJoinedRoom{Room: c.Room, Users: append([]string{"ada"}, h.texts...), Count: 1, Description: strings.Join(h.texts, " "), Head: last, HeadEpoch: 1, Epoch: 1}}
	case comms.History:
		p := comms.HistoryPage{Room: c.Room, Tag: c.Tag, Head: last}
		for i, text := range h.texts {
			seq := uint64(2*i + 1)
			p.Records = append(p.Records,
				comms.Record{Kind: comms.KindMessage, Seq: seq, Epoch: 1, User: text, ID: text, Time: 1_764_000_000_000, Content: text},
				comms.Record{Kind: comms.KindTopic, Seq: seq + 1, Epoch: 1, User: text, ID: text, Time: 1_764_000_000_000, Content: text})
		}
		return []comms.Event{p}
	case comms.SendMessage:
		events := []comms.Event{comms.Presence{Room: c.Room, Joined: h.texts, Count: 9}}
		for i, text := range h.texts {
			events = append(events, comms.UserMessage{Room: "go", User: text, ID: text, Content: "@ada " + text, Seq: last + 1 + uint64(i), Epoch: 1, Time: 1_764_000_000_000}) // notified of
			events = append(events, comms.UserMessage{Room: c.Room, User: text, ID: text, Content: "@ada " + text, Seq: last + 1 + uint64(i), Epoch: 1, Time: 1_764_000_000_000})
		}
		return append(events, comms.UserMessage{Room: c.Room, User: "ada", ID: c.ID, Content: c.Content, Seq: last + 1 + uint64(len(h.texts)), Epoch: 1, Time: 1_764_000_000_000})
	}
	return nil
}

// hostileTexts have moved, named, copied into or broken terminals.
func hostileTexts() []string {
	var every strings.Builder
	for r := rune(0); r <= 0x9f; r++ {
		every.WriteRune(r)
	}
	return []string{
		every.String(),
		"\x1b[2J\x1b[H\x1b[31mred\x1b[?1049l\x1bc",
		"\x1b]0;owned\x07\x1b]2;owned\x1b\\\x1bkowned\x1b\\",
		"\x1b]52;c;b3duZWQ=\x07\x1b]52;p;b3duZWQ=\x1b\\",
		"\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\",
		"\x1bPtmux;\x1b\x1b]52;c;b3duZWQ=\x07\x1b\\",
		"\u009b2J\u009d0;owned\u009c\u009d52;c;b3duZWQ=\u009c",
		"\u202egnitset\u202c \u2066a\u2069 \u200fb\u061c",
		"e" + strings.Repeat("\u0301", 10_000),
		strings.Repeat("\u0489", 10_000),
		strings.Repeat("👩‍👩‍👧", 50) + strings.Repeat("🇩🇪", 30) + strings.Repeat("日本", 50),
		"a\r\nb\tc\vd\fe\x00\x7f\u200b\u2060\ufeff",
	}
}

// TestHostileTextInARealTerminal shows it all and compares what the terminal
// has then: its screen's parts in their places, its title ours, its clipboard as
// it was.
func TestHostileTextInARealTerminal(t *testing.T) {
	term := newTerminal(t)
	router := newHostileServer(t, hostileTexts())
	config := filepath.Join(t.TempDir(), "client.toml")
	if err := os.WriteFile(config, []byte("desktop = \"osc777\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w := term.client("ada", 80, 24, "--router", router, "--user", "ada", "--config", config)
	term.tmux("set-option", "-g", "set-clipboard", "on") // applications may write buffers
	term.tmux("set-option", "-wg", "allow-passthrough", "on")
	term.tmux("set-option", "-wg", "allow-rename", "on")
	term.tmux("set-option", "-g", "set-titles", "on")
	term.tmux("set-buffer", "-b", "mine", "untouched")
	whole := func(screen string) bool {
		lines := strings.Split(strings.TrimRight(screen, "\n"), "\n")
		if len(lines) != 24 || !strings.HasPrefix(lines[0], " #general") || !strings.HasPrefix(lines[21], "─────────────────┴───") ||
			!strings.HasPrefix(lines[22], " ada ▸") || !strings.HasSuffix(lines[23], "? help") {
			return false
		}
		for _, line := range lines[1:21] {
			if !strings.Contains(line, " │ ") && !strings.HasSuffix(line, " │") {
				return false
			}
		}
		return !strings.Contains(screen, "\u202e")
	}
	check := func(what string) {
		t.Helper()
		if got := term.tmux("list-buffers", "-F", "#{buffer_name}=#{buffer_sample}"); got != "mine=untouched\n" {
			t.Errorf("%s: the buffers are %q", what, got)
		}
		// The cursor is where the program writes until it has drawn all.
		await(t, what+": own title, name, screen and cursor", func() bool {
			got := term.tmux("display-message", "-p", "-t", "ada", "#{pane_title}/#{window_name}/#{alternate_on}/#{cursor_y}")
			if strings.Contains(got, "owned") {
				t.Fatalf("%s: title, name, screen and cursor are %q", what, got)
			}
			return strings.HasSuffix(got, "/1/22\n") && strings.Contains(got, "#general · px")
		})
	}
	w.see("history, whole", whole)
	check("history")
	w.line("/join go")
	w.seeText(" #go")
	w.keys("M-1")
	w.see("general again", whole)
	w.line("go on")
	w.see("messages, whole", func(screen string) bool { return whole(screen) && strings.Contains(screen, "go on") })
	check("messages")
	for range 12 {
		w.keys("PageUp")
		w.see("a page, whole", whole)
	}
	check("all pages")
	w.keys("M-l")
	w.see("bare", func(screen string) bool { return !strings.Contains(screen, "│") })
	w.keys("Escape")
	w.see("back", whole)
	w.keys("M-k")
	w.seeText("rooms, people, commands")
	w.keys("Escape")
	w.see("back again", whole)
	check("overlays")
	w.line("/names")
	w.see("the names, whole", whole)
	check("names")
	plain := term.client("plain", 80, 24, "--plain", "--router", router, "--user", "ada")
	plain.seeText("* you are in #general")
	plain.line("go on") // a presence, messages
	plain.see("an own line behind all of it", func(screen string) bool { return strings.Contains(screen, "#general ada: go on") })
	if got := term.tmux("display-message", "-p", "-t", "plain", "#{pane_title}/#{window_name}/#{alternate_on}"); strings.Contains(got, "owned") || !strings.HasSuffix(got, "/0\n") {
		t.Errorf("plain: title, name and screen are %q", got)
	}
	plain.keys("C-c")
	plain.ended()
	check("lines alone")
	// What one copies oneself does reach the clipboard, and it alone.
	w.line("/copy")
	await(t, "the copy", func() bool {
		return strings.Contains(term.tmux("list-buffers", "-F", "#{buffer_sample}"), "go on")
	})
	w.keys("C-c")
	w.ended()
}
