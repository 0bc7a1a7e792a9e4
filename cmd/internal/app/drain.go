package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"time"

	"positivity-exchange/comms"
	"positivity-exchange/comms/tlsconn"
)

// DrainSilent is for how long a shard that drains may say nothing. It pings
// whoever is silent for comms.PingAfter.
const DrainSilent = 5 * comms.PingAfter / 2

// leftWithin bounds the time from a shard's last word to the end of its
// connection: it tells the cluster and strikes its entry off the roll.
const leftWithin = 10 * time.Second

// Drain tells the shard at addr to give everything up, as an operator who has
// the cluster's secret, and returns once it has left. The last progress says so.
// secure is nil where the cluster speaks no TLS.
func Drain(ctx context.Context, secure *tls.Config, addr, name string, secret []byte, progress func(comms.DrainProgress)) error {
	nc, err := tlsconn.Dial(ctx, addr, secure)
	if err != nil {
		return fmt.Errorf("shard %s: %w", name, err)
	}
	conn := comms.NewClientConn(nc)
	conn.SetIdle(DrainSilent)
	defer conn.Close()                                      //nolint:errcheck // it is over either way
	stop := context.AfterFunc(ctx, func() { conn.Close() }) //nolint:errcheck // ends the reads below
	defer stop()
	ticket, _ := comms.NewKeys(secret).Issue(comms.AsOperator, "operator", time.Now())
	if err := conn.WriteCommand(comms.Hello{Version: comms.Version, User: "operator", Ticket: ticket, As: comms.AsOperator}, comms.Drain{Name: name}); err != nil {
		return err
	}
	for {
		e, err := conn.ReadEvent()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return fmt.Errorf("shard %s has said nothing for %s: the drain may go on, px status shows it", name, DrainSilent)
		}
		if err != nil {
			return errors.Join(ctx.Err(), fmt.Errorf("shard %s ended before the drain did: %w", name, err))
		}
		switch e := e.(type) {
		case comms.Error:
			return &e
		case comms.DrainProgress:
			if e.Left {
				return awaitLeft(ctx, conn, e, progress)
			}
			progress(e)
		}
	}
}

// awaitLeft waits for the end of the connection: the last thing that a shard does.
func awaitLeft(ctx context.Context, conn *comms.Conn, last comms.DrainProgress, progress func(comms.DrainProgress)) error {
	late := time.AfterFunc(leftWithin, func() { conn.Close() }) //nolint:errcheck // ends the reads below
	var err error
	for err == nil {
		_, err = conn.ReadEvent()
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case !late.Stop():
		return fmt.Errorf("shard %s holds nothing, but has not ended within %s", last.Name, leftWithin)
	}
	progress(last)
	return nil
}
