package membership_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"positivity-exchange/membership"
)

// roster is a list of members that a test changes.
type roster struct {
	mu      sync.Mutex
	members []membership.Member
	changed chan struct{}
}

func (r *roster) Members() []membership.Member {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.members)
}

func (r *roster) Watch() (<-chan struct{}, func()) { return r.changed, func() {} }

func (r *roster) set(members ...membership.Member) {
	r.mu.Lock()
	r.members = members
	r.mu.Unlock()
	r.changed <- struct{}{}
}

// TestEachShardRunsWhileItIsAMember: each boot once, routers never, and nothing is
// left over at the end.
func TestEachShardRunsWhileItIsAMember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &roster{changed: make(chan struct{}, 1)}
		ctx, cancel := context.WithCancel(t.Context())
		var mu sync.Mutex
		var told []string
		tell := func(what string, m membership.Member) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, fmt.Sprint(what, " ", m.Boot))
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			membership.EachShard(ctx, r, func(ctx context.Context, m membership.Member) {
				tell("begin", m)
				<-ctx.Done()
				tell("end", m)
			})
		}()
		a, b := membership.Member{Boot: "a", Role: membership.RoleShard}, membership.Member{Boot: "b", Role: membership.RoleShard}
		for _, members := range [][]membership.Member{{a}, {a, {Boot: "r", Role: membership.RoleRouter}}, {b}, {a, b}} {
			r.set(members...)
			synctest.Wait()
		}
		cancel()
		<-ended
		slices.Sort(told)
		if got, want := strings.Join(told, ", "), "begin a, begin a, begin b, end a, end a, end b"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}
