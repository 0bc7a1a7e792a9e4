// Package natstest runs NATS servers with JetStream for tests: embedded ones,
// each in a process of its own (the test binary, started again), so that they
// can be stopped and killed like the real thing.
//
// A test package calls Main first in its TestMain.
package natstest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"positivity-exchange/shard/roomlog"
)

// serverEnv carries a server's settings to its process.
const serverEnv = "PX_NATSTEST_SERVER"

// Config is what a server process is told.
type Config struct {
	Name       string
	Dir        string
	Host       string // address for clients; empty: 127.0.0.1
	Port       int    // of clients
	Cluster    int    // own port of the cluster; 0: alone
	Routes     []int
	Monitor    int
	SyncAlways bool
	User       string // with Password: all clients need them
	Password   string
	TLSCert    string // with TLSKey: clients come by TLS
	TLSKey     string
}

// Main runs a server and exits, in a process that Start or StartCluster
// started; in all others it returns.
func Main() {
	text := os.Getenv(serverEnv)
	if text == "" {
		return
	}
	if err := run(text); err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func run(text string) error {
	var c Config
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return err
	}
	opts := &server.Options{
		ServerName: c.Name, Host: c.host(), Port: c.Port, HTTPHost: "127.0.0.1", HTTPPort: c.Monitor,
		JetStream: true, StoreDir: c.Dir, NoSigs: true, SyncAlways: c.SyncAlways, LogFile: filepath.Join(c.Dir, "log"), NoLog: false,
		Username: c.User, Password: c.Password,
	}
	if c.Cluster != 0 {
		opts.Cluster = server.ClusterOpts{Name: "px-test", Host: "127.0.0.1", Port: c.Cluster}
		for _, port := range c.Routes {
			opts.Routes = append(opts.Routes, &url.URL{Scheme: "nats", Host: fmt.Sprintf("127.0.0.1:%d", port)})
		}
	}
	if c.TLSCert != "" {
		tls, err := server.GenTLSConfig(&server.TLSConfigOpts{CertFile: c.TLSCert, KeyFile: c.TLSKey})
		if err != nil {
			return err
		}
		opts.TLSConfig, opts.TLS = tls, true
	}
	s, err := server.NewServer(opts)
	if err != nil {
		return err
	}
	s.ConfigureLogger()
	s.Start()
	if !s.ReadyForConnections(20 * time.Second) {
		return fmt.Errorf("the server is not ready after 20 s; see %s", opts.LogFile)
	}
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin) //nolint:errcheck // ends with the test, however that ends
	s.Shutdown()
	s.WaitForShutdown()
	return nil
}

func (c Config) host() string {
	if c.Host == "" {
		return "127.0.0.1"
	}
	return c.Host
}

// Server is one server process that a test owns.
type Server struct {
	Config Config
	cmd    *exec.Cmd
	stdin  io.Closer
}

// URL is where clients connect.
func (s *Server) URL() string { return fmt.Sprintf("nats://%s:%d", s.Config.host(), s.Config.Port) }

// MonitorURL is where the server tells of itself.
func (s *Server) MonitorURL() string { return fmt.Sprintf("http://127.0.0.1:%d", s.Config.Monitor) }

// ports finds free ones. They lie below those that systems give to whoever asks
// for any: a connection made elsewhere meanwhile must not take one before its
// server does.
func ports(t testing.TB, n int) []int {
	t.Helper()
	const lowest, highest = 10_000, 32_000
	var free []int
	for range 100 * n {
		ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", lowest+rand.IntN(highest-lowest)))
		if err != nil {
			continue // somebody has it
		}
		defer ln.Close() //nolint:errcheck // all are held until all are found
		if free = append(free, ln.Addr().(*net.TCPAddr).Port); len(free) == n {
			return free
		}
	}
	t.Fatalf("only %d of %d free ports found", len(free), n)
	return nil
}

// Start runs one server with what c says; its directory and ports are made.
func Start(t testing.TB, c Config) *Server {
	t.Helper()
	p := ports(t, 2)
	c.Port, c.Monitor = p[0], p[1]
	if c.Dir == "" {
		c.Dir = t.TempDir()
	}
	if c.Name == "" {
		c.Name = "n1"
	}
	s := &Server{Config: c}
	s.Start(t)
	t.Cleanup(s.Kill)
	return s
}

