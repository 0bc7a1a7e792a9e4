package membership

import (
	"context"
	"sync"
)

// Roster tells who is a member. *Cluster is one.
type Roster interface {
	Members() []Member
	Watch() (changed <-chan struct{}, stop func())
}

// EachShard runs run for every shard, beside each other, each under a context that
// ends once it is no member any more. It returns after ctx has ended and the last
// run has returned; a run that returns sooner is not begun anew.
func EachShard(ctx context.Context, roster Roster, run func(context.Context, Member)) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	changed, stop := roster.Watch()
	defer stop()
	running := map[string]context.CancelFunc{} // by boot
	for {
		seen := map[string]bool{}
		for _, m := range roster.Members() {
			if m.Role != RoleShard {
				continue
			}
			seen[m.Boot] = true
			if running[m.Boot] == nil {
				runCtx, cancel := context.WithCancel(ctx)
				running[m.Boot] = cancel
				wg.Go(func() { run(runCtx, m) })
			}
		}
		for boot, cancel := range running {
			if !seen[boot] {
				cancel()
				delete(running, boot)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
}
