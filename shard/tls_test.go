package shard

import (
	"positivity-exchange/comms/tlsconn"
	"positivity-exchange/shard/fanout"
)

// Without this, sessions under TLS would each have a goroutine that may block.
var _ fanout.Sealer = (*tlsconn.Conn)(nil)
