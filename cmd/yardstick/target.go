package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"positivity-exchange/cmd/internal/stress"
)

// target is a server to be measured: started anew for every run.
type target interface {
	name() string
	start(ctx context.Context) (running, error)
}

// running is a started target.
type running struct {
	dialect stress.Dialect
	pids    []int // that count
	others  []int // that serve, and count apart: routers
	stop    func()

	shardAddr  string        // of the first shard
	shardReady time.Duration // from its start until it served
}

// natsTarget is a NATS core server in a process of its own: this program's.
type natsTarget struct{ self string }

func (natsTarget) name() string { return "nats" }

func (t natsTarget) start(ctx context.Context) (running, error) {
	p, err := start(ctx, os.Stderr, t.self, "serve-nats")
	if err != nil {
		return running{}, err
	}
	return running{dialect: nats{p.addr("client")}, pids: []int{p.pid()}, stop: p.stop}, nil
}

// pxTarget is a cluster of one build of px: shards and a router, with the
// embedded room log in a temporary directory.
type pxTarget struct {
	label  string
	path   string
	shards int
	args   []string // of the shards
	env    []string // of the shards
	store  string   // copied before the start; empty: begins with nothing
	logTo  *os.File
}

func (t pxTarget) name() string { return t.label }

func (t pxTarget) start(ctx context.Context) (r running, err error) {
	dir, err := os.MkdirTemp("", "yardstick-")
	if err != nil {
		return r, err
	}
	var list []*process
	r.stop = func() {
		for i := len(list) - 1; i >= 0; i-- {
			list[i].stop()
		}
		os.RemoveAll(dir) //nolint:errcheck // a temporary directory
	}
	defer func() {
		if err != nil {
			r.stop()
		}
	}()
	common := []string{"--data", filepath.Join(dir, "data"), "--gossip", "127.0.0.1:0", "--log-level", "warn"}
	if err := copyStore(t.store, filepath.Join(dir, "data")); err != nil {
		return r, err
	}
	for i := range t.shards {
		began := time.Now()
		args := append([]string{"shard", "--name", fmt.Sprintf("s%d", i+1)}, common...)
		p, err := startWith(ctx, t.env, t.logTo, t.path, append(args, t.args...)...)
		if err != nil {
			return r, err
		}
		list = append(list, p)
		if i == 0 {
			r.shardAddr, r.shardReady = p.addr("client"), time.Since(began)
		}
		r.pids = append(r.pids, p.pid())
	}
	router, err := start(ctx, t.logTo, t.path, append([]string{"router", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"}, common...)...)
	if err != nil {
		return r, err
	}
	list = append(list, router)
	r.others = []int{router.pid()}
	r.dialect = stress.NewPx([]string{router.addr("client")}, nil)
	return r, nil
}
