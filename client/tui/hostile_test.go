package tui

import (
	"strings"
	"testing"

	"positivity-exchange/client"
	"positivity-exchange/client/state"
	"positivity-exchange/comms"
)

// hostile is text that has moved, named, copied into or broken terminals.
func hostile() []string {
	var every strings.Builder
	for r := rune(0); r <= 0x9f; r++ {
		every.WriteRune(r)
	}
	return []string{
		every.String(),
		"\x1b[2J\x1b[H\x1b[31mred\x1b[?1049h", // CSI
		"\x1b]0;owned\x07\x1b]2;owned\x1b\\",  // titles
		"\x1b]52;c;b3duZWQ=\x07",              // clipboard
		"\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\",
		"\x1bPtmux;\x1b\x1b]52;c;b3duZWQ=\x07\x1b\\",
		"\u009b2J\u009d0;owned\u009c\u0090q\u009c", // C1
		"\u202egnitset\u202c \u2066a\u2069 \u200fb\u061c",
		"e" + strings.Repeat("\u0301", 10_000),
		strings.Repeat("\u0489", 10_000),
		"a\u200bb\u2060c\ufeffd\u00ade\U000e0041",
		"\r\n\r\x00\x7f\t\v\f",
		"https://example.org/\x1b]8;;evil\x07path",
		string([]byte{0xff, 0xfe, 0x80}),
		strings.Repeat("👩‍👩‍👧", 500) + strings.Repeat("🇩🇪", 300),
		strings.Repeat("x", comms.MaxContent),
	}
}

// TestHostileTextStaysText shows it as names, topics, messages and notices.
func TestHostileTextStaysText(t *testing.T) {
	for _, text := range hostile() {
		st := chat()
		st = st.Apply(client.Message{Room: "general", Record: comms.Record{Kind: comms.KindMessage, Seq: 5, User: text, Content: text}})
		st = st.Apply(client.Message{Room: "general", Record: comms.Record{Kind: comms.KindTopic, Seq: 6, User: text, Content: text}})
		st = st.Apply(client.Presence{Room: "general", Joined: []string{text}, Count: 9})
		st = st.WithRooms([]comms.Room{{Name: "music", Description: text}})
		st = st.Apply(client.RouterLink{Up: true, Addr: text})
		for _, overlay := range []int{state.OverlayNone, state.OverlayBare, state.OverlayPalette, state.OverlayHelp, state.OverlayPreview} {
			st := st
			st.Overlay, st.Paste, st.Connect.Error = overlay, text, text
			st.Palette.Query = state.NewInput(text)
			for _, page := range []int{state.PageChat, state.PageConnect} {
				st.Page = page
				a, s := showing(t, 80, 24, st)
				a.say("%s", text)
				a.draw()
				cells, _, _ := s.GetContents()
				for i, c := range cells {
					if len(c.Runes) > 16 {
						t.Errorf("%q put %d runes into cell %d", text[:min(len(text), 20)], len(c.Runes), i)
					}
					for _, r := range c.Runes {
						if hidden(r) && r != 0xfffd {
							t.Fatalf("%q put U+%04X into cell %d", text, r, i)
						}
					}
				}
				s.Fini()
			}
		}
		for _, kind := range []string{"osc9", "osc99", "osc777"} {
			n := notification(kind, oneLine(text), oneLine(text))
			inner := strings.TrimSuffix(strings.TrimPrefix(n, "\x1b]"), "\x1b\\")
			if kind != "osc99" && strings.ContainsAny(inner, "\x1b\x07\n") {
				t.Errorf("%s of %q is %q", kind, text, n)
			}
		}
		if title := oneLine(st.Title()); strings.ContainsAny(title, "\x1b\x07\n") {
			t.Errorf("title %q", title)
		}
	}
}
