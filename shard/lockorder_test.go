package shard

import (
	"fmt"
	"testing"
	"time"

	"positivity-exchange/comms"
	"positivity-exchange/membership"
	"positivity-exchange/shard/roomlog/memlog"
)

// TestPartIsFoundWithoutItsLock: whoever looks for a partition has the Server's
// lock, for which a commit waits that changed a topic and has the partition's.
// If the one waited for the other too, the whole shard stood still for ever.
func TestPartIsFoundWithoutItsLock(t *testing.T) {
	server := serverOn(t, memlog.NewStore().Open())
	login(t, server.opts.Listener.Addr().String(), "ada").join("go", nil)
	partition := membership.Partition("go")
	h, err := server.keeper.Hold(t.Context(), partition)
	if err != nil {
		t.Fatal(err)
	}
	p := server.held(partition)
	found := make(chan error, 1)
	p.mu.Lock()
	defer p.mu.Unlock()
	go func() {
		_, err := server.opened(t.Context(), h)
		found <- err
	}()
	select {
	case err := <-found:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("it waits for the partition's lock, and has the Server's")
	}
}

// TestTopicsChangeWhilePeopleComeAndAsk: everybody is answered.
func TestTopicsChangeWhilePeopleComeAndAsk(t *testing.T) {
	const n = 1000
	addr := serveOn(t, memlog.NewStore().Open())
	ada := login(t, addr, "ada")
	ada.join("go", nil)
	commands := map[*talker]func(i int) comms.Command{
		ada: func(i int) comms.Command { return comms.SetTopic{Room: "go", Topic: "gophers", ID: fmt.Sprint("t", i)} },
	}
	for _, user := range []string{"bob", "carol", "eve"} {
		commands[login(t, addr, user)] = func(int) comms.Command { return comms.Locate{Room: "go"} }
	}
	done := make(chan struct{}, len(commands))
	for c, command := range commands {
		go func() {
			for i := range n {
				c.say(command(i))
			}
			c.say(comms.Ping{N: n})
			done <- struct{}{}
		}()
	}
	for c := range commands {
		for c.next() != comms.Event(comms.PongEvent{N: n}) {
		}
	}
	for range commands {
		<-done
	}
}
