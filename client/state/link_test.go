package state

import (
	"errors"
	"testing"
	"time"

	"positivity-exchange/client"
	"positivity-exchange/comms"
)

// TestWhyARoomIsNotServed is said where more is known than that it is looked for,
// and for how long, whatever more is heard meanwhile.
func TestWhyARoomIsNotServed(t *testing.T) {
	noShard := &client.RefusedError{Code: comms.CodeNoShard, Message: "no shard serves just now; try again"}
	first := State{Page: PageChat, User: "ada"}.Open("go")
	for name, c := range map[string]struct {
		state State
		errs  []error
		want  string
	}{
		"a first visit":                   {first, []error{errors.New("EOF")}, "connecting (6 s)"},
		"a first visit, no shard":         {first, []error{noShard}, "no shard serves just now (6 s)"},
		"the shard is gone":               {in("go"), []error{errors.New("EOF")}, "reconnecting (6 s)"},
		"the shard is gone, it was alone": {in("go"), []error{errors.New("EOF"), noShard}, "no shard serves just now (6 s)"},
		"that may be over: it is silent":  {in("go"), []error{noShard, errors.New("EOF")}, "reconnecting (6 s)"},
		"it moves, which takes no time":   {in("go"), []error{&client.RefusedError{Code: comms.CodeNotReady, Message: "moving"}}, "reconnecting (6 s)"},
	} {
		s := c.state
		for _, err := range c.errs {
			s = s.Apply(client.RoomLink{Room: "go", State: client.LinkReconnecting, Err: err})
			s.Now = s.Now.Add(6 * time.Second / time.Duration(len(c.errs)))
		}
		r := s.Room("go")
		if got, _ := r.linkText(int(s.Now.Sub(r.LinkSince).Seconds())); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
