package shard

import (
	"context"

	"positivity-exchange/comms"
	"positivity-exchange/comms/peer"
	"positivity-exchange/shard/ownership"
)

// NewPeers adapts a pool of member connections to what ownership asks for.
func NewPeers(pool *peer.Pool, name, boot string) ownership.Peers {
	return peers{pool, name, boot}
}

type peers struct {
	pool       *peer.Pool
	name, boot string
}

func (p peers) Yield(ctx context.Context, addr string, partition int) (string, error) {
	e, err := p.pool.Call(ctx, addr, comms.Yield{Partition: partition, Name: p.name, Boot: p.boot})
	if err != nil {
		return "", err
	}
	return e.(comms.Yielded).Answer, nil
}

func (p peers) Offer(ctx context.Context, addr string, partition int, draining bool) (bool, error) {
	e, err := p.pool.Call(ctx, addr, comms.Offer{Partition: partition, Draining: draining})
	if err != nil {
		return false, err
	}
	return e.(comms.Offered).OK, nil
}
