package faulttest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"positivity-exchange/client"
	"positivity-exchange/cmd/internal/faulttest/checker"
	"positivity-exchange/comms"
	"positivity-exchange/membership"
	"positivity-exchange/shard/roomlog/jetstreamlog/natstest"
)

// Plan is one run.
type Plan struct {
	Seed    uint64 // of the load; the schedule is Phases
	Replay  string // how to run it again, said when it fails
	Binary  string
	NATS    int // servers of the room log; 0: SQLite
	Cluster Options
	Load    LoadOptions
	Phases  []Phase
	// FewestMoves is how often rooms must move at least; 0 means 1, less than 0 none.
	FewestMoves int
	Between     time.Duration // quiet after each phase; 0: 3 s
	NoFigures   bool          // pauses are printed and not judged
}

// run is a Plan at work.
type run struct {
	t       testing.TB
	plan    Plan
	history string
	cluster *Cluster
	load    *Load
	log     *checker.Log
	origin  time.Time

	episodes []*Episode
	settled  []time.Duration // how long the cluster took to converge
	late     atomic.Int64    // by how much the machine let the driver itself wait at most
}

// Execute runs a plan and fails t with whatever did not hold.
func Execute(t testing.TB, plan Plan) {
	t.Helper()
	dir, err := os.MkdirTemp("", "px-fault-")
	if err != nil {
		t.Fatal(err)
	}
	told := &reasons{TB: t}
	t = told
	r := &run{t: t, plan: plan, history: filepath.Join(dir, "history")}
	defer func() {
		if t.Failed() {
			t.Logf("history and logs are kept in %s; to run it again: %s", dir, plan.Replay)
			told.again()
			return
		}
		if os.Getenv("PX_FAULT_KEEP") != "" {
			t.Logf("history and logs are kept in %s", dir)
			return
		}
		os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	}()
	if plan.NATS > 0 {
		host := ""
		if plan.Cluster.Site != nil {
			host = plan.Cluster.Site.Net.Host()
		}
		plan.Cluster.NATS = natstest.StartClusterAt(t, host, plan.NATS)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	plan.Cluster.Dir, plan.Cluster.Binary = dir, plan.Binary
	if r.cluster, err = StartCluster(ctx, plan.Cluster); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.cluster.Close(); err != nil {
			t.Error(err)
		}
	}()
	f, err := os.Create(r.history)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // flushed before it is read
	r.origin = time.Now()
	r.log = checker.NewLog(f, func() int64 { return int64(time.Since(r.origin)) })
	r.load = newLoad(plan.Load, r.cluster.Routers(), r.log, r.origin, plan.Seed, t.Logf)
	var watching sync.WaitGroup
	watching.Go(func() { r.watchMachine(ctx) })
	defer watching.Wait()
	defer cancel()
	began := r.load.begin(ctx)
	if began == nil {
		pass(ctx, 2*between) // the base line of pauses
		for _, phase := range plan.Phases {
			r.phase(ctx, phase)
		}
	}
	r.finish(ctx, began)
}

// watchMachine notes by how much a short wait of the driver's own is late: what
// this machine, with all that runs on it, may add to any pause.
func (r *run) watchMachine(ctx context.Context) {
	const wait = 5 * time.Millisecond
	for ctx.Err() == nil {
		start := time.Now()
		pass(ctx, wait)
		r.late.Store(max(r.late.Load(), int64(time.Since(start)-wait)))
	}
}

// phase runs a phase's episodes and waits until the cluster has converged.
func (r *run) phase(ctx context.Context, phase Phase) {
	var wg sync.WaitGroup
	start := time.Now()
	before := r.load.Moves()
	still := true
	for _, entry := range phase {
		n, err := named(entry.Nemesis)
		if err != nil {
			r.t.Error(err)
			return
		}
		still = still && n.Still
		id := fmt.Sprintf("%d-%s", len(r.episodes)+1, n.Name)
		if n.Needs != nil {
			if why := n.Needs(r.cluster); why != "" {
				r.t.Logf("%s is skipped: %s", id, why)
				continue
			}
		}
		e := &Episode{
			Nemesis: n, ID: id, Length: entry.Length, Rand: rand.New(rand.NewPCG(entry.Seed, 0)),
			Cluster: r.cluster, Load: r.load, Logf: r.t.Logf, alone: len(phase) == 1,
		}
		r.episodes = append(r.episodes, e)
		wg.Go(func() {
			pass(ctx, time.Until(start.Add(entry.At)))
			err := n.Run(ctx, e)
			e.end()
			if errors.Is(err, errBusy) {
				r.t.Logf("%s: %v", id, err)
			} else if err != nil {
				r.t.Errorf("%s: %v", id, err)
			}
		})
	}
	wg.Wait()
	took, err := converge(ctx, r.cluster, r.load, time.Now())
	if err != nil {
		r.t.Error(err)
	}
	r.settled = append(r.settled, took)
	if still && len(phase) > 0 && r.load.Moves() != before {
		r.t.Errorf("%v: %d rooms moved, none should", phase, r.load.Moves()-before)
	}
	if r.plan.Between == 0 {
		r.plan.Between = between
	}
	// Rooms may still be going home; the next phase may ask that none moves.
	for moves, calm := r.load.Moves(), time.Now(); time.Since(calm) < r.plan.Between && ctx.Err() == nil; pass(ctx, 20*time.Millisecond) {
		if now := r.load.Moves(); now != moves && time.Since(start) < convergePatient {
			moves, calm = now, time.Now()
		}
	}
}

