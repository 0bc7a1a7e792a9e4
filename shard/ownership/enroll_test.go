package ownership

import (
	"os"
	"os/exec"
	"slices"
	"testing"

	"positivity-exchange/shard/roomlog"
	"positivity-exchange/shard/roomlog/memlog"
)

// TestWhoComesStrikesTheKilledOffTheRoll, whatever their names: routers have one
// at random, so nobody would ever come for theirs, and each heartbeat reads all.
func TestWhoComesStrikesTheKilledOffTheRoll(t *testing.T) {
	killed := roomlog.ThisProcess()
	if killed.PID == 0 {
		t.Skip("no process here can be told from another")
	}
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	killed.PID = cmd.Process.Pid
	var err error
	if _, killed.Start, err = roomlog.ProcessStat(killed.PID); err != nil {
		t.Error(err)
	}
	cmd.Process.Kill() //nolint:errcheck // or it has ended
	cmd.Wait()         //nolint:errcheck // the same

	log := memlog.NewStore().Open()
	elsewhere := killed
	elsewhere.Kernel = "another"
	for boot, process := range map[string]roomlog.OSProcess{"1": killed, "2": killed, "3": elsewhere, "4": roomlog.ThisProcess(), "5": {}} {
		if err := log.Register(t.Context(), roomlog.Process{Name: "r" + boot, Boot: boot, Role: "router", OS: process}); err != nil {
			t.Fatal(err)
		}
	}
	c := NewCensus(log, roomlog.Process{Name: "r9", Boot: "9", OS: roomlog.ThisProcess()}, CensusOptions{Alive: func(string) bool { return false }})
	if err := c.Enroll(t.Context()); err != nil {
		t.Fatal(err)
	}
	entries, err := log.Entries(t.Context())
	var boots []string
	for _, e := range entries {
		boots = append(boots, e.Boot)
	}
	slices.Sort(boots)
	// Of those of another machine, and of those who run, nobody here knows that they are gone.
	if want := []string{"3", "4", "5", "9"}; err != nil || !slices.Equal(boots, want) {
		t.Errorf("on the roll are %v, %v; want %v", boots, err, want)
	}
}
