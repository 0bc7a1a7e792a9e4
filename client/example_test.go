package client_test

import (
	"context"
	"fmt"
	"log"

	"positivity-exchange/client"
)

// A bot logs in, joins a room, says something and reads what is said. The room
// moves to another shard meanwhile, of which the bot sees nothing.
func Example() {
	cluster := newCluster("s1", "s2") // in earnest: px up, and its router's address below
	defer cluster.close()
	ctx := context.Background()

	session, err := client.Connect(ctx, client.Options{Routers: []string{cluster.router.addr()}, User: "bot"})
	if err != nil {
		log.Fatal(err)
	}
	defer session.Close()
	if err := session.Join(ctx, "general", nil); err != nil {
		log.Fatal(err)
	}
	if _, err := session.Post("general", "hello"); err != nil {
		log.Fatal(err)
	}
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
