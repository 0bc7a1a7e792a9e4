package ownership

import (
	"testing"

	"positivity-exchange/membership"
	"positivity-exchange/shard/roomlog"
)

func TestDecideNeverTakesFromTheLiving(t *testing.T) {
	me := membership.Member{Name: "me", Boot: "b-me", Client: "me:1", State: membership.StateActive}
	draining := me
	draining.State = membership.StateDraining
	other := membership.Member{Name: "other", Boot: "b-other", Client: "other:1", State: membership.StateActive}
	third := membership.Member{Name: "third", Boot: "b-third", Client: "third:2", State: membership.StateActive} // started again since
	held := roomlog.Owner{Epoch: 4, Name: "holder", Boot: "b-holder", Addr: "holder:1"}
	mine := roomlog.Owner{Epoch: 4, Name: "me", Boot: "b-me", Addr: "me:1"}
	released := roomlog.Owner{Epoch: 4, Name: "holder", Boot: "b-holder", Released: true}
	to := func(o roomlog.Owner, name, addr string) roomlog.Owner { o.NextName, o.NextAddr = name, addr; return o }
	for name, c := range map[string]struct {
		v     view
		want  verdict
		where string
	}{
		"unused, given to us":                 {view{self: me, table: me}, acquire, ""},
		"unused, given to another":            {view{self: me, table: other}, redirect, "other:1"},
		"unused, given to nobody":             {view{self: me}, wait, ""},
		"released, given to us":               {view{self: me, table: me, record: released}, acquire, ""},
		"released to us, table says another":  {view{self: me, table: other, record: to(released, "me", "me:1")}, acquire, ""},
		"released to us, who drain":           {view{self: draining, table: other, record: to(released, "me", "me:1")}, redirect, "other:1"},
		"released to a living shard":          {view{self: me, table: me, record: to(released, "third", "third:1"), next: third}, redirect, "third:2"},
		"released to a dead shard":            {view{self: me, table: me, record: to(released, "third", "third:1")}, acquire, ""},
		"held by a living shard":              {view{self: me, table: me, record: held}, ask, "holder:1"},
		"held by a living shard, not ours":    {view{self: me, table: other, record: held}, redirect, "holder:1"},
		"held by a shard that stands still":   {view{self: me, table: me, record: held, quiet: true}, wait, ""},
		"the same, not ours":                  {view{self: me, table: other, record: held, quiet: true}, wait, ""},
		"held by a gone shard":                {view{self: me, table: me, record: held, gone: true}, acquire, ""},
		"held by a gone shard, not ours":      {view{self: me, table: other, record: held, gone: true}, redirect, "other:1"},
		"ours, the acquire's answer was lost": {view{self: me, table: other, record: mine}, acquire, ""},
		"ours and not served, while we drain": {view{self: draining, table: other, record: mine}, letGo, "other:1"},
	} {
		got, where := decide(c.v)
		if got != c.want || where.Addr != c.where {
			t.Errorf("%s: got %v %q, want %v %q", name, got, where.Addr, c.want, c.where)
		}
	}
}
