package lobby

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"positivity-exchange/comms"
)

func TestLobbyHasRoomForSoMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(3)
		var expelled []string // guarded by the lobby's lock
		enter := func(name string) *Stranger {
			return l.Enter(func(code string) { expelled = append(expelled, name+" "+code) })
		}
		want := func(when string, names ...string) {
			t.Helper()
			synctest.Wait()
			l.mu.Lock()
			defer l.mu.Unlock()
			slices.Sort(expelled)
			if !slices.Equal(expelled, names) {
				t.Errorf("%s: %v had to go, want %v", when, expelled, names)
			}
			expelled = nil
		}
		a, b := enter("a"), enter("b")
		enter("c")
		want("there is room")
		b.Leave()
		enter("d")
		want("one has said who it is")
		<-time.After(comms.LobbyTimeout / 2)
		enter("e")
		want("there are too many", "a "+comms.CodeTooMany)
		a.Leave()
		b.Leave()
		enter("f")
		want("who is gone leaves again", "c "+comms.CodeTooMany)
		<-time.After(comms.LobbyTimeout * 3 / 4)
		want("nobody says a word", "d "+comms.CodeIdle)
		<-time.After(comms.LobbyTimeout)
		want("nobody ever does", "e "+comms.CodeIdle, "f "+comms.CodeIdle)
	})
}

func TestLobbyIsAPartOfTheDescriptors(t *testing.T) {
	if n := New(0).most; n < 1 || n > manyDescriptors/share {
		t.Errorf("room for %d", n)
	}
}
