package shard

import (
	"context"
	"errors"
	"io"
	"testing"

	"positivity-exchange/comms"
	"positivity-exchange/shard/roomlog/memlog"
)

// TestSessionsHearThatTheShardEnds, so that they need not guess why.
func TestSessionsHearThatTheShardEnds(t *testing.T) {
	log := memlog.NewStore().Open()
	defer log.Close() //nolint:errcheck // in memory
	server := New(optionsOn(t, log))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		server.Run(ctx) //nolint:errcheck // ends with ctx
	}()
	ada := login(t, server.opts.Listener.Addr().String(), "ada")
	cancel()
	if e, err := ada.conn.ReadEvent(); err != nil || e != comms.Event(comms.Goodbye{Reason: comms.CodeShutdown}) {
		t.Errorf("ada got %+v, %v", e, err)
	}
	if _, err := ada.conn.ReadEvent(); !errors.Is(err, io.EOF) {
		t.Errorf("it goes on after its goodbye: %v", err)
	}
	<-ended
}
