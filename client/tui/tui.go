package tui

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
	"unicode"

	"github.com/gdamore/tcell/v2"

	"positivity-exchange/client"
	"positivity-exchange/client/state"
	"positivity-exchange/comms"
)

func isMark(r rune) bool { return unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Me, r) }

// Options configures Run.
type Options struct {
	Routers []string
	User    string // empty: a guest's name
	Room    string // room to open; empty: general
	Ask     bool   // show the connect page first
	Screen  tcell.Screen
	Now     func() time.Time
	Logger  *slog.Logger
}

const connectFor = 2 * time.Second // until the connect page appears instead

// app is the program; its fields belong to the one UI goroutine.
type app struct {
	opts    Options
	screen  tcell.Screen
	session *client.Session
	st      state.State
	ctx     context.Context
	results chan func() // what effects brought, run by the UI goroutine
	quit    bool
	help    bool
}

// Run shows the client until its user quits or ctx ends.
func Run(ctx context.Context, opts Options) (err error) {
	if opts.Room == "" {
		opts.Room = "general"
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Screen == nil {
		if opts.Screen, err = tcell.NewScreen(); err != nil {
			return fmt.Errorf("terminal: %w", err)
		}
	}
	if err := opts.Screen.Init(); err != nil {
		return fmt.Errorf("terminal: %w", err)
	}
	defer opts.Screen.Fini()
	opts.Screen.EnablePaste()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	a := &app{opts: opts, screen: opts.Screen, ctx: ctx, results: make(chan func(), 16)}
	a.st = state.State{Connect: state.Connect{Router: strings.Join(opts.Routers, ","), Name: opts.User}, Since: opts.Now(), Now: opts.Now()}
	a.st.Page = state.PageConnect
	defer func() {
		if a.session != nil {
			a.session.Close() //nolint:errcheck // never fails
		}
	}()
	if !opts.Ask {
		a.connect()
	}
	return a.run(ctx)
}

// run is the UI goroutine: event, new state, draw.
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
	for !a.quit {
		a.st.Now = a.opts.Now()
		a.draw()
		var events <-chan client.Event
		if a.session != nil {
			events = a.session.Events()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e := <-keys:
			a.input(e)
		case e, ok := <-events:
			if !ok {
				return client.ErrClosed
			}
			a.st = a.st.Apply(e)
			for n := 0; n < 500; n++ { // draw once for all that is there
				select {
				case e, ok := <-events:
					if ok {
						a.st = a.st.Apply(e)
					}
				default:
					n = 500
				}
			}
		case f := <-a.results:
			f()
		case <-tick.C:
		}
	}
	return nil
}

// effect runs f beside the UI and what it returns in it.
func (a *app) effect(f func(ctx context.Context) func()) {
	go func() {
		done := f(a.ctx)
		select {
		case a.results <- done:
		case <-a.ctx.Done():
		}
	}()
}

func (a *app) connect() {
	a.st.Connect.Error, a.st.Connect.Busy = "", true
	router, name := a.st.Connect.Router, a.st.Connect.Name
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
			a.session = s
			a.st.Page, a.st.User, a.st.Since = state.PageChat, s.User(), a.opts.Now()
			a.listRooms()
			a.open(a.opts.Room)
		}
	})
}

func (a *app) listRooms() {
	s := a.session
	a.effect(func(ctx context.Context) func() {
		list, err := s.Rooms(ctx, comms.ListRooms{})
		return func() {
			if err == nil {
				a.st = a.st.WithRooms(list.Rooms)
			}
		}
	})
}

// open shows a room, joining it if need be.
func (a *app) open(name string) {
	a.st = a.st.Open(name)
	r := a.st.Room(name)
	if r == nil || r.Joined || r.Joining {
		return
	}
	a.st = a.st.Update(name, func(r *state.Room) { r.Joining = true })
	s := a.session
	a.effect(func(ctx context.Context) func() {
		err := s.Join(ctx, name, nil)
		var page comms.HistoryPage
		if err == nil {
			page, err = s.History(ctx, comms.History{Room: name, Before: comms.MaxSeq, Limit: 100})
		}
		return func() {
			a.st = a.st.Update(name, func(r *state.Room) { r.Joining = false })
			if err != nil {
				a.say(err)
				return
			}
			a.st = a.st.WithHistory(name, page)
		}
	})
}

