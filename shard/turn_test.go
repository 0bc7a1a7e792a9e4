package shard

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"positivity-exchange/membership"
	"positivity-exchange/shard/roomlog"
	"positivity-exchange/shard/roomlog/memlog"
)

// mute is a log that, once it is silent, does not answer who asks for a room's head.
type mute struct {
	roomlog.Log
	silent        atomic.Bool
	asked, answer chan struct{}
}

func (l *mute) Head(ctx context.Context, partition int, room string) (roomlog.Position, roomlog.RoomInfo, error) {
	if l.silent.CompareAndSwap(true, false) {
		close(l.asked)
		<-l.answer
	}
	return l.Log.Head(ctx, partition, room)
}

// TestStopIsBoundedWhileARoomIsRead: a drain gives a partition up within its
// deadline, or says that it could not.
func TestStopIsBoundedWhileARoomIsRead(t *testing.T) {
	log := &mute{Log: memlog.NewStore().Open(), asked: make(chan struct{}), answer: make(chan struct{})}
	s := serverOn(t, log)
	partition := membership.Partition("go")
	held, err := s.keeper.Hold(t.Context(), partition)
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.opened(t.Context(), held)
	if err != nil {
		t.Fatal(err)
	}
	log.silent.Store(true)
	loaded := make(chan struct{})
	go func() {
		defer close(loaded)
		p.load(context.Background(), "go") //nolint:errcheck // the room is there
	}()
	<-log.asked
	stopped := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		defer cancel()
		_, err := (*rooms)(s).Stop(ctx, partition)
		stopped <- err
	}()
	select {
	case err := <-stopped:
		if err == nil {
			t.Error("stopped while a room was being read")
		}
	case <-time.After(5 * time.Second):
		t.Error("it waits for a log that does not answer, long after its deadline")
	}
	close(log.answer)
	<-loaded
}
