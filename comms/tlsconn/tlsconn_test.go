package tlsconn

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"positivity-exchange/comms"
	"positivity-exchange/comms/tlsconn/testcert"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// signed returns an authority and the files of a certificate of its.
func signed(t testing.TB, until time.Time, hosts ...string) (*testcert.Authority, testcert.Files) {
	t.Helper()
	a, err := testcert.NewAuthority(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	files, err := a.Sign(until, hosts...)
	if err != nil {
		t.Fatal(err)
	}
	return a, files
}

// configs are the server's, and a client's that trusts it.
func configs(t testing.TB) (server, client *tls.Config) {
	t.Helper()
	_, files := signed(t, time.Now().Add(time.Hour), "127.0.0.1", "px.test")
	c, err := LoadCertificate(files.Cert, files.Key, nil)
	if err != nil {
		t.Fatal(err)
	}
	client, err = Roots(files.CA)
	if err != nil {
		t.Fatal(err)
	}
	return c.Config(), client
}

// listen accepts with config (nil: plain), greets, and echoes until the end.
func listen(t testing.TB, config *tls.Config) (addr string, errs <-chan error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	results := make(chan error, 16)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			nc, err = Accept(ctx, nc, config, "router")
			results <- err
			if err != nil {
				continue
			}
			io.WriteString(nc, "{}\r\n") //nolint:errcheck // the peer's read tells
			io.Copy(nc, nc)              //nolint:errcheck // until the peer ends
			nc.Close()                   //nolint:errcheck // it is over
		}
	}()
	t.Cleanup(func() { cancel(); ln.Close(); <-done })
	return ln.Addr().String(), results
}

func TestBothEndsTalk(t *testing.T) {
	server, client := configs(t)
	for name, version := range map[string]uint16{"TLS 1.2": tls.VersionTLS12, "TLS 1.3": tls.VersionTLS13} {
		t.Run(name, func(t *testing.T) {
			addr, _ := listen(t, server)
			config := client.Clone()
			config.MaxVersion = version
			nc, err := Dial(t.Context(), addr, config)
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			if got := nc.(*Conn).ConnectionState().Version; got != version {
				t.Errorf("version %x", got)
			}
			said := "{}\r\n" + strings.Repeat("x", 40_000)
			go io.WriteString(nc, said[4:]) //nolint:errcheck // the read tells
			got := make([]byte, len(said))
			if _, err := io.ReadFull(nc, got); err != nil || string(got) != said {
				t.Errorf("got %d bytes, %v", len(got), err)
			}
		})
	}
}

// TestWhatIsWrongIsSaid: one line that names the address and the way out.
func TestWhatIsWrongIsSaid(t *testing.T) {
	good, trusted := configs(t)
	nobody, _ := configs(t)
	dir := t.TempDir()
	a, err := testcert.NewAuthority(dir)
	if err != nil {
		t.Fatal(err)
	}
	roots, err := Roots(dir + "/ca.pem")
	if err != nil {
		t.Fatal(err)
	}
	with := func(until time.Time, hosts ...string) *tls.Config {
		files, err := a.Sign(until, hosts...)
		if err != nil {
			t.Fatal(err)
		}
		pair, err := tls.LoadX509KeyPair(files.Cert, files.Key)
		if err != nil {
			t.Fatal(err)
		}
		return &tls.Config{Certificates: []tls.Certificate{pair}}
	}
	named := trusted.Clone()
	named.ServerName = "px.test"
	for name, c := range map[string]struct {
		server, client *tls.Config
		want           string
	}{
		"fits":              {good, trusted, ""},
		"named":             {good, named, ""},
		"unknown authority": {nobody, trusted, "is signed by nobody trusted here: name its authority's file with --tls-ca"},
		"expired":           {with(time.Now().Add(-time.Minute), "127.0.0.1"), roots, "expired on 20"},
		"wrong name":        {with(time.Now().Add(time.Hour), "example.org", "10.0.0.7"), roots, "is not for 127.0.0.1 but for example.org, 10.0.0.7"},
		"plain server":      {nil, trusted, "does not speak TLS: leave out --tls and --tls-ca"},
	} {
		t.Run(name, func(t *testing.T) {
			addr, _ := listen(t, c.server)
			nc, err := Dial(t.Context(), addr, c.client)
			if err == nil {
				nc.Close() //nolint:errcheck // nothing was said
			}
			switch {
			case (err == nil) != (c.want == ""):
				t.Errorf("got %v, want %q", err, c.want)
			case err != nil && (!Trouble(err) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), addr) || strings.Contains(err.Error(), "\n")):
				t.Errorf("got %q, want a line with %q and %s", err, c.want, addr)
			}
		})
	}
}