// StartCluster runs n servers that form a cluster, and waits until they do.
func StartCluster(t testing.TB, n int) []*Server {
	t.Helper()
	return StartClusterAt(t, "", n)
}

// StartClusterAt is StartCluster of servers that clients reach at host, an
// address of this machine.
func StartClusterAt(t testing.TB, host string, n int) []*Server {
	t.Helper()
	if n == 1 {
		return []*Server{Start(t, Config{Host: host})}
	}
	p := ports(t, 3*n)
	servers := make([]*Server, n)
	for i := range servers {
		servers[i] = &Server{Config: Config{
			Name: fmt.Sprintf("n%d", i+1), Dir: filepath.Join(t.TempDir()), Host: host, Port: p[i], Monitor: p[n+i], Cluster: p[2*n+i], Routes: p[2*n:],
		}}
		t.Cleanup(servers[i].Kill)
	}
	for _, s := range servers {
		s.Start(t)
	}
	return servers
}

// URLs is the list of all servers' addresses as --log takes it.
func URLs(servers []*Server) string {
	hosts := make([]string, len(servers))
	for i, s := range servers {
		hosts[i] = strings.TrimPrefix(s.URL(), "nats://")
	}
	return "nats://" + strings.Join(hosts, ",")
}

// Start starts the server's process, the first time or after Kill or Stop.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	if err := s.Run(); err != nil {
		t.Fatal(err)
	}
}

// Run is Start for goroutines that may not end a test.
func (s *Server) Run() error {
	text, err := json.Marshal(s.Config)
	if err != nil {
		return err
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serverEnv+"="+string(text))
	if s.stdin, err = cmd.StdinPipe(); err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	s.cmd = cmd
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "ready\n" {
		s.Kill()
		return fmt.Errorf("NATS server %s says %q: %w", s.Config.Name, line, err)
	}
	return nil
}

// Kill ends the process without notice (SIGKILL); what it stored stays.
func (s *Server) Kill() {
	if s.cmd == nil {
		return
	}
	s.cmd.Process.Kill() //nolint:errcheck // it may have ended
	s.cmd.Wait()         //nolint:errcheck // killed
	s.cmd = nil
}

// Stop ends the process in order.
func (s *Server) Stop() {
	if s.cmd == nil {
		return
	}
	s.stdin.Close() //nolint:errcheck // its end is the signal
	s.cmd.Wait()    //nolint:errcheck // it ends either way
	s.cmd = nil
}

// Freeze stops the process and returns once it stands still.
func (s *Server) Freeze(t testing.TB) {
	t.Helper()
	s.signal(syscall.SIGSTOP)
	for deadline := time.Now().Add(10 * time.Second); ; runtime.Gosched() {
		if state, _, err := roomlog.ProcessStat(s.cmd.Process.Pid); err != nil || state == 'T' {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("NATS server %s does not stop", s.Config.Name)
		}
	}
}

// Thaw lets it go on.
func (s *Server) Thaw() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) { s.cmd.Process.Signal(sig) } //nolint:errcheck // it may have ended

// CPU is the processor time that the process has used, in steps of 10 ms (Linux).
func (s *Server) CPU(t testing.TB) time.Duration {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	user, err := strconv.Atoi(fields[11])
	system, err2 := strconv.Atoi(fields[12])
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	return time.Duration(user+system) * 10 * time.Millisecond
}

// Leads is how many streams the server leads, as it knows itself.
func (s *Server) Leads(t testing.TB) (n int) {
	t.Helper()
	client := http.Client{Timeout: 5 * time.Second}
	defer client.CloseIdleConnections()
	resp, err := client.Get(s.MonitorURL() + "/jsz?accounts=true&streams=true")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read
	var jsz struct {
		Accounts []struct {
			Streams []struct {
				Cluster struct {
					Leader string `json:"leader"`
				} `json:"cluster"`
			} `json:"stream_detail"`
		} `json:"account_details"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&jsz); err != nil {
		t.Fatal(err)
	}
	for _, a := range jsz.Accounts {
		for _, stream := range a.Streams {
			if stream.Cluster.Leader == s.Config.Name {
				n++
			}
		}
	}
	return n
}
