package tui

import (
	"net"
	"testing"

	"github.com/gdamore/tcell/v2"

	"positivity-exchange/client/state"
)

// TestConnectPageIsEditedAsAMessageIs: with the keys of the cursor and of words,
// as they are bound.
func TestConnectPageIsEditedAsAMessageIs(t *testing.T) {
	for name, c := range map[string]struct {
		keys []tcell.Key
		want string
	}{
		"left":         {[]tcell.Key{tcell.KeyLeft}, "router:8X1"},
		"left, right":  {[]tcell.Key{tcell.KeyLeft, tcell.KeyRight}, "router:81X"},
		"home":         {[]tcell.Key{tcell.KeyHome}, "Xrouter:81"},
		"home, end":    {[]tcell.Key{tcell.KeyHome, tcell.KeyEnd}, "router:81X"},
		"ctrl-a":       {[]tcell.Key{tcell.KeyCtrlA}, "Xrouter:81"},
		"ctrl-w":       {[]tcell.Key{tcell.KeyCtrlW}, "X"},
		"ctrl-w, undo": {[]tcell.Key{tcell.KeyCtrlW, tcell.KeyCtrlUnderscore}, "router:81X"},
		"backspace":    {[]tcell.Key{tcell.KeyBackspace2}, "router:8X"},
		"delete":       {[]tcell.Key{tcell.KeyHome, tcell.KeyDelete}, "Xouter:81"},
		"no newline":   {[]tcell.Key{tcell.KeyPgUp, tcell.KeyCtrlN, tcell.KeyF1}, "router:81X"},
	} {
		a, s := showing(t, 80, 24, state.State{Connect: state.Connect{Router: state.NewInput("router:81")}})
		for _, key := range c.keys {
			a.input(tcell.NewEventKey(key, 0, tcell.ModNone))
		}
		a.typed("X")
		if got := a.st.Connect.Router.String(); got != c.want || a.st.Page != state.PageConnect || a.st.Overlay != state.OverlayNone {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		s.Fini()
	}
}

// TestAnotherRouterWhileConnecting: what is typed ends the try, so that Enter
// asks the new one, and nothing is heard of the old one.
func TestAnotherRouterWhileConnecting(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close() //nolint:errcheck // it is over
	a, until := visiting(t, "go", "")
	a.st = state.State{Connect: state.Connect{Router: state.NewInput(silent.Addr().String()), Name: state.NewInput("ada")}}
	a.typed("\n")
	if !a.st.Connect.Busy {
		t.Fatal("Enter does not connect")
	}
	a.typed("\n") // the same once more is no other try
	first := a.try
	a.input(tcell.NewEventKey(tcell.KeyCtrlU, 0, tcell.ModNone))
	a.typed(serve(t, "general").addr())
	if a.st.Connect.Busy || a.try == first {
		t.Error("the first try goes on")
	}
	a.typed("\n")
	until("in the room", func() bool { r := a.st.Current(); return r != nil && r.Joined })
	if a.st.Page != state.PageChat || a.st.Connect.Error != "" {
		t.Errorf("page %d, %q", a.st.Page, a.st.Connect.Error)
	}
}

// TestLateAnswersOfATryAreNotWanted, neither an error nor a session: another
// address stands above them.
func TestLateAnswersOfATryAreNotWanted(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := closed.Addr().String()
	closed.Close() //nolint:errcheck // it is over
	for name, router := range map[string]string{"an error": gone, "a session": serve(t, "go").addr()} {
		t.Run(name, func(t *testing.T) {
			a, _ := visiting(t, "go", "")
			a.st = state.State{Connect: state.Connect{Router: state.NewInput(router), Name: state.NewInput("ada")}}
			a.typed("\n")
			late := <-a.results
			a.typed("x")
			late()
			if a.session != nil || a.st.Page != state.PageConnect || a.st.Connect.Error != "" || a.st.Connect.Busy {
				t.Errorf("%+v", a.st.Connect)
			}
		})
	}
}

// TestConnectPageInASmallWindow has the error, or else what Enter does, and the
// end of what is typed with the cursor behind it.
func TestConnectPageInASmallWindow(t *testing.T) {
	for name, c := range map[string]struct {
		connect state.Connect
		want    string
	}{
		"an error":    {state.Connect{Error: "could not reach localhost:8080: connection refused"}, "could not reach\nlocalhost:8080:\nconnection refused\n"},
		"nothing yet": {state.Connect{}, "Enter connects ·\nEsc quits · px up\nstarts a cluster on\n"},
	} {
		c.connect.Router, c.connect.Name, c.connect.Field = state.NewInput("localhost:8080"), state.NewInput("a-name-that-is-rather-long"), 1
		a, s := showing(t, 20, 5, state.State{Connect: c.connect})
		a.draw()
		s.Show()
		want := "router calhost:8080\nname   -rather-long\n" + c.want
		if got := dump(s); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
		}
		if x, y, visible := s.GetCursor(); x != 19 || y != 1 || !visible {
			t.Errorf("%s: the cursor is at %d, %d", name, x, y)
		}
		s.Fini()
	}
}