// TestPlainClientIsTold: in the protocol's words, whatever it began with.
func TestPlainClientIsTold(t *testing.T) {
	server, _ := configs(t)
	addr, errs := listen(t, server)
	for _, said := range []string{`{"_ct":"hello","v":1}` + "\r\n", `{"_ct":"hello","v":1,"features":["` + strings.Repeat("f", 20_000) + "\"]}\r\n", "GET / HTTP/1.1\r\n\r\n"} {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(nc, said); err != nil {
			t.Fatal(err)
		}
		e, err := comms.NewClientConn(nc).ReadEvent()
		if told, ok := e.(comms.Error); !ok || told.Code != comms.CodeTLS || !strings.Contains(told.Message, "the router speaks TLS: use --tls or --tls-ca") || !Trouble(&told) {
			t.Errorf("told %+v, %v", e, err)
		}
		nc.Close() //nolint:errcheck // it was only read
		if err := <-errs; err == nil {
			t.Error("accepted")
		}
	}
}

// TestEndsThatReadTLSInPlain: a server sees a handshake, a client an alert.
func TestEndsThatReadTLSInPlain(t *testing.T) {
	for name, first := range map[string]string{"handshake": "\x16\x03\x01\x02\x00", "alert": "\x15\x03\x03\x00\x02"} {
		ours, theirs := net.Pipe()
		go io.WriteString(theirs, first) //nolint:errcheck // the read tells
		_, err := comms.NewClientConn(ours).ReadEvent()
		if !Trouble(err) || !strings.Contains(err.Error(), "speaks TLS") {
			t.Errorf("%s: %v", name, err)
		}
		ours.Close()   //nolint:errcheck // a pipe
		theirs.Close() //nolint:errcheck // a pipe
	}
}

// TestHandshakeHasADeadline: for who drips it in, who says nothing (and is told
// why), and a server that says nothing.
func TestHandshakeHasADeadline(t *testing.T) {
	server, client := configs(t)
	synctest.Test(t, func(t *testing.T) {
		dripping, drips := net.Pipe()
		go func() {
			drips.Write([]byte("\x16\x03\x01\x02\x00")) //nolint:errcheck // until it ends
			for {
				time.Sleep(time.Second)
				if _, err := drips.Write([]byte{1}); err != nil {
					return
				}
			}
		}()
		start := time.Now()
		if _, err := Accept(t.Context(), dripping, server, "shard"); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != comms.FrameTimeout {
			t.Errorf("dripping: %v after %s", err, time.Since(start))
		}

		silent, listening := net.Pipe()
		told := make(chan comms.Event, 1)
		go func() {
			e, _ := comms.NewClientConn(listening).ReadEvent()
			told <- e
		}()
		start = time.Now()
		if _, err := Accept(t.Context(), silent, server, "shard"); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != comms.FrameTimeout {
			t.Errorf("silent: %v after %s", err, time.Since(start))
		}
		if e, ok := (<-told).(comms.Error); !ok || e.Code != comms.CodeTLS {
			t.Errorf("told %+v", e)
		}

		ours, theirs := net.Pipe()
		go io.Copy(io.Discard, theirs) //nolint:errcheck // until it ends
		start = time.Now()
		if _, err := Client(t.Context(), ours, "px.test:1", client); err == nil || Trouble(err) || time.Since(start) != comms.DialTimeout {
			t.Errorf("silent server: %v after %s", err, time.Since(start))
		}

		ours, _ = net.Pipe()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start = time.Now()
		if _, err := Accept(ctx, ours, server, "shard"); err == nil || time.Since(start) != time.Second {
			t.Errorf("stopped: %v after %s", err, time.Since(start))
		}
	})
}

// TestCloseDoesNotWait: *tls.Conn would wait 5 s for a peer that reads nothing.
func TestCloseDoesNotWait(t *testing.T) {
	server, client := configs(t)
	now := time.Now()
	client.Time = func() time.Time { return now } // the bubble has a clock of its own
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer theirs.Close()
		go Client(t.Context(), theirs, "px.test:1", client) //nolint:errcheck // the other half tells
		nc, err := Accept(t.Context(), ours, server, "shard")
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		start := time.Now()
		nc.Close() //nolint:errcheck // the farewell was not taken
		if took := time.Since(start); took > closeGrace {
			t.Errorf("Close took %s", took)
		}
	})
}

// TestSealed: what is sealed and written beneath arrives, large and small, and
// so does the end.
func TestSealed(t *testing.T) {
	server, client := configs(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	want := strings.Repeat("small", 3) + strings.Repeat("large", 30_000) + "small"
	done := make(chan error, 1)
	go func() {
		done <- func() error {
			nc, err := ln.Accept()
			if err != nil {
				return err
			}
			secure, err := Accept(t.Context(), nc, server, "shard")
			if err != nil {
				return err
			}
			c := secure.(*Conn)
			for _, piece := range []string{want[:5], want[5:10], want[10:15], want[15 : len(want)-5], want[len(want)-5:]} {
				b, err := c.Seal([]byte(piece))
				if err != nil {
					return err
				}
				if _, err := c.Beneath().Write(b); err != nil {
					return err
				}
			}
			return c.Close()
		}()
	}()
	nc, err := Dial(t.Context(), ln.Addr().String(), client)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if got, err := io.ReadAll(nc); err != nil || string(got) != want {
		t.Errorf("got %d bytes of %d, %v", len(got), len(want), err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
