package tui

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/gdamore/tcell/v2"

	"positivity-exchange/client"
	"positivity-exchange/client/profile"
	"positivity-exchange/client/state"
	"positivity-exchange/comms"
)

// Options configures Run.
type Options struct {
	Routers []string
	TLS     *tls.Config // nil: plain
	User    string      // empty: asked for
	Room    string      // room to open; empty: the one of the last visit, or general
	Ask     bool        // show the connect page first
	Config  profile.Config
	Warning string // shown at first: what is wrong with the configuration
	Screen  tcell.Screen
	Now     func() time.Time
	Logger  *slog.Logger
}

const (
	connectFor = 2 * time.Second       // a router, until it is said that none answers
	frame      = 16 * time.Millisecond // between two drawings: at most 60 a second
	saveEvery  = 2 * time.Second
	page       = 100 // records of a history page
	cached     = 200 // records of a room kept on disk
)

// app is the program; its fields belong to the one UI goroutine.
type app struct {
	opts      Options
	screen    tcell.Screen
	canvas    canvas
	look      theme
	keys      bindings
	session   *client.Session
	events    <-chan client.Event // of the session
	try       int                 // of the login: what an earlier one brings is not wanted
	stopTry   context.CancelFunc  // nil: there was none
	profile   *profile.Profile
	profileOf string // name@place, see profile.Place
	st        state.State
	unkept    error       // why nothing is saved; nil: all is
	lost      error       // what another profile could not keep
	loaded    state.Saved // what the profile had when it was opened
	saved     string      // what was saved last, to compare
	savedAt   time.Time
	title     string
	passed    string // what passing was when it was drawn

	ids       *comms.IDSource // of messages that no session has taken yet
	cachedAt  map[string]cachedRoom
	sight     [2]uint64       // the hole that the screen shows; zero: none
	found     state.Line      // by the search, last
	listed    []string        // rooms of the room list, by row; "" in a row without one
	pasteText strings.Builder // under way
	pasteSize int             // of all of it, what is too much included
	pasteCR   bool            // the last pasted key ended a line
	suspended bool            // an editor has the terminal
	edited    string          // the file that it writes
	editedIn  string          // the room whose draft that is
	numbers   bool            // of messages, in place of their times
	helpTop   int
	shown     int             // lines of the conversation that were drawn last
	columns   columns         // that they were laid out in
	height    int             // rows of the screen that they have
	listing   bool            // the rooms are being listed anew
	listedAt  time.Time       // when they were
	filling   map[string]bool // rooms whose hole is being asked for
	noticed   time.Time       // when the notice was on the screen first; zero: it is new
	quit      bool
	pressed   int  // keys and the like so far: a late answer moves nobody who went on
	elsewhere bool // another cluster's place is shown: what is typed up to Enter was meant for the first
	ctx       context.Context
	effects   sync.WaitGroup
	results   chan func() // what effects brought, run by the UI goroutine
}

// Run shows the client until its user quits or ctx ends.
func Run(ctx context.Context, opts Options) (err error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	keys, wrong := bindConfig(opts.Config)
	if wrong != nil && opts.Warning == "" {
		opts.Warning = wrong.Error()
	}
	if opts.Screen == nil {
		if opts.Screen, err = tcell.NewScreen(); err != nil {
			return fmt.Errorf("terminal: %w (px client --plain needs none)", err)
		}
	}
	if err := initScreen(opts.Screen); err != nil {
		return fmt.Errorf("terminal: %w (px client --plain needs none)", err)
	}
	defer opts.Screen.Fini()
	opts.Screen.EnablePaste()
	opts.Screen.EnableFocus()
	if opts.Config.Mouse {
		opts.Screen.EnableMouse(tcell.MouseButtonEvents)
	}
	ctx, cancel := context.WithCancel(ctx)
	a := &app{opts: opts, screen: opts.Screen, keys: keys, look: newTheme(opts.Config.Theme, opts.Screen.Colors()), filling: map[string]bool{}, cachedAt: map[string]cachedRoom{}, ids: comms.NewIDSource(), ctx: ctx, results: make(chan func(), 16)}
	defer func() {
		unsaved := a.close(cancel)
		if unsaved != nil && errors.Is(err, context.Canceled) {
			err = nil // an end in order but for this
		}
		err = errors.Join(err, unsaved)
	}()
	router, name := strings.Join(opts.Routers, ","), cmp.Or(opts.User, profile.LastUser())
	a.st = state.State{Page: state.PageConnect, Connect: state.Connect{Router: state.NewInput(router), Name: state.NewInput(name)}, Since: opts.Now(), Now: opts.Now(), Notice: oneLine(opts.Warning)}
	if name == "" {
		a.st.Connect.Field = 1 // the first run's question: which name?
	} else if !opts.Ask {
		a.start(router, name)
	}
	return a.run(ctx)
}

