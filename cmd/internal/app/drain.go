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

// drainSilent is for how long a shard that drains may say nothing. It pings
// whoever is silent for comms.PingAfter.
const drainSilent = 5 * comms.PingAfter / 2

// Drain tells the shard at addr to give everything up, as an operator who has
// the cluster's secret, and returns once it has left. secure is nil where the
// cluster speaks no TLS.
func Drain(ctx context.Context, secure *tls.Config, addr, name string, secret []byte, progress func(comms.DrainProgress)) error {
	nc, err := tlsconn.Dial(ctx, addr, secure)
	if err != nil {
		return fmt.Errorf("shard %s: %w", name, err)
	}
	conn := comms.NewClientConn(nc)
	conn.SetIdle(drainSilent)
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
			return fmt.Errorf("shard %s has said nothing for %s: the drain may go on, px status shows it", name, drainSilent)
		}
		if err != nil {
			return errors.Join(ctx.Err(), fmt.Errorf("shard %s ended before the drain did: %w", name, err))
		}
		switch e := e.(type) {
		case comms.Error:
			return &e
		case comms.DrainProgress:
			progress(e)
			if e.Left {
				return nil
			}
		}
	}
}
