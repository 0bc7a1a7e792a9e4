package natstest

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// electedSubject is where a server that becomes a stream's leader says so.
const electedSubject = "$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED.*"

// Elections notes when streams got their leaders, as the servers themselves tell.
type Elections struct {
	mu     sync.Mutex
	latest map[string]Election
}

// Election is one that a stream's replicas held.
type Election struct {
	Leader string    // name of the server that leads since
	At     time.Time // by this machine's clock, as it was heard
}

// WatchElections listens at all of the servers, whichever of them is killed.
func WatchElections(t testing.TB, servers []*Server) *Elections {
	t.Helper()
	e := &Elections{latest: map[string]Election{}}
	for _, s := range servers {
		nc, err := nats.Connect(s.URL(), nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond), nats.UserInfo(s.Config.User, s.Config.Password))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		if _, err := nc.Subscribe(electedSubject, e.heard); err != nil {
			t.Fatal(err)
		}
		if err := nc.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	return e
}

func (e *Elections) heard(m *nats.Msg) {
	var told struct {
		Leader string `json:"leader"`
	}
	if json.Unmarshal(m.Data, &told) != nil {
		return
	}
	stream := m.Subject[strings.LastIndexByte(m.Subject, '.')+1:]
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.latest[stream].Leader != told.Leader { // each server that lives brings it
		e.latest[stream] = Election{told.Leader, time.Now()}
	}
}

// Since is how long after start each stream got the leader that it has, for
// those that got it later than start.
func (e *Elections) Since(start time.Time) map[string]time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	took := map[string]time.Duration{}
	for stream, election := range e.latest {
		if election.At.After(start) {
			took[stream] = election.At.Sub(start)
		}
	}
	return took
}
