package tui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
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
	User    string // empty: asked for
	Room    string // room to open; empty: the one of the last visit, or general
	Ask     bool   // show the connect page first
	Config  profile.Config
	Warning string // shown at first: what is wrong with the configuration
	Screen  tcell.Screen
	Now     func() time.Time
	Logger  *slog.Logger
}

const (
	connectFor = 2 * time.Second       // until the connect page appears instead
	frame      = 16 * time.Millisecond // between two drawings: at most 60 a second
	saveEvery  = 2 * time.Second
	page       = 100 // records of a history page
	cached     = 200 // records of a room kept on disk
)

// app is the program; its fields belong to the one UI goroutine.
type app struct {
	opts    Options
	screen  tcell.Screen
	canvas  canvas
	look    theme
	keys    bindings
	session *client.Session
	events  <-chan client.Event // of the session
	profile *profile.Profile
	st      state.State
	saved   string // what was saved last, to compare
	savedAt time.Time
	title   string

	firstRoom int             // of the room list, at its top
	pasteText strings.Builder // under way
	pasteSize int             // of all of it, what is too much included
	numbers   bool            // of messages, in place of their times
	helpTop   int
	shown     int             // lines of the conversation that were drawn last
	filling   map[string]bool // rooms whose hole is being asked for
	quit      bool
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
	keys, err := bind(opts.Config.Keys)
	if err != nil {
		opts.Warning = err.Error()
	}
	if opts.Screen == nil {
		if opts.Screen, err = tcell.NewScreen(); err != nil {
			return fmt.Errorf("terminal: %w (px client --plain needs none)", err)
		}
	}
	if err := opts.Screen.Init(); err != nil {
		return fmt.Errorf("terminal: %w (px client --plain needs none)", err)
	}
	defer opts.Screen.Fini()
	opts.Screen.EnablePaste()
	opts.Screen.EnableFocus()
	if opts.Config.Mouse {
		opts.Screen.EnableMouse(tcell.MouseButtonEvents)
	}
	ctx, cancel := context.WithCancel(ctx)
	a := &app{opts: opts, screen: opts.Screen, keys: keys, look: newTheme(opts.Config.Theme, opts.Screen.Colors()), filling: map[string]bool{}, ctx: ctx, results: make(chan func(), 16)}
	defer a.effects.Wait()
	defer cancel()
	defer a.close()
	a.st = state.State{Page: state.PageConnect, Connect: state.Connect{Router: strings.Join(opts.Routers, ","), Name: opts.User}, Since: opts.Now(), Now: opts.Now(), Notice: oneLine(opts.Warning)}
	if opts.User == "" {
		a.st.Connect.Name = profile.LastUser()
	}
	if a.st.Connect.Name == "" {
		a.st.Connect.Field = 1 // the first run's question: which name?
	} else if !opts.Ask {
		a.connect()
	}
	return a.run(ctx)
}

// close saves and ends what was opened.
func (a *app) close() {
	a.save(true)
	if a.session != nil {
		a.session.Close() //nolint:errcheck // never fails
	}
	if a.profile != nil {
		if err := a.profile.Close(); err != nil {
			a.opts.Logger.Warn("close the profile", "err", err)
		}
	}
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
		case <-next.C:
			wait = false
			a.st.Now = a.opts.Now()
			a.draw()
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
	if m, ok := e.(client.Message); ok {
		a.notify(before, m)
	}
}

// afterDraw does what can wait until the screen is there.
func (a *app) afterDraw() {
	if title := oneLine(a.st.Title()); title != a.title {
		a.title = title
		a.screen.SetTitle(title)
	}
	a.fill()
	a.save(false)
}

// effect runs f beside the UI and what it returns in it.
func (a *app) effect(f func(ctx context.Context) func()) {
	a.effects.Go(func() {
		done := f(a.ctx)
		select {
		case a.results <- done:
		case <-a.ctx.Done():
		}
	})
}

func (a *app) say(format string, args ...any) {
	a.st.Notice = strings.Join(strings.Fields(Clean(fmt.Sprintf(format, args...))), " ")
}

// connect logs in with what the connect page says.
func (a *app) connect() {
	router, name := strings.TrimSpace(a.st.Connect.Router), strings.TrimSpace(a.st.Connect.Name)
	a.st.Connect.Error = ""
	if name != "" {
		if err := comms.CheckUserName(name); err != nil {
			a.st.Connect.Error, a.st.Connect.Field = err.Error(), 1
			return
		}
	}
	a.st.Connect.Busy = true
	a.effect(func(ctx context.Context) func() {
		ctx, cancel := context.WithTimeout(ctx, connectFor)
		defer cancel()
		s, err := client.Connect(ctx, client.Options{Routers: strings.Split(router, ","), User: name, Logger: a.opts.Logger})
		return func() {
			a.st.Connect.Busy = false
			if err != nil {
				a.st.Connect.Error = "could not reach " + router + ": " + strings.ReplaceAll(err.Error(), "\n", ", ")
				return
			}
			a.session, a.events = s, s.Events()
			if name != "" {
				if err := profile.SetLastUser(name); err != nil {
					a.opts.Logger.Warn("keep the name", "err", err)
				}
			}
			a.enter(router, name)
		}
	})
}

// enter opens the chat page of a session that is logged in.
func (a *app) enter(router, name string) {
	a.st.Page, a.st.User, a.st.Since = state.PageChat, a.session.User(), a.opts.Now()
	var saved state.Saved
	if name != "" { // a guest's name is another the next time
		var err error
		if a.profile, err = profile.Open(name + "@" + router); err != nil {
			a.say("%v", err)
		}
		if saved, err = a.profile.Load(); err != nil {
			a.say("%v", err)
		}
		a.st = a.st.Restore(saved)
	}
	open := a.opts.Room
	if open == "" {
		open = saved.Active
	}
	if open == "" {
		open = "general"
	}
	notice := a.st.Notice
	a.open(open)
	a.st.Notice = notice
	for room, one := range saved.Rooms {
		if one.Joined && room != open {
			a.join(room)
		}
	}
	a.listRooms("")
}

// save keeps what is to outlive the program, now and then and at the end.
func (a *app) save(end bool) {
	if a.profile == nil || !end && time.Since(a.savedAt) < saveEvery {
		return
	}
	a.savedAt = time.Now()
	saved := a.st.Save()
	if now := fmt.Sprintf("%+v", saved); now != a.saved {
		a.saved = now
		if err := a.profile.Save(saved); err != nil {
			a.say("%v", err)
		}
	}
	if !end {
		return
	}
	for _, r := range a.st.Rooms {
		records := r.Records(cached)
		if len(records) == 0 {
			continue
		}
		if err := a.profile.SaveRoom(r.Name, records, r.Last); err != nil {
			a.opts.Logger.Warn("save a room", "room", r.Name, "err", err)
		}
	}
}

// writeTTY writes bytes that the screen library has no call for.
func (a *app) writeTTY(s string) {
	if tty, ok := a.screen.Tty(); ok {
		io.WriteString(tty, s) //nolint:errcheck // a notification that is not shown
	}
}
