package membership_test

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"positivity-exchange/membership"
	"positivity-exchange/membership/membershiptest"
)

// scaleSizes is how many members the plan past one machine is made with.
// PX_SIM_MEMBERS asks for another number: 100 take 6 s of two idle cores, 250
// two minutes.
func scaleSizes() []int {
	if n, err := strconv.Atoi(os.Getenv("PX_SIM_MEMBERS")); err == nil && n > 1 {
		return []int{n}
	}
	if testing.Short() {
		return []int{8}
	}
	return []int{20, 50}
}

// TestManyMembersAgree boots a cluster at once, as machines do after a power
// cut, and prints what it costs: time until all agree after a boot, a join, a
// drain and a death, gossip at rest, and what moves of 100,000 rooms.
func TestManyMembersAgree(t *testing.T) {
	for _, size := range scaleSizes() {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			simulate(t, func(t *testing.T, s *simulation) { manyMembers(t, s, size) })
		})
	}
}

func manyMembers(t *testing.T, s *simulation, size int) {
	encrypted := func(o *membership.Options) { o.Secret = bytes.Repeat([]byte{7}, 32) }
	start := time.Now()
	var all []*simulated
	for i := range size {
		all = append(all, s.launch(fmt.Sprintf("s%03d", i), encrypted))
	}
	active := activate(all...)
	membershiptest.Within(t, "one table", time.Minute, agree(size, all...))
	t.Logf("%d members boot at once: one table after %s", size, time.Since(start))
	active.Wait()

	told := time.Now() // the boot's news is sent on for long after everybody has it
	each := func(n int64, in time.Duration) float64 { return float64(n) / in.Seconds() / float64(size) }
	traffic := func(in time.Duration) (packets, sent, streamed float64) {
		p, b := s.network.Traffic()
		st := s.network.Streamed()
		time.Sleep(in)
		p2, b2 := s.network.Traffic()
		return each(p2-p, in), each(b2-b, in), each(s.network.Streamed()-st, in)
	}
	const atRest = 2 << 10 // bytes a second and member
	membershiptest.Within(t, "rest", 15*time.Minute, func() bool { _, sent, _ := traffic(time.Second); return sent < atRest })
	t.Logf("what the boot had to tell is told %s later", time.Since(told).Round(time.Second))
	packets, sent, streamed := traffic(30 * time.Second)
	t.Logf("gossip at rest, a second and member: %.1f packets of %.0f bytes in all, %.0f bytes of full exchanges", packets, sent, streamed)
	if sent > atRest {
		t.Errorf("a member at rest sends more than %d bytes a second", atRest)
	}

	was := all[0].Table()
	start = time.Now()
	all = append(all, s.launch("t", encrypted))
	active = activate(all[size])
	membershiptest.Within(t, "the join", 5*time.Second, agree(size+1, all...))
	took := time.Since(start)
	active.Wait()
	needed, needless, rooms := moves(was, all[0].Table())
	t.Logf("one more: one table %s after its start; %d of %d partitions move to it (%d rooms in all), %d between others",
		took, needed, membership.Partitions, rooms, needless)
	if needless > membership.Partitions/20 {
		t.Errorf("%d partitions move needlessly", needless)
	}

	start = time.Now()
	var changing sync.WaitGroup
	changing.Go(func() { all[size].SetState(membership.StateDraining) })
	membershiptest.Within(t, "the drain", 5*time.Second, agree(size, all...))
	t.Logf("one drains: one table after %s", time.Since(start))
	changing.Wait()

	all[0].kill()
	took = membershiptest.Within(t, "the death", 8*time.Second, agree(size-1, all[1:]...))
	t.Logf("one is killed, known by gossip alone: one table after %s", took)
}

// activate makes members active once they have made their first exchange. The
// wait ends when each has told it to its gossip partners.
func activate(members ...*simulated) *sync.WaitGroup {
	all := &sync.WaitGroup{}
	for _, m := range members {
		all.Go(func() {
			<-m.Ready()
			m.SetState(membership.StateActive)
		})
	}
	return all
}

// moves counts what a join changes: partitions that go to the newcomer,
// partitions that go from one old member to another, and rooms of 100,000.
func moves(was, is *membership.Table) (needed, needless, rooms int) {
	old := map[string]bool{}
	for _, m := range was.Shards() {
		old[m.Name] = true
	}
	moved := make([]bool, membership.Partitions)
	for p := range moved {
		a, _ := was.Owner(p)
		b, _ := is.Owner(p)
		switch {
		case a.Name == b.Name:
			continue
		case old[b.Name]:
			needless++
		default:
			needed++
		}
		moved[p] = true
	}
	for i := range 100_000 {
		if moved[membership.Partition(fmt.Sprint("room-", i))] {
			rooms++
		}
	}
	return needed, needless, rooms
}
