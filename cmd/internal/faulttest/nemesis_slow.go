package faulttest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// slowLogFile, in a process's folder of failpoints, delays its log while it exists.
const slowLogFile = "slow-log"

// slowLog arms a process so.
func slowLog(folder string) string {
	file := filepath.Join(folder, slowLogFile)
	return "roomlog.append.beforeBegin=delay:50ms-500ms@" + file + ";roomlog.beat.inWrite=delay:50ms-500ms@" + file + ";"
}

func slowNemeses() []Nemesis {
	return []Nemesis{
		// A message may wait for the append before it and for its own, and a person
		// who comes in meanwhile for those that the coming needs.
		{Name: "slow-log", Least: 4 * time.Second, Most: 8 * time.Second, Limits: Limits{Max: 2 * time.Second}, Others: Limits{Max: 2 * time.Second}, Still: true, Run: delayLog},
		// What people get over such a link is not asked for; others must not notice.
		{Name: "slow-link", Needs: onNetwork, Least: 4 * time.Second, Most: 8 * time.Second, Others: others, Run: slowLink},
	}
}

// delayLog delays every append and every heartbeat of all shards by 50 to 500 ms.
func delayLog(ctx context.Context, e *Episode) error {
	var files []string
	var errs []error
	for _, p := range e.Cluster.Live("shard") {
		files = append(files, filepath.Join(p.arm, slowLogFile))
	}
	e.Began("all")
	for _, file := range files {
		errs = append(errs, os.WriteFile(file, nil, 0o600))
	}
	pass(ctx, e.Length)
	for _, file := range files {
		errs = append(errs, os.Remove(file))
	}
	return errors.Join(errs...)
}

// slowLink lets a shard's cable carry 64 KiB/s. The hot room's owner is left
// out while there is another: its people alone want more than that.
func slowLink(ctx context.Context, e *Episode) error {
	list := e.Cluster.Live("shard")
	e.Rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	hot := e.Load.Owner(e.Load.Hot())
	list = slices.DeleteFunc(list, func(p *Process) bool { return p.Name == hot })
	p, err := e.first(list)
	if err != nil {
		return err
	}
	m, err := e.Cluster.opts.Site.Machine(p.Name)
	if err != nil {
		return err
	}
	before := e.Load.Moves()
	e.Began(p.Name)
	net := e.Cluster.opts.Site.Net
	if err := net.Slow(m, 64<<10); err != nil {
		return err
	}
	pass(ctx, e.Length)
	e.Note("%d rooms moved meanwhile", e.Load.Moves()-before)
	return errors.Join(net.Slow(m, 0), e.heals(ctx))
}
