package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"positivity-exchange/client"
	"positivity-exchange/comms"
	"positivity-exchange/comms/tlsconn"
)

// dialTimeout bounds how long a command of a script looks for a router.
const dialTimeout = 10 * time.Second

// errLateRouter is for queries that a router answers by itself.
var errLateRouter = fmt.Errorf("the router did not answer within %s", dialTimeout)

// lateShard is for queries that the shard of a room answers.
func lateShard(room string) error {
	return fmt.Errorf("#%s: no shard answered within %s; px status shows who is there", room, dialTimeout)
}

func connect(ctx context.Context, c *cli.Context, user string) (*client.Session, error) {
	return dial(ctx, c, c.String("router"), user)
}

// dial logs in at the first router that answers within dialTimeout, or ctx if
// that is sooner.
func dial(ctx context.Context, c *cli.Context, router, user string) (*client.Session, error) {
	routers, err := routersOf(router)
	if err != nil {
		return nil, err
	}
	secure, err := clientTLS(c)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	s, err := client.Connect(ctx, client.Options{Routers: routers, User: user, TLS: secure})
	if err != nil && c.Context.Err() != nil {
		return nil, errInterrupted
	}
	var refused *client.RefusedError
	if errors.As(err, &refused) {
		return nil, refused
	}
	if tlsconn.Trouble(err) {
		return nil, fmt.Errorf("router %s: %w", strings.Join(routers, ","), err)
	}
	if err != nil {
		return nil, fmt.Errorf("%w (px up starts a cluster on this machine)", err)
	}
	return s, nil
}

// routersOf reads a list of routers.
func routersOf(list string) ([]string, error) {
	routers, err := client.ParseRouters(list)
	if err != nil {
		return nil, usagef("%s", err)
	}
	return routers, nil
}

// discard reads a session's events for commands that do not need them.
func discard(s *client.Session) {
	go func() {
		for range s.Events() { //nolint:revive // nothing to do with them
		}
	}()
}

// query connects, asks within dialTimeout, and ends. late is what is said when
// that time is over.
func query(c *cli.Context, usage, late error, ask func(context.Context, *client.Session) error) error {
	if usage != nil {
		return usage
	}
	s, err := connect(c.Context, c, "")
	if err != nil {
		return err
	}
	defer s.Close() //nolint:errcheck // never fails
	discard(s)
	ctx, cancel := context.WithTimeout(c.Context, dialTimeout)
	defer cancel()
	err = ask(ctx, s)
	switch {
	case err != nil && c.Context.Err() != nil:
		return errInterrupted
	case errors.Is(err, context.DeadlineExceeded):
		var refused *client.RefusedError
		if errors.As(err, &refused) && refused.Code != comms.CodeNoShard { // late says that better
			return fmt.Errorf("not done within %s: %w", dialTimeout, refused)
		}
		return late
	}
	return err
}

// heldUp says on standard error what keeps a command from going on, which nobody
// would see of one that has no time-out. That a room moves, or a cluster starts, is
// over too soon for it.
func heldUp(e client.Event) {
	var refused *client.RefusedError
	switch e := e.(type) {
	case client.Held:
		if errors.As(e.Err, &refused) {
			fmt.Fprintf(os.Stderr, "px: #%s: %v; trying again\n", e.Room, refused)
		}
	case client.RoomLink:
		if errors.As(e.Err, &refused) && (refused.Code == comms.CodeStorage || refused.Code == comms.CodeUnknownFate) {
			fmt.Fprintf(os.Stderr, "px: #%s: %v; trying again\n", e.Room, refused)
		}
	}
}
