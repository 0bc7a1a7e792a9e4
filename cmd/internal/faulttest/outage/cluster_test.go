package outage

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"positivity-exchange/cmd/internal/faulttest/netns"
	"positivity-exchange/comms"
	"positivity-exchange/comms/peer"
	"positivity-exchange/membership"
)

const (
	clientPort = 7000
	gossipPort = 7946
	httpPort   = 8081
	logPort    = 4222
)

// cluster is processes of px, each on a machine of its own.
type cluster struct {
	t    *testing.T
	net  *netns.Network
	data string // shared directory; each its own below it where the log is elsewhere
	log  string // --log

	mu    sync.Mutex
	nodes map[string]*node
}

// node is a machine and the px process on it.
type node struct {
	*netns.Machine
	router bool
	cmd    *exec.Cmd
	ended  chan struct{}
	pool   *peer.Pool // asks it as a member; nil: not connected

	mu  sync.Mutex
	err bytes.Buffer
}

func (n *node) Write(b []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.err.Write(b)
}

func (n *node) log() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.err.String()
}

// newCluster makes one without processes, or skips the test.
func newCluster(t *testing.T) *cluster {
	t.Helper()
	network, err := netns.New()
	if errors.Is(err, netns.ErrUnavailable) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{t: t, net: network, data: t.TempDir(), nodes: map[string]*node{}}
	t.Cleanup(func() {
		for _, n := range c.all() {
			n.cmd.Process.Kill() //nolint:errcheck // it may have ended
			<-n.ended
			if n.pool != nil {
				n.pool.Close() //nolint:errcheck // it is over
			}
			if t.Failed() && os.Getenv("PX_OUTAGE_LOGS") != "" {
				os.WriteFile(filepath.Join(os.Getenv("PX_OUTAGE_LOGS"), n.Name+".log"), []byte(n.log()), 0o600) //nolint:errcheck // a help only
			}
		}
		if err := network.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func (c *cluster) all() []*node {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []*node
	for _, n := range c.nodes {
		list = append(list, n)
	}
	slices.SortFunc(list, func(a, b *node) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// addrs are the addresses of the nodes with these names.
func (c *cluster) addrs(names ...string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []string
	for _, name := range names {
		list = append(list, c.nodes[name].Addr())
	}
	return list
}

// start runs a shard ("s...") or a router ("r...") and waits until it is ready.
func (c *cluster) start(name string, env ...string) *node {
	c.t.Helper()
	m, err := c.net.Machine(name)
	if err != nil {
		c.t.Fatal(err)
	}
	n := &node{Machine: m, router: name[0] == 'r', ended: make(chan struct{})}
	at := func(port int) string { return fmt.Sprint(m.Addr(), ":", port) }
	args := []string{"shard", "--name", name, "--listen", at(clientPort), "--gossip", at(gossipPort), "--data", c.data}
	if n.router {
		args = append([]string{"router", "--http", at(httpPort)}, args[1:]...)
	}
	if c.log != "" {
		args = append(args, "--log", c.log)
		for _, other := range c.all() {
			args = append(args, "--join", fmt.Sprint(other.Addr(), ":", gossipPort))
		}
	}
	n.cmd = exec.Command(failing, args...)
	n.cmd.Env = append(os.Environ(), env...)
	n.cmd.Stderr = n
	out, err := n.cmd.StdoutPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	if err := m.Start(n.cmd); err != nil {
		c.t.Fatal(err)
	}
	c.mu.Lock()
	c.nodes[name] = n
	c.mu.Unlock()
	ready := make(chan struct{})
	go func() {
		defer close(n.ended)
		for lines, first := bufio.NewScanner(out), true; lines.Scan(); first = false {
			if first {
				close(ready)
			}
		}
		n.cmd.Wait() //nolint:errcheck // its state tells
	}()
	select {
	case <-ready:
	case <-n.ended:
		c.t.Fatalf("%s ended: %s", name, n.log())
	case <-time.After(20 * time.Second):
		c.t.Fatalf("%s is not ready: %s", name, n.log())
	}
	return n
}

func (c *cluster) routers() (list []string) {
	for _, n := range c.all() {
		if n.router {
			list = append(list, fmt.Sprint(n.Addr(), ":", clientPort))
		}
	}
	return list
}

// view is how a node has the cluster.
type view struct {
	table   string
	members []string // routers alone tell
}

// look asks a node, as a member of the cluster that has its secret.
func (c *cluster) look(ctx context.Context, n *node) (v view, err error) {
	if n.router {
		req, err := http.NewRequestWithContext(ctx, "GET", fmt.Sprintf("http://%s:%d/status", n.Addr(), httpPort), nil)
		if err != nil {
			return v, err
		}
		resp, err := client.Do(req)
		if err != nil {
			return v, err
		}
		defer resp.Body.Close() //nolint:errcheck // read
		var report comms.StatusReport
		err = json.NewDecoder(resp.Body).Decode(&report)
		for _, m := range report.Members {
			v.members = append(v.members, m.Boot+" "+m.State)
		}
		v.table = report.Table
		return v, err
	}
	if n.pool == nil {
		secret, _, err := membership.LoadSecret(c.data, "", "")
		if err != nil {
			return v, err
		}
		n.pool = peer.NewPool(comms.NewKeys(secret), "driver", "driver", nil)
	}
	e, err := n.pool.Call(ctx, fmt.Sprint(n.Addr(), ":", clientPort), comms.Status{})
	if err != nil {
		n.pool.Close() //nolint:errcheck // a connection that hung is slow to recover
		n.pool = nil
		return v, err
	}
	v.table = e.(comms.StatusReport).Table
	return v, nil
}

// client keeps no connections: one that hung is slow to recover.
var client = http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 2 * time.Second}

// views asks all nodes at once; who does not answer within 500 ms has an empty one.
func (c *cluster) views() map[string]view {
	all := c.all()
	got := make([]view, len(all))
	var wg sync.WaitGroup
	for i, n := range all {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
			defer cancel()
			v, err := c.look(ctx, n)
			if err == nil {
				got[i] = v
			}
		})
	}
	wg.Wait()
	views := map[string]view{}
	for i, n := range all {
		views[n.Name] = got[i]
	}
	return views
}

// agree tells whether all nodes have one table, of all shards, and one list of members.
func (c *cluster) agree() (bool, map[string]view) {
	views := c.views()
	tables, members := map[string]bool{}, map[string]bool{}
	for _, v := range views {
		tables[v.table] = true
		if v.members != nil {
			members[fmt.Sprint(v.members)] = len(v.members) == len(views)
		}
	}
	whole := len(members) == 1
	for _, all := range members {
		whole = whole && all
	}
	return whole && len(tables) == 1 && !tables[""], views
}

// awaitOneTable returns how long it took until all agree.
func (c *cluster) awaitOneTable(most time.Duration) time.Duration {
	c.t.Helper()
	start := time.Now()
	for {
		ok, views := c.agree()
		took := time.Since(start)
		if ok {
			return took
		}
		if took > most {
			c.t.Errorf("no single table %s after the heal: %v", took, views)
			return took
		}
		pass(c.t.Context(), 50*time.Millisecond)
	}
}

// acquired counts acquisitions of each partition so far, as the shards log them.
func (c *cluster) acquired() map[int]int {
	count := map[int]int{}
	for _, n := range c.all() {
		for _, m := range acquiredLine.FindAllStringSubmatch(n.log(), -1) {
			p, _ := strconv.Atoi(m[1])
			count[p]++
		}
	}
	return count
}

var acquiredLine = regexp.MustCompile(`msg=acquired.* partition=(\d+)`)

func (n *node) signal(s syscall.Signal) { n.cmd.Process.Signal(s) } //nolint:errcheck // it may have ended

// pass lets d pass, or less if ctx ends.
func pass(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
