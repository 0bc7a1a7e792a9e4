package tui

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"positivity-exchange/client"
	"positivity-exchange/client/profile"
	"positivity-exchange/client/state"
	"positivity-exchange/comms"
)

// cacheEvery is how often a room that changes is written to the cache.
const cacheEvery = 30 * time.Second

// cachedRoom is what was written of a room, and when.
type cachedRoom struct {
	last uint64
	at   time.Time
}

// start shows what the last visit left, at once, and logs in behind it. Who was
// never here sees the connect page until a server has answered.
func (a *app) start(router, name string) {
	if !a.openProfile(profile.LastPlace(a.opts.Routers), name) {
		a.connect()
		return
	}
	a.st.Page, a.st.User = state.PageChat, name
	a.openFirst()
	a.login(router, name, true)
	a.effect(func(ctx context.Context) func() {
		select {
		case <-time.After(connectFor):
		case <-ctx.Done():
		}
		return func() { // the log has the reasons, the line the consequence
			if a.session == nil {
				a.st.Offline = "no server at " + router
			}
		}
	})
}

// connect logs in with what the connect page says.
func (a *app) connect() {
	router, name := strings.TrimSpace(a.st.Connect.Router.String()), strings.TrimSpace(a.st.Connect.Name.String())
	a.st.Connect.Error = ""
	if name != "" {
		if err := comms.CheckUserName(name); err != nil {
			a.st.Connect.Error, a.st.Connect.Field = err.Error(), 1
			return
		}
	}
	a.st.Connect.Busy = true
	a.login(router, name, false)
}

// login gets a session. With forever it tries until there is one, or the name is
// refused: by one session, which asks every router in turn however many are
// silent. Without, it gives up in time for the connect page to say why.
func (a *app) login(router, name string, forever bool) {
	routers, err := client.ParseRouters(router)
	if err != nil {
		a.st.Connect.Busy, a.st.Connect.Error, a.st.Connect.Field = false, err.Error(), 0
		return
	}
	a.giveUp()
	mine := a.try
	ctx, stop := context.WithCancel(a.ctx)
	a.stopTry = stop
	a.effects.Go(func() {
		defer stop()
		if !forever {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, connectFor*time.Duration(len(routers)))
			defer cancel()
		}
		for {
			s, err := client.Connect(ctx, client.Options{Routers: routers, User: name, TLS: a.opts.TLS, Logger: a.opts.Logger})
			if err == nil {
				if !a.deliver(func() {
					if a.try == mine {
						a.loggedIn(s, routers, name)
					} else {
						a.effects.Go(func() { s.Close() }) //nolint:errcheck // never fails
					}
				}) {
					s.Close() //nolint:errcheck // never fails
				}
				return
			}
			var refused *client.RefusedError
			if !forever || errors.As(err, &refused) {
				a.deliver(func() {
					if a.try == mine {
						a.st.Page, a.st.Connect.Busy, a.st.Connect.Error = state.PageConnect, false, err.Error()
					}
				})
				return
			}
			select { // no agreement on TLS: somebody may see to it
			case <-time.After(connectFor / 4):
			case <-ctx.Done():
				return
			}
		}
	})
}

// giveUp ends a login that is under way: another one is wanted.
func (a *app) giveUp() {
	a.try++
	if a.stopTry != nil {
		a.stopTry()
	}
}

// loggedIn goes on with a session.
func (a *app) loggedIn(s *client.Session, routers []string, name string) {
	a.session, a.events = s, s.Events()
	a.st.Connect.Busy, a.st.Offline = false, ""
	a.st.User, a.st.Since = s.User(), a.opts.Now()
	if name != "" {
		if err := profile.KeepUser(name, name == a.opts.User); err != nil {
			a.opts.Logger.Warn("keep the name", "err", err)
		}
		cluster := s.Cluster()
		place := profile.Place(name, routers, cluster)
		moved := a.profileOf != name+"@"+place
		if moved {
			a.st.Notice = oneLine(a.opts.Warning) // what was said of the other profile does not hold of this one
			a.openProfile(place, name)
		}
		if a.profile != nil && a.profile.Belong(cluster) {
			a.saved = "" // to be written down
		}
		if err := profile.SetPlace(place, routers, cluster); err != nil && a.unkept == nil { // else it is worse, and said
			a.say("%v", err)
		}
		if moved && a.st.Page == state.PageChat {
			a.moved(strings.Join(routers, ","))
		}
	} else {
		a.leaveProfile() //nolint:errcheck // it is said; a guest has none: the name is another the next time
	}
	if a.st.Page != state.PageChat {
		a.st.Page = state.PageChat
		a.openFirst()
	}
	for _, r := range a.st.Rooms {
		if a.wants(r) {
			a.join(r.Name)
		}
	}
	a.listedAt = a.opts.Now()
	a.listRooms("")
}