// finish ends the load, looks at what is left, reads the rooms from the log
// through fresh processes and checks it all.
func (r *run) finish(ctx context.Context, began error) {
	if began != nil {
		r.t.Errorf("the load did not come in: %v", began)
		r.load.end()
		return
	}
	over := time.Now()
	r.load.endTalk()
	if err := presence(ctx, r.load, over); err != nil {
		r.t.Error(err)
	}
	if err := r.readersEnd(ctx); err != nil {
		r.t.Error(err)
	}
	r.load.end()
	for _, err := range append(r.cluster.Surprises(), r.load.errs...) {
		r.t.Error(err)
	}
	lines, errs := bounded(ctx, r.cluster)
	for _, err := range errs {
		r.t.Error(err)
	}
	if err := r.final(ctx); err != nil {
		r.t.Error(err)
	}
	if err := r.log.Flush(); err != nil {
		r.t.Error(err)
		return
	}
	report, err := checker.CheckFile(r.history, checker.Options{PartitionOf: membership.Partition, FewestMoves: r.plan.FewestMoves})
	if err != nil {
		r.t.Error(err)
		return
	}
	for _, b := range report.Breaches {
		r.t.Errorf("BREACH %s", b)
	}
	if report.Unknown > 0 {
		r.t.Errorf("I12 converges: %d messages have no outcome after %s without a fault", report.Unknown, r.load.opts.Grace)
	}
	if more := report.Breached - len(report.Breaches); more > 0 {
		r.t.Errorf("and %d breaches more", more)
	}
	r.report(report, lines)
}

// readersEnd waits until every reader has all of its room.
func (r *run) readersEnd(ctx context.Context) error {
	s, err := r.load.connect(ctx, "head")
	if err != nil {
		return err
	}
	defer s.Close() //nolint:errcheck // never fails
	drop(s)
	var errs []error
	for _, room := range r.load.Rooms() {
		limited, cancel := context.WithTimeout(ctx, convergeWithin)
		page, err := s.History(limited, comms.History{Room: room, Before: comms.MaxSeq, Limit: 1})
		cancel()
		if err != nil {
			errs = append(errs, fmt.Errorf("head of #%s: %w", room, err))
			continue
		}
		errs = append(errs, until(ctx, convergeWithin, fmt.Sprintf("reader at the head %d of #%s", page.Head, room), func() bool {
			return len(r.load.behind(room, page.Head)) == 0
		}))
		for _, who := range r.load.readersOf(room) {
			r.log.Add(checker.Event{Kind: checker.End, Room: room, Who: who})
		}
	}
	return errors.Join(errs...)
}

// drop reads a session's events that nobody needs.
func drop(s *client.Session) {
	go func() {
		for range s.Events() { //nolint:revive // not needed
		}
	}()
}

// final kills whatever lives and reads all rooms from the log, through a shard,
// a router and a client that are new.
func (r *run) final(ctx context.Context) error {
	for _, p := range r.cluster.All() {
		p.Kill()
	}
	fresh, err := r.cluster.StartShard("fresh")
	if err != nil {
		return err
	}
	router, err := r.cluster.StartRouter("fresh-router")
	if err != nil {
		return err
	}
	rooms := r.load.allRooms()
	work := make(chan string, len(rooms))
	for _, room := range rooms {
		work <- room
	}
	close(work)
	const readers = 4
	errs := make([]error, readers)
	var wg sync.WaitGroup
	for i := range readers {
		wg.Go(func() {
			s, err := client.Connect(ctx, client.Options{Routers: []string{router.Client}})
			if err != nil {
				errs[i] = err
				return
			}
			defer s.Close() //nolint:errcheck // never fails
			drop(s)
			for room := range work {
				if err := r.finalRoom(ctx, s, room); err != nil {
					errs[i] = errors.Join(errs[i], err)
				}
			}
		})
	}
	wg.Wait()
	for _, p := range []*Process{fresh, router} {
		if err := p.Terminate(drainWithin); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// finalRoom writes one room's history down.
func (r *run) finalRoom(ctx context.Context, s *client.Session, room string) error {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	all, err := readHistory(ctx, s, room)
	if err != nil {
		return err
	}
	for _, rec := range all {
		r.log.Add(checker.Event{Kind: checker.Final, Room: room, Who: s.User(), Seq: rec.Seq, Epoch: rec.Epoch, Author: rec.User, ID: rec.ID, Hash: checker.Hash(rec.Content)})
	}
	r.log.Add(checker.Event{Kind: checker.Read, Room: room, Who: s.User(), Seq: uint64(len(all))})
	return nil
}

// logged counts lines of all processes' logs that hold a text.
func (r *run) logged(text string) (n int) {
	for _, p := range r.cluster.All() {
		n += strings.Count(p.Logged(), text)
	}
	return n
}

// hit tells whether an episode's targets include the shard named owner@addr.
func hit(targets, owner string) bool {
	name, _, _ := strings.Cut(owner, "@")
	return slices.Contains(strings.Split(targets, ","), name)
}
