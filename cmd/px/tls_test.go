package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"positivity-exchange/client"
	"positivity-exchange/comms"
	"positivity-exchange/comms/tlsconn"
	"positivity-exchange/comms/tlsconn/testcert"
)

// secured is a cluster under TLS.
type secured struct {
	t         testing.TB
	dir       string
	authority *testcert.Authority
	files     testcert.Files
	roots     *tls.Config
	router    string
	web       string
}

func newSecured(t testing.TB) *secured {
	t.Helper()
	c := &secured{t: t, dir: t.TempDir()}
	var err error
	if c.authority, err = testcert.NewAuthority(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	c.sign()
	if c.roots, err = tlsconn.Roots(c.files.CA); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *secured) sign() {
	c.t.Helper()
	var err error
	if c.files, err = c.authority.Sign(time.Now().Add(time.Hour), "localhost", "127.0.0.1"); err != nil {
		c.t.Fatal(err)
	}
}

func (c *secured) flags() []string {
	return []string{"--tls-cert", c.files.Cert, "--tls-key", c.files.Key, "--tls-ca", c.files.CA}
}

func (c *secured) shard(name string) *process {
	c.t.Helper()
	return startShard(c.t, c.dir, name, c.flags()...)
}

func (c *secured) startRouter() {
	c.t.Helper()
	p := start(c.t, append([]string{"router", "--data", c.dir, "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--gossip", "127.0.0.1:0"}, c.flags()...)...)
	c.router, c.web = p.addr("client"), p.addr("http")
}

// px runs a client command under TLS and wants it to succeed.
func (c *secured) px(args ...string) string {
	c.t.Helper()
	out, errs, code := px(slices.Concat(args[:1], []string{"--router", c.router, "--tls-ca", c.files.CA}, args[1:])...)
	if code != 0 {
		c.t.Fatalf("px %s ended with %d: %s%s", strings.Join(args, " "), code, out, errs)
	}
	return out
}

func (c *secured) connect(user string) *client.Session {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 10*time.Second)
	defer cancel()
	s, err := client.Connect(ctx, client.Options{Routers: []string{c.router}, User: user, TLS: c.roots})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { s.Close() }) //nolint:errcheck // never fails
	return s
}

