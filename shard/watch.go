package shard

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"positivity-exchange/comms"
	"positivity-exchange/membership"
	"positivity-exchange/shard/ownership"
)

// reportSize is how many rooms one report carries.
const reportSize = 200

// reportAgain is how long a report waits that the log did not answer for.
const reportAgain = time.Second

// watcher is a member that wants to know this shard's rooms.
type watcher struct {
	session *session
	wake    chan struct{} // one slot

	mu    sync.Mutex
	dirty map[int]bool

	// Of run alone.
	told, due map[int]bool
}

// watch reports the rooms of the partitions that the table gives to us, now
// and at each change, until the session ends.
func (s *Server) watch(sess *session) {
	w := &watcher{session: sess, wake: make(chan struct{}, 1), dirty: map[int]bool{}, told: map[int]bool{}, due: map[int]bool{}}
	s.mu.Lock()
	s.watchers[w] = struct{}{}
	s.mu.Unlock()
	s.wg.Go(func() {
		w.run(s)
		s.mu.Lock()
		delete(s.watchers, w)
		s.mu.Unlock()
	})
}

// run reports what is due until the session ends. What the log does not tell is
// asked for again.
func (w *watcher) run(s *Server) {
	changed, stop := s.opts.Gossip.Watch()
	defer stop()
	var failing error
	for {
		w.look(s.opts.Gossip)
		before := failing
		failing = s.reportAll(w.session, w.due)
		if w.session.ctx.Err() != nil {
			return
		}
		var again <-chan time.Time
		if failing != nil {
			again = time.After(reportAgain)
			if before == nil {
				s.logger.Warn("rooms cannot be listed now; the log is asked again", "partitions", len(w.due), "err", failing)
			}
		}
		select {
		case <-w.session.ctx.Done():
			return
		case <-changed:
		case <-w.wake:
		case <-again:
		}
	}
}

// look adds what is to be reported now to what is due.
func (w *watcher) look(gossip ownership.Gossip) {
	w.mu.Lock()
	dirty := w.dirty
	w.dirty = map[int]bool{}
	w.mu.Unlock()
	table, self := gossip.Table(), gossip.Self()
	for p := range membership.Partitions {
		owner, ok := table.Owner(p)
		mine := ok && owner.Boot == self.Boot
		if mine && !w.told[p] || dirty[p] {
			w.due[p] = true
		}
		w.told[p] = mine
	}
}

// reportAll reports the partitions that are due, and takes them off; those of
// which the log does not tell stay on.
func (s *Server) reportAll(sess *session, due map[int]bool) (err error) {
	for p := range due {
		if failed := s.report(sess, p); failed != nil {
			err = failed
		} else {
			delete(due, p)
		}
	}
	return err
}

// report sends one partition's rooms, read without owning it: all of them, or
// nothing, since who gets them forgets the others.
func (s *Server) report(sess *session, partition int) error {
	var list []comms.Room
	have := map[string]bool{}
	for after := ""; ; {
		page, err := s.opts.Log.Rooms(sess.ctx, partition, after, 1000)
		if err != nil {
			return fmt.Errorf("list the rooms of partition %d: %w", partition, err)
		}
		for _, r := range page {
			list = append(list, comms.Room{Name: r.Name, Description: r.Description})
			have[r.Name] = true
		}
		if len(page) < 1000 {
			break
		}
		after = page[len(page)-1].Name
	}
	for _, r := range s.seeds[partition] {
		if !have[r.Name] {
			list = append(list, r)
		}
	}
	slices.SortFunc(list, func(a, b comms.Room) int { return strings.Compare(a.Name, b.Name) })
	for first := true; first || len(list) > 0; first = false {
		n := min(reportSize, len(list))
		if err := sess.out.Wait(sess.ctx); err != nil {
			return err
		}
		sess.send(comms.RoomReport{Partition: partition, Rooms: list[:n], First: first, More: n < len(list)})
		list = list[n:]
	}
	return nil
}

// roomsChanged tells the watchers that a partition's list is another now.
func (s *Server) roomsChanged(partition int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := range s.watchers {
		w.mu.Lock()
		w.dirty[partition] = true
		w.mu.Unlock()
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}
