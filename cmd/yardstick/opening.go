package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"positivity-exchange/comms"
	"positivity-exchange/membership"
)

// opened is how many rooms not yet open are asked in, each turn.
const opened = 40

// opening starts a shard on a full store and asks in rooms that are not open.
func opening(b *bench, f *findings) error {
	rooms := roomsOfAll()
	store := filepath.Join(b.dir, "full")
	if b.turn == 0 {
		if err := fill(b.Context.Context, store, rooms, b.Int("messages")/membership.Partitions); err != nil {
			return err
		}
	}
	r, err := b.target(1, store).start(b.Context.Context)
	if err != nil {
		return err
	}
	defer r.stop()
	f.add("ms from the start of the process until it serves", ms(r.shardReady))
	ctx, cancel := context.WithTimeout(b.Context.Context, time.Minute)
	defer cancel()
	ticket, err := r.dialect.Login(ctx, "asker")
	if err != nil {
		return err
	}
	nc, err := r.dialect.Connect(ctx, r.shardAddr, "asker", ticket)
	if err != nil {
		return err
	}
	conn := comms.NewClientConn(nc)
	defer conn.Close() //nolint:errcheck // it was only read
	var slowest, first, pages, slowestPage time.Duration
	for i, room := range rooms[:opened] {
		page, err := ask[comms.HistoryPage](conn, comms.History{Room: room, Before: comms.MaxSeq, Limit: 50}, &pages)
		if err != nil {
			return fmt.Errorf("history of #%s: %w", room, err)
		}
		if len(page.Records) != 50 {
			return fmt.Errorf("#%s: %d records in a page of 50", room, len(page.Records))
		}
		slowestPage = max(slowestPage, pages)
		if i == 0 {
			first = pages
		}
	}
	// Other rooms than those above, so that their partitions are not open.
	for _, room := range rooms[opened : 2*opened] {
		var took time.Duration
		if _, err := ask[comms.UserJoinedRoom](conn, comms.JoinRoom{Room: room}, &took); err != nil {
			return fmt.Errorf("join #%s: %w", room, err)
		}
		slowest = max(slowest, took)
	}
	f.add("ms for the first page of history of all", ms(first))
	f.add(fmt.Sprintf("ms for a page in a room not open, slowest of %d", opened), ms(slowestPage))
	f.add(fmt.Sprintf("ms to join a room not open, slowest of %d", opened), ms(slowest))
	return nil
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// ask sends a command and waits for the answer.
func ask[E comms.Event](conn *comms.Conn, c comms.Command, took *time.Duration) (e E, err error) {
	start := time.Now()
	if err := conn.WriteCommand(c); err != nil {
		return e, err
	}
	for {
		event, err := conn.ReadEvent()
		if err != nil {
			return e, err
		}
		switch event := event.(type) {
		case E:
			*took = time.Since(start)
			return event, nil
		case comms.Error:
			return e, &event
		case comms.Redirect:
			return e, errors.New("redirected: one shard owns all")
		}
	}
}
