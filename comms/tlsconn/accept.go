package tlsconn

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"positivity-exchange/comms"
)

// Accept does a server's half of the handshake on nc, within FrameTimeout in
// all, and returns the connection to go on with. It returns nc itself where
// config is nil; after an error nc is closed. who ("router", "shard") speaks to
// those who came without TLS.
func Accept(ctx context.Context, nc net.Conn, config *tls.Config, who string) (net.Conn, error) {
	if config == nil {
		return nc, nil
	}
	stop := context.AfterFunc(ctx, func() { nc.Close() }) //nolint:errcheck // ends the handshake
	defer stop()
	w := &wire{Conn: nc}
	c := &Conn{tls.Server(w, config), w}
	err := nc.SetDeadline(time.Now().Add(comms.FrameTimeout))
	if err == nil {
		err = c.Handshake()
	}
	if err == nil {
		err = nc.SetDeadline(time.Time{})
	}
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		return c, nil
	}
	if cameWithout(w, err) {
		sayTLS(nc, who)
	}
	nc.Close() //nolint:errcheck // the first error counts
	return nil, fmt.Errorf("TLS handshake with %s: %w", nc.RemoteAddr(), err)
}

// cameWithout tells whether the peer does not know that TLS is spoken here: it
// began with something else, or waits for us to begin, as the ancestor's client does.
func cameWithout(w *wire, err error) bool {
	var header tls.RecordHeaderError
	if errors.As(err, &header) {
		return header.Conn != nil
	}
	return errors.Is(err, os.ErrDeadlineExceeded) && !w.heard
}

// sayTLS tells a plain peer in the protocol's words why it is not served, and
// reads what it said: an end with unread bytes could take the words away again.
func sayTLS(nc net.Conn, who string) {
	nc.SetDeadline(time.Now().Add(time.Second)) //nolint:errcheck // the write tells
	e := comms.Error{Code: comms.CodeTLS, Message: "the " + who + " speaks TLS: use --tls or --tls-ca"}
	if _, err := nc.Write(comms.AppendEvent(nil, e)); err != nil {
		return
	}
	if half, ok := nc.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		io.Copy(io.Discard, io.LimitReader(nc, comms.MaxCommandFrame)) //nolint:errcheck // it was a courtesy
	}
}
