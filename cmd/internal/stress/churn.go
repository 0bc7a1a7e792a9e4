package stress

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// errEnough ends the coming and going.
var errEnough = errors.New("the time is over")

// churn keeps as many sessions coming and going as the profile has, for the
// duration: each logs in, joins its rooms, speaks in them, leaves them and ends.
func (r *run) churn(ctx context.Context) error {
	// Not a deadline: dialing would fail at it with an error of its own.
	lives, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	timer := time.AfterFunc(r.profile.Duration, func() { stop(errEnough) })
	defer timer.Stop()
	var wg sync.WaitGroup
	for i := range r.profile.Sessions {
		wg.Go(func() {
			for n := i; lives.Err() == nil; n++ {
				if err := r.life(lives, n); err != nil && lives.Err() == nil {
					stop(err)
				}
			}
		})
	}
	wg.Wait()
	if err := context.Cause(lives); !errors.Is(err, errEnough) {
		return err
	}
	return nil
}

// life is one session's. One that ctx interrupts stays, and is ended with the run.
func (r *run) life(ctx context.Context, first int) error {
	s := r.newSession()
	if err := r.attach(ctx, s, first); err != nil {
		return err
	}
	err := r.await(ctx, func() bool {
		return len(s.seats) == r.profile.Joins && !slices.ContainsFunc(s.seats, func(st *seat) bool {
			return st.speaker == nil || int(st.speaker.acked) < r.profile.Talk
		})
	})
	if err != nil {
		return err
	}
	r.mu.Lock()
	for _, st := range s.seats {
		st.leaving = true
		st.link.out = r.dialect.AppendLeave(st.link.out, &st.room.Room)
		st.link.flush()
	}
	r.mu.Unlock()
	if err := r.await(ctx, func() bool { return len(s.seats) == 0 }); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s.gone = true
	for _, l := range s.links {
		l.end(nil)
	}
	r.sessions = slices.DeleteFunc(r.sessions, func(other *session) bool { return other == s })
	return nil
}
