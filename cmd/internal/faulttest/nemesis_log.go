package faulttest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"positivity-exchange/client"
	"positivity-exchange/cmd/internal/faulttest/checker"
	"positivity-exchange/cmd/internal/faulttest/netns"
	"positivity-exchange/comms"
)

// refusesWithin is how long a shard whose log is cut may leave people without
// an answer.
const (
	refusesWithin = 3 * time.Second
	cutNoise      = 500 * time.Millisecond // what the machine adds
)

func logNemeses() []Nemesis {
	return []Nemesis{
		{Name: "log-cut", Needs: logOnNetwork, Least: 6 * time.Second, Most: 10 * time.Second, Limits: Limits{Max: refusesWithin}, Others: others, Run: logCut},
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
	asking, cancel := context.WithTimeout(ctx, e.Length+convergeWithin)
	defer cancel()
	person, err := e.Load.connect(asking, "cut-off")
	if err != nil {
		return err
	}
	defer person.Close() //nolint:errcheck // never fails
	if err := person.Join(asking, room, nil); err != nil {
		return err
	}
	e.Began(p.Name)
	heal, err := site.Net.Cut(netns.Cut{From: site.addrs(p), To: []string{site.Net.Host()}, Both: true, Ports: ports})
	if err != nil {
		return err
	}
	cut := time.Now()
	what, took, err := e.Load.sentOn(asking, person, room, p.Name)
	e.Note("%s %s after the cut", what, took.Round(time.Millisecond))
	if err == nil && took > judged(refusesWithin)+cutNoise && e.alone {
		err = fmt.Errorf("%s %s after a shard's log was cut, at most %s is allowed", what, took, refusesWithin)
	}
	pass(ctx, time.Until(cut.Add(e.Length)))
	return errors.Join(err, heal(), e.heals(ctx))
}

// sentOn posts a message as a person who is in the room at a shard, and returns
// how long it took until the person was sent elsewhere, or told something. It
// waits until the message is acknowledged.
func (l *Load) sentOn(ctx context.Context, s *client.Session, room, shard string) (what string, took time.Duration, err error) {
	id, content, start := comms.NewIDSource().Next(), "cut off", time.Now()
	event := func(kind checker.Kind, e checker.Event) {
		e.Kind, e.Room, e.Who, e.ID = kind, room, s.User(), id
		l.log.Add(e)
	}
	event(checker.Send, checker.Event{Hash: checker.Hash(content)})
	if err := s.Repost(room, content, id, 0); err != nil {
		return "", 0, err
	}
	told := func(now string) {
		if what == "" {
			what, took = now, time.Since(start)
		}
	}
	for {
		select {
		case <-ctx.Done():
			event(checker.Unknown, checker.Event{})
			return what, took, fmt.Errorf("a message to %s, whose log is cut, has no outcome: %w", shard, ctx.Err())
		case e := <-s.Events():
			switch e := e.(type) {
			case client.Message:
				if e.Mine {
					told("acknowledged")
					event(checker.Ack, checker.Event{Seq: e.Seq, Epoch: e.Epoch, Hash: checker.Hash(e.Content)})
					return what, took, nil
				}
			case client.SendFailed:
				told("refused")
				event(checker.Error, checker.Event{Code: fmt.Sprint(e.Err)})
				return what, took, nil
			case client.RoomLink:
				if e.State == client.LinkUp && e.Shard != shard {
					told("sent on to " + e.Shard)
				}
			}
		}
	}
}