// close saves and ends what was opened.
func (a *app) close(cancel context.CancelFunc) error {
	err := a.save(true)
	cancel()
	a.effects.Wait()
	if saved, unread := os.ReadFile(a.edited); a.edited != "" && unread == nil {
		a.takeEdited(saved)
		if err = a.save(true); err == nil {
			os.Remove(a.edited) //nolint:errcheck // a temporary file
		} else {
			err = fmt.Errorf("%w; what the editor wrote is in %s", err, a.edited)
		}
	}
	if a.session != nil {
		a.session.Close() //nolint:errcheck // never fails
	}
	if a.profile != nil {
		if err := a.profile.Close(); err != nil {
			a.opts.Logger.Warn("close the profile", "err", err)
		}
	}
	return errors.Join(a.lost, err)
}

// run is the UI goroutine: what happened, new state, draw.
func (a *app) run(ctx context.Context) error {
	keys := make(chan tcell.Event, 64)
	stop := make(chan struct{})
	ended := make(chan struct{})
	go func() { defer close(ended); a.screen.ChannelEvents(keys, stop) }()
	defer func() {
		close(stop)
		a.screen.PostEvent(tcell.NewEventInterrupt(nil)) //nolint:errcheck // only wakes the channel
		for range keys {                                 //nolint:revive // until it is closed
		}
		<-ended
	}()
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	var drawn time.Time
	next := time.NewTimer(0) // the next drawing
	defer next.Stop()
	wait := false
	for !a.quit {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e, ok := <-keys:
			if !ok {
				return errors.New("the terminal has gone away")
			}
			a.input(e)
		case e, ok := <-a.events:
			if !ok {
				return client.ErrClosed
			}
			a.apply(e)
			for more := true; more; { // draw once for all that is there
				select {
				case e, ok := <-a.events:
					if more = ok; ok {
						a.apply(e)
					}
				default:
					more = false
				}
			}
		case f := <-a.results:
			f()
		case <-tick.C:
			a.fade()
			a.st.Now = a.opts.Now()
			if a.passing() == a.passed {
				a.afterDraw()
				continue // laying out a long message four times a second keeps a laptop warm
			}
		case <-next.C:
			wait = false
			a.st.Now = a.opts.Now()
			if !a.suspended {
				a.draw()
			}
			a.passed = a.passing()
			a.afterDraw()
			drawn = time.Now()
			continue
		}
		a.st.Now = a.opts.Now()
		if !wait {
			wait = true
			next.Reset(max(0, frame-time.Since(drawn)))
		}
	}
	return nil
}

// apply takes an event of the session and does what it asks for.
func (a *app) apply(e client.Event) {
	before := a.st
	a.st = a.st.Apply(e)
	switch e := e.(type) {
	case client.Message:
		a.notify(before, e)
	case client.RouterLink:
		if e.Up { // it may have been away for long
			a.relist()
		} else if a.st.Foreign != "" && before.Foreign == "" { // each router is asked every few seconds
			a.say("another cluster answers at %s: nothing is sent there; px client, started anew, shows it", e.Addr)
		}
	case client.Joined:
		a.entered(e.Room)
	case client.Left:
		if r := a.st.Room(e.Room); r.Joining {
			return // it was left to be joined again
		} else if e.Err != nil {
			a.refusedRoom(e.Room, e.Err)
		} else {
			a.left(e.Room)
		}
	}
}

// afterDraw does what can wait until the screen is there.
func (a *app) afterDraw() {
	if title := oneLine(a.st.Title()); title != a.title && !a.suspended {
		a.title = title
		a.screen.SetTitle(title)
	}
	a.fill()
	a.save(false)
}

// effect runs f beside the UI and what it returns in it.
func (a *app) effect(f func(ctx context.Context) func()) {
	a.effects.Go(func() { a.deliver(f(a.ctx)) })
}

// deliver has f run in the UI; false: there is none any more.
func (a *app) deliver(f func()) bool {
	select {
	case a.results <- f:
		return true
	case <-a.ctx.Done():
		return false
	}
}

func (a *app) say(format string, args ...any) {
	a.noticed = time.Time{}
	a.st.Notice = strings.Join(strings.Fields(Clean(fmt.Sprintf(format, args...))), " ")
}

// writeTTY writes bytes that the screen library has no call for.
func (a *app) writeTTY(s string) {
	if tty, ok := a.screen.Tty(); ok {
		io.WriteString(tty, s) //nolint:errcheck // a notification that is not shown
	}
}
