package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"positivity-exchange/cmd/internal/app"
	"positivity-exchange/membership"
	"positivity-exchange/shard/roomlog"
)

// fillBatch is how many records one transaction of a filling has.
const fillBatch = 1000

// fill writes count messages into each of the rooms of a store that no shard
// has open, and gives the partitions up.
func fill(ctx context.Context, dir string, rooms []string, count int) (err error) {
	log, err := app.OpenLog(app.Config{Data: dir})
	if err != nil {
		return err
	}
	defer func() {
		if closed := log.Close(); err == nil {
			err = closed
		}
	}()
	for _, room := range rooms {
		p := membership.Partition(room)
		was, err := log.Owner(ctx, p)
		if err != nil {
			return err
		}
		owner, err := log.Acquire(ctx, p, was, roomlog.Owner{Name: "filler", Boot: membership.NewBoot(), Addr: "127.0.0.1:1"})
		if err != nil {
			return err
		}
		now := time.Now().UnixMilli()
		batch := []roomlog.Record{{Room: room, Kind: roomlog.KindCreated, User: "filler", Content: "filled", Time: now}}
		for seq := 1; seq <= count; seq++ {
			batch = append(batch, roomlog.Record{
				Room: room, Kind: roomlog.KindMessage, Seq: uint64(seq), User: fmt.Sprintf("user-%d", seq%50), Time: now,
				ID: fmt.Sprintf("yardstick-fill.%d", seq), Content: fmt.Sprintf("message number %-9d", seq),
			})
			if len(batch) >= fillBatch || seq == count {
				if err := log.Append(ctx, p, owner.Epoch, batch); err != nil {
					return fmt.Errorf("fill #%s: %w", room, err)
				}
				batch = batch[:0]
			}
		}
		if err := log.Release(ctx, p, owner.Epoch, roomlog.Release{}); err != nil {
			return err
		}
	}
	return nil
}

// roomsOfAll names one room in each partition.
func roomsOfAll() []string {
	rooms := make([]string, membership.Partitions)
	for i, left := 0, len(rooms); left > 0; i++ {
		name := fmt.Sprintf("filled-%d", i)
		if p := membership.Partition(name); rooms[p] == "" {
			rooms[p] = name
			left--
		}
	}
	return rooms
}

// copyStore makes a filled store ready to be used once.
func copyStore(from, to string) error {
	if from == "" {
		return os.MkdirAll(to, 0o700)
	}
	return os.CopyFS(to, os.DirFS(from))
}
