package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"positivity-exchange/cmd/internal/stress"
	"positivity-exchange/comms"
	"positivity-exchange/comms/tlsconn"
	"positivity-exchange/comms/tlsconn/testcert"
)

// target is a server to be measured: started anew for every run.
type target interface {
	name() string
	start(ctx context.Context) (running, error)
}

// running is a started target.
type running struct {
	dialect stress.Dialect
	kind    string // of server: px or nats
	addr    string // where it is spoken to: of px, the router's
	pids    []int  // that count
	others  []int  // that serve, and count apart: routers
	stop    func()

	shardAddr  string        // of the first shard
	shardReady time.Duration // from its start until it served
}

// natsTarget is a NATS core server in a process of its own: this program's.
type natsTarget struct{ self string }

func (natsTarget) name() string { return "nats" }

func (t natsTarget) start(ctx context.Context) (running, error) {
	p, err := startServer(ctx, nil, os.Stderr, t.self, "serve-nats")
	if err != nil {
		return running{}, err
	}
	return running{dialect: nats{p.addr("client")}, kind: t.name(), addr: p.addr("client"), pids: []int{p.pid()}, stop: p.stop}, nil
}

// pxTarget is a cluster of one build of px: shards and a router, with the
// embedded room log in a temporary directory.
type pxTarget struct {
	label  string
	path   string
	shards int
	args   []string       // of the shards
	env    []string       // of the shards
	store  string         // copied before the start; empty: begins with nothing
	files  testcert.Files // for TLS; zero: plain
	logTo  *os.File
}

func (t pxTarget) name() string { return t.label }

func (t pxTarget) start(ctx context.Context) (r running, err error) {
	dir, err := os.MkdirTemp("", "yardstick-")
	if err != nil {
		return r, err
	}
	var list []*process
	var addrs []string
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
	var config *tls.Config
	if t.files != (testcert.Files{}) {
		common = append(common, "--tls-cert", t.files.Cert, "--tls-key", t.files.Key, "--tls-ca", t.files.CA)
		if config, err = tlsconn.Roots(t.files.CA); err != nil {
			return r, err
		}
	}
	if err := copyStore(t.store, filepath.Join(dir, "data")); err != nil {
		return r, err
	}
	for i := range t.shards {
		began := time.Now()
		args := append([]string{"shard", "--name", fmt.Sprintf("s%d", i+1)}, common...)
		p, err := startServer(ctx, t.env, t.logTo, t.path, append(args, t.args...)...)
		if err != nil {
			return r, err
		}
		list = append(list, p)
		if i == 0 {
			r.shardAddr, r.shardReady = p.addr("client"), time.Since(began)
		}
		addrs = append(addrs, p.addr("client"))
		r.pids = append(r.pids, p.pid())
	}
	router, err := startServer(ctx, nil, t.logTo, t.path, append([]string{"router", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"}, common...)...)
	if err != nil {
		return r, err
	}
	list = append(list, router)
	r.others = []int{router.pid()}
	r.kind, r.addr = "px", router.addr("client")
	r.dialect = stress.NewPx([]string{r.addr}, config)
	return r, agree(ctx, r.dialect, append(addrs, r.addr), t.shards)
}

// agree waits until all members have the same table of all shards: rooms opened
// before that would move while they are measured.
func agree(ctx context.Context, d stress.Dialect, addrs []string, shards int) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	ticket, err := d.Login(ctx, "yardstick")
	if err != nil {
		return err
	}
	for {
		tables := map[string]int{}
		for _, addr := range addrs {
			nc, err := d.Connect(ctx, addr, "yardstick", ticket)
			if err != nil {
				return err
			}
			conn := comms.NewClientConn(nc)
			var took time.Duration
			report, err := ask[comms.StatusReport](conn, comms.Status{}, &took)
			conn.Close() //nolint:errcheck // it was only read
			if err != nil {
				return err
			}
			tables[report.Table]++
			if len(report.Members) > 1 && active(report) != shards {
				tables["not all shards are active"]++
			}
		}
		if len(tables) == 1 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the members do not agree on one table: %v", tables)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func active(report comms.StatusReport) (n int) {
	for _, m := range report.Members {
		if m.Role == "shard" && m.State == "active" {
			n++
		}
	}
	return n
}