// older loads the page above what is shown.
func (a *app) older() {
	r := a.st.Room(a.st.Active)
	if r == nil || r.Loading || len(r.Lines) == 0 || r.Lines[0].Seq <= 1 {
		return
	}
	name, before, s := r.Name, r.Lines[0].Seq, a.session
	a.st = a.st.Update(name, func(r *state.Room) { r.Loading = true })
	a.effect(func(ctx context.Context) func() {
		page, err := s.History(ctx, comms.History{Room: name, Before: before, Limit: 100})
		return func() {
			a.st = a.st.Update(name, func(r *state.Room) { r.Loading = false })
			if err == nil {
				a.st = a.st.WithHistory(name, page)
			}
		}
	})
}

func (a *app) say(err error) {
	a.st.Notice = strings.ReplaceAll(err.Error(), "\n", ", ")
}

// input handles one terminal event.
func (a *app) input(e tcell.Event) {
	switch e := e.(type) {
	case *tcell.EventResize:
		a.screen.Sync()
	case *tcell.EventPaste:
		a.st.Pasting = e.Start()
	case *tcell.EventKey:
		if a.st.Page == state.PageConnect {
			a.connectKey(e)
		} else {
			a.chatKey(e)
		}
	}
}

func (a *app) connectKey(e *tcell.EventKey) {
	c := &a.st.Connect
	field := &c.Router
	if c.Field == 1 {
		field = &c.Name
	}
	switch e.Key() {
	case tcell.KeyEscape, tcell.KeyCtrlC:
		a.quit = true
	case tcell.KeyTab, tcell.KeyDown, tcell.KeyUp, tcell.KeyBacktab:
		c.Field = 1 - c.Field
	case tcell.KeyEnter:
		if !c.Busy {
			a.connect()
		}
	case tcell.KeyBackspace, tcell.KeyBackspace2:
		if r := []rune(*field); len(r) > 0 {
			*field = string(r[:len(r)-1])
		}
	case tcell.KeyRune:
		*field += string(e.Rune())
	}
}

func (a *app) chatKey(e *tcell.EventKey) {
	if a.help {
		a.help = false
		return
	}
	a.st.Notice = ""
	alt := e.Modifiers()&tcell.ModAlt != 0
	r := a.st.Room(a.st.Active)
	if r == nil {
		if e.Key() == tcell.KeyCtrlC {
			a.quit = true
		}
		return
	}
	input := r.Draft
	switch {
	case e.Key() == tcell.KeyEnter && (alt || a.st.Pasting):
		input = input.Insert("\n")
	case e.Key() == tcell.KeyEnter:
		a.st = a.st.Update(r.Name, func(r *state.Room) { r.Draft = state.Input{}; r.Scroll = 0 })
		a.submit(r.Name, input.String())
		return
	case e.Key() == tcell.KeyCtrlC && input.Empty():
		a.quit = true
		return
	case e.Key() == tcell.KeyCtrlC:
		a.st.Notice = "Ctrl-C again with an empty line quits"
		input = state.Input{}
	case e.Key() == tcell.KeyCtrlN, e.Key() == tcell.KeyDown && alt:
		a.open(a.st.Next(1))
		return
	case e.Key() == tcell.KeyCtrlP, e.Key() == tcell.KeyUp && alt:
		a.open(a.st.Next(-1))
		return
	case alt && e.Rune() == 'a':
		if name := a.st.NextUnread(); name != "" {
			a.open(name)
		}
		return
	case alt && e.Rune() >= '1' && e.Rune() <= '9':
		if i := int(e.Rune() - '1'); i < len(a.st.Rooms) {
			a.open(a.st.Rooms[i].Name)
		}
		return
	case e.Key() == tcell.KeyPgUp:
		a.st = a.st.Update(r.Name, func(r *state.Room) { r.Scroll += 10 })
		a.older()
		return
	case e.Key() == tcell.KeyPgDn:
		a.st = a.st.Update(r.Name, func(r *state.Room) { r.Scroll = max(0, r.Scroll-10) })
		return
	case e.Key() == tcell.KeyF1, e.Rune() == '?' && e.Key() == tcell.KeyRune && input.Empty():
		a.help = true
		return
	default:
		input = edit(input, e)
	}
	a.st = a.st.Update(r.Name, func(r *state.Room) { r.Draft = input })
}

