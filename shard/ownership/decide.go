package ownership

import (
	"positivity-exchange/membership"
	"positivity-exchange/shard/roomlog"
)

// verdict is what to do about a partition that is not held here.
type verdict int

const (
	acquire  verdict = iota // compare-and-set the record
	redirect                // the client goes elsewhere
	ask                     // a living holder must yield first
	letGo                   // the record names us, who drain and do not serve it: release
	wait                    // nobody can serve it just now
)

// view is all that a decision depends on.
type view struct {
	self     membership.Member
	record   roomlog.Owner
	table    membership.Member // who should own it; zero if nobody
	gone     bool              // the record's holder is gone
	quiet    bool              // its heartbeat stands still: who is sent there finds nobody
	next     membership.Member // the living shard that a released record names; zero if it names none
	lastDead bool              // who released it is not alive for gossip
}

// decide is the ownership protocol's heart, pure. It never takes from the living.
func decide(v view) (verdict, Where) {
	mine := v.table.Boot == v.self.Boot
	should := Where{Name: v.table.Name, Addr: v.table.Client}
	byTable := func() (verdict, Where) {
		switch {
		case mine:
			return acquire, Where{}
		case v.table.Name == "":
			return wait, Where{}
		}
		return redirect, should
	}
	switch r := v.record; {
	case r.Epoch == 0:
		return byTable()
	case r.Released && r.NextName == v.self.Name && v.self.State == membership.StateActive:
		return acquire, Where{} // promised to us, whatever our own table says
	case r.Released && v.next.Name != "" && v.next.Name != v.self.Name:
		// Where it is now: it may have started again since the record was written.
		return redirect, Where{Name: v.next.Name, Addr: v.next.Client}
	case r.Released:
		return byTable()
	case r.Boot == v.self.Boot && v.self.State == membership.StateDraining:
		return letGo, should
	case r.Boot == v.self.Boot:
		return acquire, Where{} // the answer to our own acquire was lost
	case v.gone:
		return byTable()
	case v.quiet:
		return wait, Where{}
	case mine:
		return ask, Where{Name: r.Name, Addr: r.Addr, Epoch: r.Epoch}
	default:
		return redirect, Where{Name: r.Name, Addr: r.Addr, Epoch: r.Epoch}
	}
}
