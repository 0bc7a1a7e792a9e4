package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"positivity-exchange/client/profile"
	"positivity-exchange/client/tui"
	"positivity-exchange/comms"
)

// connectSoon is how long nothing happens before a person hears why.
const connectSoon = time.Second

func runPlain(c *cli.Context, config profile.Config) (err error) {
	in, user, person := io.Reader(os.Stdin), config.User, term.IsTerminal(int(os.Stdin.Fd()))
	if person && user == "" {
		user = profile.LastUser()
	}
	if person && user == "" {
		lines := bufio.NewReader(os.Stdin)
		in = lines // it may have read on
		if user, err = askName(c.Context, lines); err != nil {
			return err
		}
	}
	silent := time.AfterFunc(connectSoon, func() { fmt.Fprintln(os.Stderr, "px: connecting to", config.Router) })
	s, err := dial(c.Context, c, config.Router, user)
	silent.Stop()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if person && user != "" {
		if err := profile.KeepUser(user, user == config.User); err != nil {
			fmt.Fprintln(os.Stderr, "px: the name is not kept:", err)
		}
	}
	err = tui.Plain(c.Context, tui.PlainOptions{Session: s, Room: config.Room, In: in, Out: os.Stdout, Script: !person})
	if errors.Is(err, context.Canceled) && c.Context.Err() != nil {
		return errInterrupted
	}
	return err
}

// askName asks a person for the name, as the connect page does; "" is a guest's.
// On standard error, since standard output may be kept in a file.
func askName(ctx context.Context, in *bufio.Reader) (string, error) {
	for {
		fmt.Fprint(os.Stderr, "Which name will you use? (empty: a guest's, for this once) ")
		var line string
		read := make(chan error, 1)
		go func() { // a read of a terminal cannot be ended; it ends with the process
			var err error
			line, err = in.ReadString('\n')
			read <- err
		}()
		select {
		case <-ctx.Done():
			return "", errInterrupted
		case err := <-read:
			if err != nil {
				return "", fmt.Errorf("no name was given: %w", err)
			}
		}
		name := strings.TrimSpace(line)
		err := comms.CheckUserName(name)
		if name == "" || err == nil {
			return name, nil
		}
		fmt.Fprintln(os.Stderr, "px:", err)
	}
}
