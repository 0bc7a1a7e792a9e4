package faulttest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"positivity-exchange/comms"
)

// convergeWithin is how long a cluster may take after its last fault until all
// rooms are writable, all tables are one and presence is true; what the machine
// adds by itself is known in the end only, so it is waited for longer.
const (
	convergeWithin  = 10 * time.Second
	convergePatient = 40 * time.Second
)

// status asks a router (or a px up) what it knows of the cluster.
func (p *Process) status(ctx context.Context) (report comms.StatusReport, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.HTTP+"/status", nil)
	if err != nil {
		return report, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return report, err
	}
	defer resp.Body.Close() //nolint:errcheck // read
	return report, json.NewDecoder(resp.Body).Decode(&report)
}

// OneTable is invariant I8 at this moment: every living process has the same
// table, and every router the same members, which are the living processes.
// It returns that table, or an error that says who differs.
func (c *Cluster) OneTable(ctx context.Context) (table string, err error) {
	tables := map[string]string{}
	for _, p := range append(c.Live("router"), c.Live("up")...) {
		report, err := p.status(ctx)
		if err != nil {
			return "", fmt.Errorf("status of %s: %w", p.Name, err)
		}
		tables[p.Name] = report.Table
		var names, want []string
		for _, m := range report.Members {
			names = append(names, m.Name)
			if m.Role == "shard" && m.State != "active" || m.State == "leaving" {
				return "", fmt.Errorf("%s has %s as %s", p.Name, m.Name, m.State)
			}
			if p.Kind == "up" && m.Role == "shard" {
				if tables[m.Name], err = c.tableOf(ctx, m.Client); err != nil {
					return "", fmt.Errorf("table of %s: %w", m.Name, err)
				}
			}
		}
		for _, q := range append(c.Live("shard"), c.Live("router")...) {
			want = append(want, q.Name)
		}
		slices.Sort(names)
		slices.Sort(want)
		if p.Kind == "router" && !slices.Equal(names, want) {
			return "", fmt.Errorf("%s has the members %v, alive are %v", p.Name, names, want)
		}
	}
	for _, p := range c.Live("shard") {
		if tables[p.Name], err = c.tableOf(ctx, p.Client); err != nil {
			return "", fmt.Errorf("table of %s: %w", p.Name, err)
		}
	}
	for name, t := range tables {
		if table == "" {
			table = t
		}
		if t != table {
			return "", fmt.Errorf("tables differ: %v (%s)", tables, name)
		}
	}
	return table, nil
}

func (c *Cluster) tableOf(ctx context.Context, addr string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	e, err := c.peers.Call(ctx, addr, comms.Status{})
	if err != nil {
		return "", err
	}
	report, ok := e.(comms.StatusReport)
	if !ok {
		return "", fmt.Errorf("%s answers %T", addr, e)
	}
	return report.Table, nil
}

// converge waits until invariants I8 and I12 hold and returns how long that
// took from the last heal on.
func converge(ctx context.Context, c *Cluster, l *Load, healed time.Time) (time.Duration, error) {
	var why error
	for {
		_, why = c.OneTable(ctx)
		if why == nil {
			if rooms := l.notWritable(healed); len(rooms) > 0 {
				why = fmt.Errorf("not writable: %v", rooms)
			}
		}
		took := time.Since(healed)
		if why == nil {
			return took, nil
		}
		if took > convergePatient || ctx.Err() != nil {
			return took, fmt.Errorf("I12 converges: %s after the last fault: %w", took.Round(time.Millisecond), why)
		}
		pass(ctx, 20*time.Millisecond)
	}
}

// presence waits until every room shows exactly those who are in it.
func presence(ctx context.Context, l *Load, healed time.Time) error {
	s, err := l.connect(ctx, "looker")
	if err != nil {
		return err
	}
	defer s.Close() //nolint:errcheck // never fails
	go func() {
		for range s.Events() { //nolint:revive // not needed
		}
	}()
	for _, room := range l.Rooms() {
		for {
			shown, err := participants(ctx, l, room)
			want := l.participants(room)
			if err == nil && slices.Equal(shown, want) {
				break
			}
			if time.Since(healed) > convergePatient || ctx.Err() != nil {
				return fmt.Errorf("I12 converges: #%s shows %v, there are %v; %v", room, shown, want, err)
			}
			pass(ctx, 100*time.Millisecond)
		}
	}
	return nil
}