// TestClusterUnderTLS: everything that is said between processes, with members
// asking each other and rooms that move meanwhile.
func TestClusterUnderTLS(t *testing.T) {
	c := newSecured(t)
	c.shard("s1")
	c.shard("s2")
	c.startRouter()
	ada, bob := c.connect("ada"), c.connect("bob")
	for _, s := range []*client.Session{ada, bob} {
		if err := s.Join(t.Context(), "go", nil); err != nil {
			t.Fatal(err)
		}
	}
	sent := 0
	send := func() {
		t.Helper()
		sent++
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if _, err := ada.Send(ctx, "go", fmt.Sprint("message ", sent)); err != nil {
			t.Fatal(err)
		}
	}
	send()
	owner := func() string {
		_, name, _ := strings.Cut(c.px("where", "go", "--json"), `"shard":"`)
		name, _, _ = strings.Cut(name, `"`)
		return name
	}
	was := owner()
	c.shard("s3")
	c.px("drain", was, "--data", c.dir)
	send()
	if now := owner(); now == was {
		t.Errorf("the room is still at %s", now)
	}
	c.px("send", "--room", "go", "from", "a", "command")
	sent++
	c.px("create", "baking", "--description", "Bread and butter")
	if out := c.px("rooms", "--prefix", "baking"); !strings.Contains(out, "Bread") {
		t.Errorf("rooms: %s", out)
	}
	if out := c.px("tail", "--room", "go", "--since", "0", "--count", "3"); strings.Count(out, "\n") != 3 {
		t.Errorf("tail: %s", out)
	}
	if out := c.px("stress", "small", "--room-count", "3", "--sessions", "9", "--warmup", "0s", "--duration", "200ms"); !strings.Contains(out, "lost, doubled, out of order, altered  0, 0, 0, 0") {
		t.Errorf("stress: %s", out)
	}
	for seq := uint64(1); seq <= uint64(sent); {
		select {
		case e := <-bob.Events():
			if m, ok := e.(client.Message); ok {
				if m.Seq != seq {
					t.Fatalf("bob got #%d, want #%d", m.Seq, seq)
				}
				seq++
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("bob waits for #%d", seq)
		}
	}
	// The router has watched the shards' rooms and asked them how they are.
	await(t, "ready router", func() bool {
		r, err := http.Get("http://" + c.web + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close() //nolint:errcheck // it was not read
		return r.StatusCode == http.StatusOK
	})
	if out := c.px("status", "--json"); !strings.Contains(out, `"owned":`) || !strings.Contains(out, `"sessions":`) {
		t.Errorf("status: %s", out)
	}
}

// TestAncestorUnderTLS: greeted at once, relayed to a shard.
func TestAncestorUnderTLS(t *testing.T) {
	c := newSecured(t)
	c.shard("s1")
	c.startRouter()
	nc, err := tlsconn.Dial(t.Context(), c.router, c.roots)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if err := nc.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(nc)
	expect := func(want string) {
		t.Helper()
		line, err := in.ReadString('\n')
		if err != nil || !strings.Contains(line, want) {
			t.Fatalf("got %q, %v; want %s", line, err, want)
		}
	}
	expect(`"login_successful"`)
	if _, err := io.WriteString(nc, `{"_ct":"join_room","r":"tea"}`+"\n"+`{"_ct":"send_message","r":"tea","c":"hello"}`+"\n"); err != nil {
		t.Fatal(err)
	}
	expect(`"room_participation"`)
	expect(`"user_joined_room"`)
	expect(`"c":"hello"`)
	if _, err := io.WriteString(nc, `{"_ct":"quit"}`+"\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := in.ReadByte(); err != io.EOF {
		t.Errorf("the end was not said: %v", err)
	}
}

// TestCertificateIsRenewed while people talk, without a restart.
func TestCertificateIsRenewed(t *testing.T) {
	c := newSecured(t)
	shard := c.shard("s1")
	c.startRouter()
	ada := c.connect("ada")
	if err := ada.Join(t.Context(), "go", nil); err != nil {
		t.Fatal(err)
	}
	c.sign()
	for _, addr := range []string{c.router, shard.addr("client")} {
		await(t, "new certificate at "+addr, func() bool {
			nc, err := tlsconn.Dial(t.Context(), addr, c.roots)
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			return nc.(*tlsconn.Conn).ConnectionState().PeerCertificates[0].SerialNumber.Int64() == 3
		})
	}
	if _, err := ada.Send(t.Context(), "go", "still here"); err != nil {
		t.Error(err)
	}
	c.px("send", "--room", "go", "new", "here")
}

// TestEndsThatDisagreeOnTLS: each command says in one line, soon, what is wrong.
func TestEndsThatDisagreeOnTLS(t *testing.T) {
	c := newSecured(t)
	shard := c.shard("s1")
	c.startRouter()
	stranger := newSecured(t)
	dir := t.TempDir()
	startShard(t, dir, "p1")
	plain := startRouter(t, dir).addr("client")
	for name, tc := range map[string]struct {
		args []string
		code int
		want string
	}{
		"plain send":          {[]string{"send", "--room", "go", "--router", c.router, "x"}, exitFailed, "the router speaks TLS: use --tls or --tls-ca"},
		"plain stress":        {[]string{"stress", "small", "--router", c.router}, exitFailed, "the router speaks TLS: use --tls or --tls-ca"},
		"plain, and a shard":  {[]string{"status", "--router", shard.addr("client")}, exitFailed, "the shard speaks TLS"},
		"system's roots":      {[]string{"status", "--tls", "--router", c.router}, exitFailed, "signed by nobody trusted here"},
		"wrong authority":     {[]string{"tail", "--room", "go", "--tls-ca", stranger.files.CA, "--router", c.router}, exitFailed, "signed by nobody trusted here"},
		"stress, wrong":       {[]string{"stress", "small", "--tls-ca", stranger.files.CA, "--router", c.router}, exitFailed, "signed by nobody trusted here"},
		"plain router":        {[]string{"where", "go", "--tls-ca", c.files.CA, "--router", plain}, exitFailed, "does not speak TLS: leave out --tls"},
		"no file":             {[]string{"rooms", "--tls-ca", c.files.CA + "x", "--router", c.router}, exitFailed, "ca.pemx"},
		"one of two is wrong": {[]string{"send", "--room", "go", "--tls-ca", c.files.CA, "--router", plain + "," + c.router, "x"}, 0, ""},
		"no key":              {[]string{"shard", "--name", "s9", "--data", c.dir, "--tls-cert", c.files.Cert}, exitUsage, "--tls-key"},
		"authority alone":     {[]string{"shard", "--name", "s9", "--data", c.dir, "--tls-ca", c.files.CA}, exitFailed, "--tls-cert"},
		"nobody trusts it":    {[]string{"shard", "--name", "s9", "--data", c.dir, "--tls-cert", c.files.Cert, "--tls-key", c.files.Key}, exitFailed, "signed by nobody trusted here"},
		"another host's":      {append([]string{"shard", "--name", "s9", "--data", c.dir, "--advertise", "10.0.0.7"}, c.flags()...), exitFailed, "is not for 10.0.0.7 but for localhost, 127.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			_, errs, code := px(tc.args...)
			if code != tc.code || !strings.Contains(errs, tc.want) || strings.Count(errs, "px: ") > 1 || strings.Count(errs, "\n") > 1 && tc.args[0] != "stress" {
				t.Errorf("ended with %d, %q; want %d and %q", code, errs, tc.code, tc.want)
			}
			if took := time.Since(start); took > dialTimeout/2 {
				t.Errorf("that took %s", took)
			}
		})
	}
}

// TestShardThatSpeaksNoTLS in a cluster that does: both sides say so in their
// logs, and a client that is sent there by the router is told.
func TestShardThatSpeaksNoTLS(t *testing.T) {
	c := newSecured(t)
	plain := startShard(t, c.dir, "s1")
	c.startRouter()
	secure := c.shard("s2")
	awaitLog(t, secure, "does not speak TLS")
	awaitLog(t, plain, "the shard speaks TLS")
	room := ""
	for i := 0; room == ""; i++ {
		name := fmt.Sprint("room-", i)
		_, errs, code := px("create", name, "--router", c.router, "--tls-ca", c.files.CA)
		switch {
		case code == 0:
		case strings.Contains(errs, "does not speak TLS"):
			room = name
		default:
			t.Fatal(errs)
		}
	}
	if _, errs, code := px("send", "--room", room, "--router", c.router, "--tls-ca", c.files.CA, "x"); code != exitFailed || !strings.Contains(errs, "does not speak TLS") {
		t.Errorf("send ended with %d, %q", code, errs)
	}
}

// TestStrangersInTheHandshake cost those who talk nothing: hundreds who never
// finish it, at router and shard.
func TestStrangersInTheHandshake(t *testing.T) {
	c := newSecured(t)
	shard := c.shard("s1")
	c.startRouter()
	for _, addr := range []string{c.router, shard.addr("client")} {
		for i := range 300 {
			nc, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { nc.Close() }) //nolint:errcheck // nothing was owed
			if _, err := io.WriteString(nc, "\x16\x03\x01\x02\x00\x01\x00"[:i%7]); err != nil {
				t.Fatal(err)
			}
		}
	}
	ada := c.connect("ada")
	if err := ada.Join(t.Context(), "go", nil); err != nil {
		t.Fatal(err)
	}
	worst := time.Duration(0)
	for range 50 {
		start := time.Now()
		if _, err := ada.Send(t.Context(), "go", "x"); err != nil {
			t.Fatal(err)
		}
		worst = max(worst, time.Since(start))
	}
	start := time.Now()
	c.px("send", "--room", "go", "hello")
	t.Logf("slowest of 50 messages %s; a new client's message %s", worst, time.Since(start))
	if worst > time.Second || time.Since(start) > comms.FrameTimeout/2 {
		t.Error("they were waited for")
	}
}

// TestUpUnderTLS: the one process too.
func TestUpUnderTLS(t *testing.T) {
	c := newSecured(t)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c.router = free.Addr().String() // the first line that is printed is a shard's
	free.Close()                    //nolint:errcheck // for px
	start(t, append([]string{"up", "--no-client", "--data", c.dir, "--listen", c.router, "--http", "127.0.0.1:0", "--gossip", "127.0.0.1:0"}, c.flags()...)...)
	c.px("send", "--room", "go", "hello")
	t.Setenv("PX_TLS_CA", c.files.CA)
	t.Setenv("PX_ROUTER", c.router)
	if out, errs, code := px("tail", "--room", "go", "--since", "0", "--count", "1"); code != 0 || !strings.Contains(out, "hello") {
		t.Errorf("ended with %d, %s%s", code, out, errs)
	}
	os.Unsetenv("PX_TLS_CA") //nolint:errcheck // t.Setenv brings it back
	t.Setenv("PX_TLS", "true")
	if _, errs, code := px("tail", "--room", "go", "--since", "0", "--count", "1"); code != exitFailed || !strings.Contains(errs, "nobody trusted here") {
		t.Errorf("ended with %d, %s", code, errs)
	}
}
