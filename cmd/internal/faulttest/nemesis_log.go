package faulttest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"positivity-exchange/cmd/internal/faulttest/netns"
)

// refusesWithin is how long a shard whose log is cut may leave people without
// an answer.
const refusesWithin = 3 * time.Second

func logNemeses() []Nemesis {
	return []Nemesis{
		{Name: "log-cut", Needs: logOnNetwork, Least: 6 * time.Second, Most: 10 * time.Second, Limits: silence, Others: others, Run: logCut},
	}
}

func logOnNetwork(c *Cluster) string {
	if len(c.opts.NATS) == 0 {
		return "its log is no server's"
	}
	return onNetwork(c)
}

// logCut cuts a shard from all servers of its log. Gossip and people reach it.
func logCut(ctx context.Context, e *Episode) error {
	room := e.Load.Rooms()[e.Rand.IntN(len(e.Load.Rooms()))]
	p, err := e.OwnerOf(room)
	if err != nil {
		return err
	}
	site := e.Cluster.opts.Site
	var ports []int
	for _, s := range e.Cluster.NATS() {
		ports = append(ports, s.Config.Port)
	}
	asking, cancel := context.WithTimeout(ctx, e.Length)
	defer cancel()
	person, err := e.Load.openProbe(asking, room, p.Client)
	if err != nil {
		return err
	}
	defer person.close()
	e.Began(p.Name)
	heal, err := site.Net.Cut(netns.Cut{From: site.addrs(p), To: []string{site.Net.Host()}, Both: true, Ports: ports})
	if err != nil {
		return err
	}
	cut := time.Now()
	code, err := person.send(asking)
	took := time.Since(cut)
	switch {
	case err != nil && asking.Err() == nil:
		code, err = err.Error(), nil // it was sent away without a word
	case err != nil:
		err = fmt.Errorf("a message to a shard whose log is cut has no answer after %s", took)
	case code == "":
		err = errors.New("a message was acknowledged by a shard whose log is cut")
	}
	e.Note("a message is answered %q after %s", code, took.Round(time.Millisecond))
	if err == nil && took > refusesWithin+500*time.Millisecond { // the machine's own
		err = fmt.Errorf("a message to a shard whose log is cut was answered after %s, at most %s is allowed", took, refusesWithin)
	}
	pass(ctx, time.Until(cut.Add(e.Length)))
	return errors.Join(err, heal(), e.heals(ctx))
}