// participants joins a room anew and returns who else is shown in it.
func participants(ctx context.Context, l *Load, room string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, silentFor)
	defer cancel()
	r := &reader{load: l, room: room, user: "looker"}
	conn, users, err := r.enter(ctx)
	if err != nil {
		return nil, err
	}
	conn.Close() //nolint:errcheck // read
	return slices.DeleteFunc(users, func(u string) bool { return u == r.user }), nil
}

// usage is what a process takes.
type usage struct {
	rss int // KiB
	fds int
}

func (p *Process) usage() (u usage, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID()))
	if err != nil {
		return u, err
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			u.rss, err = strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")))
		}
	}
	fds, err2 := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.PID()))
	if err == nil {
		err = err2
	}
	u.fds = len(fds)
	return u, err
}

var goroutineLine = regexp.MustCompile(`(?m)^goroutine \d+ `)

// goroutines ends a process with the signal that makes it write down its
// goroutines, and counts them.
func (p *Process) goroutines() (int, error) {
	p.MayEnd()
	before := len(goroutineLine.FindAllString(p.Logged(), -1))
	p.Signal(syscall.SIGQUIT)
	select {
	case <-p.ended:
	case <-time.After(10 * time.Second):
		return 0, fmt.Errorf("%s does not end at SIGQUIT", p.Name)
	}
	return len(goroutineLine.FindAllString(p.Logged(), -1)) - before, nil
}

// Bounds of invariant I10 for a process without sessions, after the storm: what
// it has anyway with a connection to each member and back, the files (database,
// write-ahead log and its index; a goroutine of database/sql) of every partition
// whose rooms it listed, and those of readers and goroutines for each that it holds.
const (
	mostKiB           = 256 << 10
	fdsAnyway         = 60
	fdsOfFile         = 3
	fdsOfPartition    = 8
	goroutinesAnyway  = 120
	goroutinesOfFile  = 1
	goroutinesOfOwned = 6
)

// bounded checks invariant I10 of all living processes, whose sessions have all
// ended, and ends them.
func bounded(ctx context.Context, c *Cluster) (lines []string, errs []error) {
	parts := map[string]int{} // partitions held
	for _, p := range append(c.Live("router"), c.Live("up")...) {
		report, err := p.status(ctx)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, m := range report.Members {
			if p.Kind == "up" {
				m.Name = "up"
			}
			parts[m.Name] = max(parts[m.Name], m.Owned)
			if p.Kind == "up" && m.Role == "shard" {
				parts["up"] += m.Owned
			}
		}
	}
	files, err := filepath.Glob(filepath.Join(c.data, "partitions", "*.db"))
	if err != nil {
		errs = append(errs, err)
	}
	for _, p := range c.All() {
		if !p.Alive() {
			continue
		}
		held := parts[p.Name]
		var u usage
		// database/sql closes what was idle for 5 s between 5 and 10 s after its last use.
		err := until(ctx, 12*time.Second, "base line of descriptors of "+p.Name, func() bool {
			u, _ = p.usage()
			return u.fds <= fdsAnyway+fdsOfFile*len(files)+fdsOfPartition*held
		})
		n, err2 := p.goroutines()
		lines = append(lines, fmt.Sprintf("%-4s %3d partitions, %4d MiB, %4d descriptors, %4d goroutines", p.Name, held, u.rss>>10, u.fds, n))
		for _, e := range []error{err, err2} {
			if e != nil {
				errs = append(errs, fmt.Errorf("I10 bounded: %w", e))
			}
		}
		if u.rss > mostKiB {
			errs = append(errs, fmt.Errorf("I10 bounded: %s has %d MiB without a session", p.Name, u.rss>>10))
		}
		if n > goroutinesAnyway+goroutinesOfFile*len(files)+goroutinesOfOwned*held {
			errs = append(errs, fmt.Errorf("I10 bounded: %s has %d goroutines without a session and with %d partitions", p.Name, n, held))
		}
	}
	return lines, errs
}