// openProfile takes what the last visit to a place left into the state, and
// reports whether there was one.
func (a *app) openProfile(place, name string) bool {
	var said []string
	if lost := a.leaveProfile(); lost != nil { // another one's: the connect page was answered anew, or another cluster has answered
		said = append(said, lost.Error())
	}
	a.profileOf, a.saved, a.st.User = name+"@"+place, "", name
	if a.profile, a.unkept = profile.Open(a.profileOf); errors.Is(a.unkept, profile.ErrInUse) {
		said = append(said, a.unkept.Error())
	} else if a.unkept != nil {
		said = append(said, a.unkept.Error(), "nothing that you write is kept")
	}
	saved, err := a.profile.Load()
	if err != nil && a.unkept == nil {
		a.unkept = err
		said = append(said, err.Error())
	}
	if a.loaded = saved; len(said) > 0 {
		a.say("%s", strings.Join(said, "; "))
	}
	a.st = a.st.Restore(saved)
	a.st.Active = saved.Active
	return saved.Active != ""
}

// leaveProfile keeps what is shown in its profile, if there is one, and shows it no
// more. What could not be kept is lost, and said: now and at the end.
func (a *app) leaveProfile() (lost error) {
	if a.profile == nil {
		return nil
	}
	if lost = a.save(true); lost != nil {
		a.lost = errors.Join(a.lost, lost)
		a.say("%v", lost)
	}
	if err := a.profile.Close(); err != nil {
		a.opts.Logger.Warn("close the profile", "err", err)
	}
	a.profile, a.profileOf = nil, ""
	a.st.Rooms, a.st.Active, a.st.Previous, a.st.Inputs = nil, "", "", nil
	clear(a.cachedAt)
	return lost
}

// moved shows the place of the cluster that has answered, in place of another's
// that was shown before any had. Who is typing meant the first.
func (a *app) moved(router string) {
	a.st.Overlay, a.st.Paste, a.st.Search, a.edited = state.OverlayNone, "", "", ""
	a.elsewhere = a.pressed > 0
	also := ""
	if a.st.Notice != "" {
		also = "; " + a.st.Notice
	}
	a.say("another cluster than last time answers at %s: these are its rooms%s", router, also)
	a.openFirst()
}

// openFirst opens the room that was asked for, else the last one, which is not
// joined if it was left, else general.
// From one that cannot be, Forget leads back to the last.
func (a *app) openFirst() {
	notice, last := a.st.Notice, a.st.Active
	if comms.CheckRoomName(last) != nil { // no visit yet
		last = state.General
	}
	room := cmp.Or(state.RoomName(a.opts.Room), last)
	if err := comms.CheckRoomName(room); err != nil {
		notice, room = cmp.Or(notice, oneLine(err.Error())), last
	}
	a.st.Active = ""
	if r := a.st.Room(room); a.opts.Room == "" && r != nil && r.Parted {
		a.st = a.st.Open(room)
		a.loadCache(room)
		a.left(room)
	} else {
		a.open(room)
	}
	if room != last && a.st.Room(last) != nil {
		a.st.Previous = last
	}
	if notice != "" {
		a.st.Notice = notice
	}
}

// save keeps what is to outlive the program, now and then and at the end.
func (a *app) save(end bool) (err error) {
	if a.profile == nil || !end && time.Since(a.savedAt) < saveEvery {
		return nil
	}
	a.savedAt = time.Now()
	saved := a.st.Save()
	if a.unkept != nil {
		if written := saved.Written(a.loaded); end && written != "" {
			return fmt.Errorf("%s could not be kept: %w", written, a.unkept)
		}
		return nil
	}
	if now := fmt.Sprintf("%+v", saved); now != a.saved {
		if err = a.profile.Save(saved); err != nil {
			a.say("%v", err)
		} else {
			a.saved = now
		}
	}
	for _, r := range a.st.Rooms {
		done := a.cachedAt[r.Name]
		if r.Last == done.last || !end && a.savedAt.Sub(done.at) < cacheEvery {
			continue
		}
		records := r.Records(cached)
		if len(records) == 0 {
			continue
		}
		a.cachedAt[r.Name] = cachedRoom{r.Last, a.savedAt}
		if err := a.profile.SaveRoom(r.Name, records, r.Last); err != nil {
			a.opts.Logger.Warn("save a room", "room", r.Name, "err", err)
		}
		if !end {
			return err // one at a time: a keypress waits for no more
		}
	}
	return err
}

// loadCache shows what the disk has of a room that has no lines yet.
func (a *app) loadCache(name string) {
	r := a.st.Room(name)
	if a.profile == nil || len(r.Lines) > 0 {
		return
	}
	records, head, err := a.profile.LoadRoom(name)
	if err != nil {
		a.say("%v", err)
	}
	if len(records) > 0 {
		a.st = a.st.WithHistory(name, comms.HistoryPage{Room: name, Records: records, Head: head})
		a.cachedAt[name] = cachedRoom{head, a.opts.Now()}
	}
}
