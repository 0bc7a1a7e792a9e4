package tui

import (
	"strings"
	"testing"
	"time"

	"github.com/gdamore/tcell/v2"

	"positivity-exchange/client"
	"positivity-exchange/client/state"
)

// TestANoticeGoesWhenItWasRead: it hides what the status line says.
func TestANoticeGoesWhenItWasRead(t *testing.T) {
	const short, long = "#go: notifications of none", "there are more than 2000 rooms: /list PREFIX finds those of a prefix, as /list go does"
	type step struct {
		after time.Duration
		do    func(*app)
	}
	none := func(*app) {}
	for name, c := range map[string]struct {
		notice string
		steps  []step
		stays  bool
	}{
		"a while ago":          {short, []step{{7 * time.Second, none}}, true},
		"long ago":             {short, []step{{9 * time.Second, none}}, false},
		"two lines, a while":   {long, []step{{9 * time.Second, none}}, true},
		"two lines, long ago":  {long, []step{{17 * time.Second, none}}, false},
		"said again, no key":   {short, []step{{7 * time.Second, func(a *app) { a.say(short) }}, {7 * time.Second, none}}, true},
		"said again, by a key": {short, []step{{7 * time.Second, func(a *app) { a.typed("x"); a.st.Notice = short }}, {7 * time.Second, none}}, true},
		"while nobody looks":   {short, []step{{0, func(a *app) { a.input(tcell.NewEventFocus(false)) }}, {time.Hour, func(a *app) { a.input(tcell.NewEventFocus(true)) }}}, true},
		"behind the help":      {short, []step{{0, func(a *app) { a.st.Overlay = state.OverlayHelp }}, {time.Hour, func(a *app) { a.st.Overlay = 0 }}}, true},
		"behind a preview":     {short, []step{{0, func(a *app) { a.st.Overlay = state.OverlayPreview }}, {time.Hour, func(a *app) { a.st.Overlay = 0 }}}, true},
		"behind bare messages": {short, []step{{0, func(a *app) { a.st.Overlay = state.OverlayBare }}, {time.Hour, func(a *app) { a.st.Overlay = 0 }}}, true},
		"beside the palette":   {short, []step{{0, func(a *app) { a.st.Overlay = state.OverlayPalette }}, {time.Hour, func(a *app) { a.st.Overlay = 0 }}}, false},
		"on the connect page":  {short, []step{{0, func(a *app) { a.st.Page = 0 }}, {time.Hour, none}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			a, s := showing(t, 80, 24, chat())
			defer s.Fini()
			now := noon
			a.opts.Now = func() time.Time { return now }
			ticks := func(d time.Duration) {
				for end := now.Add(d); now.Before(end); now = now.Add(time.Second) {
					a.fade()
				}
			}
			a.say("%s", c.notice)
			for _, step := range c.steps {
				ticks(step.after)
				step.do(a)
			}
			ticks(time.Second)
			if a.draw(); strings.Contains(dump(s), c.notice[:20]) != c.stays && a.st.Page != 0 || (a.st.Notice != "") != c.stays {
				t.Errorf("the notice is %q, the screen\n%s", a.st.Notice, dump(s))
			}
		})
	}
}

// TestTimeDrawsWhatItChanges, and nothing else: each drawing lays out anew what may be
// a long message.
func TestTimeDrawsWhatItChanges(t *testing.T) {
	idle := chat().Update("general", func(r *state.Room) { r.Waiting = nil })
	idle.Now = idle.Now.Add(time.Minute) // its mark was drawn
	waiting := idle.Posted("general", "9", "hello", false)
	stored := waiting.Apply(func() client.Message {
		m := said("general", "ada", "hello", 5)
		m.ID, m.Mine = "9", true
		return m
	}())
	help := idle
	help.Overlay = state.OverlayHelp
	connect := idle
	connect.Page = state.PageConnect
	for name, c := range map[string]struct {
		st    state.State
		after time.Duration
		draws bool
	}{
		"an idle room":              {idle, time.Hour, false},
		"the mark of what waits":    {waiting, time.Second, true},
		"that of what is stored":    {stored, time.Second, true},
		"both were drawn":           {stored, 0, false},
		"seconds without a server":  {idle.Apply(client.RoomLink{Room: "general", State: client.LinkReconnecting}), 2 * time.Second, true},
		"how long one is online":    {help, time.Second, true},
		"the connect page":          {connect, time.Hour, false},
		"behind what was looked at": {idle.Open("music"), time.Hour, false},
	} {
		t.Run(name, func(t *testing.T) {
			a, s := showing(t, 80, 24, c.st)
			defer s.Fini()
			a.helpTop = 100 // its end
			a.draw()
			before := a.passing()
			screen := dump(s)
			a.st.Now = a.st.Now.Add(c.after)
			if draws := a.passing() != before; draws != c.draws {
				t.Errorf("it is drawn anew: %v", draws)
			}
			if a.draw(); (dump(s) != screen) != c.draws {
				t.Errorf("drawn after %s:\n%s", c.after, dump(s))
			}
		})
	}
}
