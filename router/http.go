package router

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"positivity-exchange/comms"
	"positivity-exchange/membership"
)

// Status asks every shard and returns the whole cluster's state. Other routers
// are not asked: members talk to shards only.
func (r *Router) Status(ctx context.Context) comms.StatusReport {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	members := r.opts.Gossip.Members()
	report := comms.StatusReport{Cluster: r.opts.Cluster, Partitions: membership.Partitions, Table: fmt.Sprintf("%016x", r.opts.Gossip.Table().Version()), Members: make([]comms.MemberStatus, len(members))}
	var wg sync.WaitGroup
	for i, m := range members {
		report.Members[i] = comms.MemberStatus{Name: m.Name, Role: string(m.Role), State: string(m.State), Client: m.Client, Gossip: m.Gossip, Boot: m.Boot, Unknown: true, Cut: m.Cut}
		if m.Role != membership.RoleShard {
			continue
		}
		wg.Go(func() {
			e, err := r.opts.Peers.Call(ctx, m.Client, comms.Status{})
			if s, ok := e.(comms.StatusReport); err == nil && ok && len(s.Members) == 1 && s.Members[0].Boot == m.Boot {
				now := &report.Members[i]
				now.Owned, now.Rooms, now.Sessions, now.Unknown = s.Members[0].Owned, s.Members[0].Rooms, s.Members[0].Sessions, false
			}
		})
	}
	wg.Wait()
	r.mu.Lock()
	sessions := len(r.conns)
	r.mu.Unlock()
	for i := range report.Members {
		if report.Members[i].Boot == r.opts.Boot {
			report.Members[i].Sessions, report.Members[i].Unknown = sessions, false
		}
	}
	return report
}

// unready says why a client that came now could not talk, "" if it could. Who
// was ready does not stay so: shards die, and a full disk or a store that is
// away cuts them all.
func (r *Router) unready() string {
	shards := r.opts.Gossip.Table().Shards()
	if len(shards) == 0 {
		return "no shard serves"
	}
	if !slices.ContainsFunc(shards, func(m membership.Member) bool { return !m.Cut }) {
		return "all shards are cut off from the room log"
	}
	select {
	case <-r.ready:
		return ""
	default:
		return "the shards have not reported all rooms yet"
	}
}

func (r *Router) serveHTTP(ctx context.Context) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if why := r.unready(); why != "" {
			http.Error(w, "not ready: "+why, http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ready")
	})
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(r.Status(req.Context())) //nolint:errcheck // the asker went away
	})
	server := &http.Server{Handler: mux, ReadTimeout: 5 * time.Second, WriteTimeout: 5 * time.Second, IdleTimeout: time.Minute, ErrorLog: slog.NewLogLogger(r.logger.Handler(), slog.LevelDebug)}
	stop := context.AfterFunc(ctx, func() { server.Close() }) //nolint:errcheck // it is over
	defer stop()
	if err := server.Serve(r.opts.HTTP); err != nil && ctx.Err() == nil {
		r.logger.Error("http", "err", err)
	}
}
