// Package lobby bounds the connections of those who have not said who they are.
// Each takes a descriptor, of which a process has so many, and a shard's store
// needs some of the same: whoever connected first and still says nothing goes when
// there are too many.
package lobby

import (
	"container/list"
	"sync"
	"time"

	"positivity-exchange/comms"
)

const (
	// A process lets strangers have one descriptor of this many in each of its
	// lobbies; px up has one for its router and one for each shard.
	share = 8

	fewDescriptors  = 1024    // where nobody tells how many there are
	manyDescriptors = 1 << 20 // as good as any number
)

// Lobby is where the strangers of one listener wait.
type Lobby struct {
	most int

	mu        sync.Mutex
	strangers list.List // of *Stranger, the longest here first
}

// Stranger is one of them.
type Stranger struct {
	lobby *Lobby
	late  *time.Timer
	place *list.Element // nil once it has left; guarded by the Lobby's mu
	expel func(code string)
}

// New makes a Lobby for so many strangers; 0 means a part of the descriptors that
// this process may have.
func New(most int) *Lobby {
	if most == 0 {
		most = max(descriptors()/share, 1)
	}
	return &Lobby{most: most}
}

// Enter takes a stranger in. expel ends its connection, and must not block: it is
// called with comms.CodeTooMany when others need the place, or with comms.CodeIdle
// after comms.LobbyTimeout, whatever it has said meanwhile; never after Leave.
func (l *Lobby) Enter(expel func(code string)) *Stranger {
	s := &Stranger{lobby: l, expel: expel}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.strangers.Len() >= l.most {
		l.strangers.Front().Value.(*Stranger).endLocked(comms.CodeTooMany)
	}
	s.place = l.strangers.PushBack(s)
	s.late = time.AfterFunc(comms.LobbyTimeout, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		s.endLocked(comms.CodeIdle)
	})
	return s
}

// Leave is for those who have said who they are, or gone. Later calls do nothing.
func (s *Stranger) Leave() {
	s.lobby.mu.Lock()
	defer s.lobby.mu.Unlock()
	s.leaveLocked()
}

func (s *Stranger) leaveLocked() {
	if s.place != nil {
		s.late.Stop()
		s.lobby.strangers.Remove(s.place)
		s.place = nil
	}
}

func (s *Stranger) endLocked(code string) {
	if s.place != nil {
		s.leaveLocked()
		s.expel(code)
	}
}