// edit applies one editing key.
func edit(in state.Input, e *tcell.EventKey) state.Input {
	switch e.Key() {
	case tcell.KeyRune:
		if e.Modifiers()&tcell.ModAlt == 0 {
			return in.Insert(string(e.Rune()))
		}
	case tcell.KeyTab:
		return in.Insert(" ")
	case tcell.KeyLeft, tcell.KeyCtrlB:
		return in.Move(-1)
	case tcell.KeyRight, tcell.KeyCtrlF:
		return in.Move(1)
	case tcell.KeyHome, tcell.KeyCtrlA:
		return in.Move(-1 << 30)
	case tcell.KeyEnd, tcell.KeyCtrlE:
		return in.Move(1 << 30)
	case tcell.KeyBackspace, tcell.KeyBackspace2:
		return in.Delete(-1)
	case tcell.KeyDelete, tcell.KeyCtrlD:
		return in.Delete(1)
	case tcell.KeyCtrlU:
		return in.Delete(-1 << 30)
	case tcell.KeyCtrlK:
		return in.Delete(1 << 30)
	case tcell.KeyCtrlW:
		return in.DeleteWord()
	}
	return in
}

// submit sends a line or carries out a command. What fails comes back as the draft.
func (a *app) submit(room, text string) {
	if strings.TrimSpace(text) == "" {
		return
	}
	if command, is := strings.CutPrefix(text, "/"); is && !strings.HasPrefix(text, "//") {
		a.command(room, command)
		return
	}
	text = strings.TrimPrefix(text, "/")
	if strings.HasPrefix(text, "/") || text != "" {
		id, err := a.session.Post(room, text)
		if err != nil {
			a.say(err)
			a.st = a.st.Update(room, func(r *state.Room) { r.Draft = state.Input{}.Insert(text) })
			return
		}
		a.st = a.st.Posted(room, id, text)
	}
}

func (a *app) command(room, line string) {
	word, rest, _ := strings.Cut(line, " ")
	rest = strings.TrimSpace(rest)
	s := a.session
	switch word {
	case "join", "j":
		a.open(strings.TrimPrefix(rest, "#"))
	case "part", "leave":
		a.effect(func(ctx context.Context) func() {
			err := s.Leave(ctx, room)
			return func() {
				if err != nil {
					a.say(err)
				}
			}
		})
	case "create":
		name, description, _ := strings.Cut(rest, " ")
		a.effect(func(ctx context.Context) func() {
			err := s.Create(ctx, name, strings.TrimSpace(description))
			return func() {
				if err != nil {
					a.say(err)
					return
				}
				a.st = a.st.WithRooms([]comms.Room{{Name: name, Description: description}})
				a.open(name)
			}
		})
	case "topic":
		if _, err := s.PostTopic(room, rest); err != nil {
			a.say(err)
		}
	case "names":
		if r := a.st.Room(room); r != nil {
			a.st.Notice = fmt.Sprintf("%d here: %s", r.Count, strings.Join(r.People(), " "))
		}
	case "where":
		a.effect(func(ctx context.Context) func() {
			ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
			defer cancel()
			at, err := s.Where(ctx, room)
			return func() {
				if err != nil {
					a.say(err)
					return
				}
				a.st.Notice = fmt.Sprintf("#%s is served by %s at %s, epoch %d", room, at.Shard, at.Addr, at.Epoch)
			}
		})
	case "list":
		a.listRooms()
	case "help":
		a.help = true
	case "quit", "q":
		a.quit = true
	default:
		a.say(errors.New("there is no command /" + word + "; ? lists them, // sends a slash"))
		a.st = a.st.Update(room, func(r *state.Room) { r.Draft = state.Input{}.Insert("/" + line) })
	}
}
