package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"positivity-exchange/client"
	"positivity-exchange/comms"
)

// A program logs in, joins a room, says something and reads what is said. The
// room moves to another shard meanwhile, of which the program sees nothing.
func Example() {
	cluster := newCluster("s1", "s2") // in earnest: px up, and its router's address below
	defer cluster.close()
	ctx := context.Background()

	session, err := client.Connect(ctx, client.Options{Routers: []string{cluster.router.addr()}, User: "bot"})
	if err != nil {
		log.Fatal(err)
	}
	defer session.Close()
	go func() { // what waits for a server does so beside the reading of events
		if err := session.Join(ctx, "general", nil); err != nil {
			log.Fatal(err)
		}
		if _, err := session.Post("general", "hello"); err != nil {
			log.Fatal(err)
		}
	}()
	for e := range session.Events() {
		m, ok := e.(client.Message)
		if !ok {
			continue
		}
		fmt.Printf("#%s %d %s: %s\n", m.Room, m.Seq, m.User, m.Content)
		switch m.Seq {
		case 1: // stored: it is our own, acknowledged
			cluster.move("general", "s2", false)
			if _, err := session.Post("general", "still here"); err != nil {
				log.Fatal(err)
			}
		case 2:
			return
		}
	}
	// Output:
	// #general 1 bot: hello
	// #general 2 bot: still here
}

// echo says again what is said in a room, each message once, however often the bot
// is killed and started: it begins behind a position up to which all was
// answered, and hands a later one to save.
func echo(ctx context.Context, opts client.Options, room string, from comms.Position, save func(comms.Position)) error {
	session, err := client.Connect(ctx, opts)
	if err != nil {
		return err
	}
	defer session.Close()
	stop := context.AfterFunc(ctx, func() { session.Close() }) // ends the events
	defer stop()
	if err := session.Join(ctx, room, &from); err != nil {
		return err
	}
	answered := map[string]comms.Position{} // by the id of the answer: what it is to
	for e := range session.Events() {
		switch e := e.(type) {
		case client.Message:
			if at, ours := answered[e.ID]; ours && e.Mine {
				delete(answered, e.ID)
				save(at)
			}
			if e.Kind != comms.KindMessage || e.User == session.User() {
				continue // an echo has no echo
			}
			// The id follows from the message: should an earlier life have answered
			// it, this is a repeat. The answer stands behind the message in any case.
			id := fmt.Sprintf("echo.%d", e.Seq)
			answered[id] = comms.Position{Seq: e.Seq, Epoch: e.Epoch}
			if err := session.Repost(room, e.Content, id, e.Seq); err != nil {
				return errors.Join(ctx.Err(), err)
			}
		case client.SendFailed:
			return fmt.Errorf("answer %s: %w", e.ID, e.Err)
		case client.Left:
			return e.Err
		}
	}
	return ctx.Err()
}

// A bot answers every message once. It is ended here after its first answer and
// starts again without knowing of it, as if it had been killed before it saved.
func Example_echo() {
	cluster := newCluster("s1") // in earnest: px up, and its router's address below
	defer cluster.close()
	ctx := context.Background()
	routers := []string{cluster.router.addr()}

	ada, err := client.Connect(ctx, client.Options{Routers: routers, User: "ada"})
	if err != nil {
		log.Fatal(err)
	}
	defer ada.Close()
	if err := ada.Join(ctx, "general", nil); err != nil {
		log.Fatal(err)
	}
	for _, text := range []string{"hello", "are you there?"} {
		life, kill := context.WithCancel(ctx)
		ended := make(chan error)
		go func() {
			save := func(comms.Position) {} // in earnest: to a file, that the next life reads
			ended <- echo(life, client.Options{Routers: routers, User: "echo"}, "general", comms.Position{}, save)
		}()
		if _, err := ada.Post("general", text); err != nil {
			log.Fatal(err)
		}
		for e := range ada.Events() {
			if m, ok := e.(client.Message); ok {
				fmt.Printf("%d %s: %s\n", m.Seq, m.User, m.Content)
				if m.User == "echo" {
					break
				}
			}
		}
		kill()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			log.Fatal(err)
		}
	}
	// Output:
	// 1 ada: hello
	// 2 echo: hello
	// 3 ada: are you there?
	// 4 echo: are you there?
}

// A name that no server takes is refused before one is asked. What a server
// refuses looks the same.
func ExampleRefusedError() {
	_, err := client.Connect(context.Background(), client.Options{Routers: []string{"localhost:8080"}, User: "Ada"})
	var refused *client.RefusedError
	if errors.As(err, &refused) && refused.Code == comms.CodeBadUser {
		fmt.Println(refused)
	}
	// Output:
	// "Ada" is no user name; use 1 to 32 of a-z, 0-9 and '-'
}
