package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"positivity-exchange/comms"
	"positivity-exchange/comms/peer"
	"positivity-exchange/comms/tlsconn"
	"positivity-exchange/membership"
)

// linker gives membership its standing connections.
type linker struct {
	pool   *peer.Pool
	logger *slog.Logger

	mu   sync.Mutex
	told map[string]string // what was last said about an address
}

func newLinker(pool *peer.Pool, logger *slog.Logger) *linker {
	return &linker{pool: pool, logger: logger, told: map[string]string{}}
}

// Link implements membership.Linker.
func (l *linker) Link(ctx context.Context, addr, boot string) (membership.Link, error) {
	conn, err := l.pool.Link(ctx, addr, boot)
	l.tell(addr, err)
	if errors.Is(err, peer.ErrOtherBoot) {
		return nil, fmt.Errorf("%w: %w", membership.ErrOtherBoot, err)
	}
	if err != nil {
		return nil, err
	}
	return conn, nil
}

// tell says once what keeps two members apart until somebody changes a file, a
// flag or a clock: gossip between them goes on, so nothing else would show it.
func (l *linker) tell(addr string, err error) {
	var trouble, advice string
	var refused *comms.Error
	switch {
	case tlsconn.Trouble(err):
		trouble, advice = err.Error(), "give all of them --tls-cert, --tls-key and --tls-ca"
	case errors.As(err, &refused) && refused.Code == comms.CodeExpired:
		trouble, advice = refused.Code, "set the clocks of their machines" // by how much they differ changes
	}
	l.mu.Lock()
	said := l.told[addr]
	if delete(l.told, addr); trouble != "" {
		l.told[addr] = trouble
	}
	l.mu.Unlock()
	if trouble != "" && trouble != said {
		l.logger.Error("members do not reach each other: "+advice, "err", err)
	}
}
