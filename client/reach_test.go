package client_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"positivity-exchange/client"
)

func TestParseRouters(t *testing.T) {
	for typed, want := range map[string]string{
		"localhost:8080":           "localhost:8080",
		"a:1, b:2 ,":               "a:1 b:2",
		"chat.example.org":         "chat.example.org:8080",
		"chat.example.org:":        "chat.example.org:8080",
		"::1":                      "[::1]:8080",
		"[::1]":                    "[::1]:8080",
		"[::1]:9":                  "[::1]:9",
		":8080":                    ":8080",
		"a:b:c":                    `"a:b:c" is no router's address; use host:port`,
		"a:1,http://b.example:1/x": `"http://b.example:1/x" is no router's address; use host:port`,
		"a:99999":                  `"a:99999" is no router's address; use host:port`,
		"two words":                `"two words" is no router's address; use host:port`,
		" , ":                      "no router is named; use host:port",
	} {
		got, err := client.ParseRouters(typed)
		if err != nil && err.Error() != want || err == nil && strings.Join(got, " ") != want {
			t.Errorf("%q: %q, %v; want %s", typed, got, err, want)
		}
	}
}

// TestUnreachableSaysWhyInOneLine, once, whatever wraps the reason.
func TestUnreachableSaysWhyInOneLine(t *testing.T) {
	dial := func(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{}, Err: err} }
	for want, dialled := range map[string]error{
		"connection refused":       dial(os.NewSyscallError("connect", syscall.ECONNREFUSED)),
		"no such host":             dial(&net.DNSError{Err: "no such host", Name: "a", IsNotFound: true}),
		"no answer":                dial(os.ErrDeadlineExceeded),
		"it closed the connection": io.EOF,
		"invalid port":             dial(errors.New("invalid port")),
		"something else":           errors.New("something else"),
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := client.Connect(ctx, client.Options{Routers: []string{"a:1", "b:2"}, Dial: func(context.Context, string) (net.Conn, error) { return nil, dialled }})
			var unreachable *client.UnreachableError
			if !errors.As(err, &unreachable) || !slices.Equal(unreachable.Routers, []string{"a:1", "b:2"}) || !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, dialled) {
				t.Errorf("%s: %#v", want, err)
			}
			if err.Error() != "could not reach a:1,b:2: "+want {
				t.Errorf("got %q, want %q", err, want)
			}
		})
	}
}
