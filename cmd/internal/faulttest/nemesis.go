package faulttest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"positivity-exchange/cmd/internal/faulttest/checker"
)

// Nemesis is one way to harm a cluster.
type Nemesis struct {
	Name string
	// Needs tells why it cannot be done to this cluster, on this machine or by
	// this user; "" if it can. Nil: it always can.
	Needs func(c *Cluster) string
	// Least and Most bound the length that a schedule draws.
	Least, Most time.Duration
	// Limits bound the pauses of the rooms that it hits, and Others those of
	// rooms whose shard it leaves alone.
	Limits, Others Limits
	// Still: no room may move.
	Still bool
	// Run harms the cluster, waits for e.Length and heals it before it returns,
	// also when ctx ends early. An error is a failure of the run.
	Run func(ctx context.Context, e *Episode) error
}

// Limits of pauses; a zero figure bounds nothing.
type Limits struct{ P50, P99, Max time.Duration }

// Limits of the events that the design gives figures for.
var (
	planned = Limits{20 * time.Millisecond, 100 * time.Millisecond, 500 * time.Millisecond}
	crash   = Limits{200 * time.Millisecond, 500 * time.Millisecond, 2 * time.Second}
	silence = Limits{2 * time.Second, 3 * time.Second, 5 * time.Second}
	frozen  = Limits{2500 * time.Millisecond, 3500 * time.Millisecond, 5500 * time.Millisecond} // inside a transaction
	others  = Limits{Max: 500 * time.Millisecond}
)

// Nemeses lists all there are.
func Nemeses() []Nemesis {
	return slices.Concat(
		moveNemeses(),
		killNemeses(),
		freezeNemeses(),
		restartNemeses(),
		releaseNemeses(),
		serverNemeses(),
		netNemeses(),
		logNemeses(),
		slowNemeses(),
		diskNemeses(),
		answerNemeses(),
	)
}

// Episode is a nemesis at work, once.
type Episode struct {
	Nemesis Nemesis
	ID      string // "7-kill": unique in its run
	Length  time.Duration
	Rand    *rand.Rand
	Cluster *Cluster
	Load    *Load
	Logf    func(format string, args ...any)

	alone bool // no other episode overlaps with it

	mu      sync.Mutex
	began   bool
	claimed []*Process
	notes   []string
}

// Began writes into the history that the harm is done now, to whom. Pauses are
// measured from here; only the first call counts.
func (e *Episode) Began(targets ...string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.began {
		return
	}
	e.began = true
	e.Load.log.Add(checker.Event{Kind: checker.Fault, Who: e.ID, Code: strings.Join(targets, ",")})
	e.Logf("%s: %s", e.ID, strings.Join(targets, ", "))
}

// Note adds a remark to the report.
func (e *Episode) Note(format string, args ...any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.notes = append(e.notes, fmt.Sprintf(format, args...))
}

// Claim takes a process for this episode until it ends; false if another one
// has it, or if not one healthy shard would be left.
func (e *Episode) Claim(p *Process) bool {
	if p == nil || !p.Alive() || !e.Cluster.claim(p, 1) {
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.claimed = append(e.claimed, p)
	return true
}

// Shard claims a living shard: at random, the hot room's owner, or the newest.
func (e *Episode) Shard() (*Process, error) {
	list := e.Cluster.Live("shard")
	e.Rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	switch e.Rand.IntN(3) {
	case 0:
		if p := e.Cluster.Named(e.Load.Owner(e.Load.Hot())); p != nil {
			list = slices.Insert(list, 0, p)
		}
	case 1:
		if all := e.Cluster.Live("shard"); len(all) > 0 {
			list = slices.Insert(list, 0, all[len(all)-1])
		}
	}
	return e.first(list)
}

// OwnerOf claims the shard that serves a room.
func (e *Episode) OwnerOf(room string) (*Process, error) {
	return e.first([]*Process{e.Cluster.Named(e.Load.Owner(room))})
}

func (e *Episode) first(list []*Process) (*Process, error) {
	for _, p := range list {
		if e.Claim(p) {
			return p, nil
		}
	}
	return nil, errBusy
}

// Missed is err, of a blow that did not land; beside other episodes, which may
// be why, it is a remark only.
func (e *Episode) Missed(err error) error {
	if err == nil || e.alone {
		return err
	}
	e.Note("%v", err)
	return nil
}

// errBusy ends an episode that finds nothing to harm without harm.
var errBusy = fmt.Errorf("all that it could harm is harmed already")

// end lets go of what the episode claimed and writes that it is over.
func (e *Episode) end() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, p := range e.claimed {
		e.Cluster.unclaim(p)
	}
	if e.began {
		e.Load.log.Add(checker.Event{Kind: checker.Heal, Who: e.ID})
	}
}
