package transfer

import (
	"context"
	"fmt"
	"sync"
	"time"

	"positivity-exchange/shard/roomlog"
)

// importName stands on the roll and in owner records while an import runs.
const importName = "import"

// beatEvery is how often the import shows that it lives.
const beatEvery = 500 * time.Millisecond

// enroll makes sure that nobody uses the log and puts the import on its roll,
// so that no shard takes from it. leave ends that.
func (i *importer) enroll(ctx context.Context) (leave func() error, err error) {
	if err := i.nobodyLives(ctx); err != nil {
		return nil, err
	}
	self := roomlog.Process{Name: importName, Boot: i.boot, Role: importName, OS: roomlog.ThisProcess()}
	if err := retry(ctx, func() error { return i.log.Register(ctx, self) }); err != nil {
		return nil, err
	}
	beating, stop := context.WithCancel(context.WithoutCancel(ctx))
	var beats sync.WaitGroup
	beats.Go(func() {
		tick := time.NewTicker(beatEvery)
		defer tick.Stop()
		for {
			select {
			case <-beating.Done():
				return
			case <-tick.C:
				i.log.Beat(beating, i.boot, nil) //nolint:errcheck // the next one may succeed
			}
		}
	})
	return func() error {
		stop()
		beats.Wait()
		return i.log.Strike(context.WithoutCancel(ctx), i.boot)
	}, nil
}

// nobodyLives looks at the roll twice: whose heartbeat changes in between, or
// whose process is there, lives.
func (i *importer) nobodyLives(ctx context.Context) error {
	var before []roomlog.Entry
	err := retry(ctx, func() (err error) { before, err = i.log.Entries(ctx); return err })
	if err != nil {
		return err
	}
	beats := map[string]uint64{}
	for _, e := range before {
		known, gone := roomlog.ProcessGone(e.OS)
		switch {
		case known && gone:
		case known:
			return inUse(e)
		default:
			beats[e.Boot] = e.Beat
		}
	}
	if len(beats) == 0 {
		return nil
	}
	select { // they are on other machines, or in other containers
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(3 * beatEvery):
	}
	var after []roomlog.Entry
	if err := retry(ctx, func() (err error) { after, err = i.log.Entries(ctx); return err }); err != nil {
		return err
	}
	for _, e := range after {
		if beat, there := beats[e.Boot]; there && beat != e.Beat {
			return inUse(e)
		}
	}
	return nil
}

func inUse(e roomlog.Entry) error {
	return fmt.Errorf("the log is in use by %s %s (process %d, %s): stop it first", e.Role, e.Name, e.OS.PID, e.Client)
}
