// Package roomlogtest is the conformance suite of room logs: every
// implementation passes it, in one process and, where several processes can
// share a log, with real ones that are deposed, stopped and killed.
//
// An implementation's test package calls Main in its TestMain (the suite runs
// that binary again as the writer to be deposed) and Test in a test.
package roomlogtest

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"positivity-exchange/shard/roomlog"
)

// Implementation is a room log under test.
type Implementation struct {
	// Open opens one process's access to the log that spec names.
	Open func(spec string) (roomlog.Log, error)
	// Fresh names a log that nobody has used.
	Fresh func(t *testing.T) (spec string)
	// Processes tells that several processes can open one spec.
	Processes bool
	// Locks tells that a process stopped inside a transaction blocks its
	// successor, which must end it by force (roomlog.Forcer).
	Locks bool
	// Share divides the numbers of take-overs and of random runs, for logs
	// where each costs much; 0 means 1.
	Share int
}

// writerEnv carries the spec to a process that is to write.
const writerEnv = "ROOMLOGTEST_WRITER"

// Main runs the tests, or, in a process that a test started, the writer.
func Main(m *testing.M, impl Implementation) {
	if spec := os.Getenv(writerEnv); spec != "" {
		if err := write(impl, spec); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// Test runs the whole suite.
func Test(t *testing.T, impl Implementation) {
	t.Run("AppendReadAndList", func(t *testing.T) { appendReadAndList(t, impl) })
	t.Run("OneWriter", func(t *testing.T) { oneWriter(t, impl) })
	t.Run("BatchIsAllOrNothing", func(t *testing.T) { allOrNothing(t, impl) })
	t.Run("UnknownKindsAreKept", func(t *testing.T) { unknownKinds(t, impl) })
	t.Run("RacingAcquires", func(t *testing.T) { racingAcquires(t, impl) })
	t.Run("Roll", func(t *testing.T) { roll(t, impl) })
	t.Run("PagesOfRooms", func(t *testing.T) { pagesOfRooms(t, impl) })
	t.Run("AgainstTheModel", func(t *testing.T) { againstModel(t, impl) })
	t.Run("ClosedAndOpenedAgain", func(t *testing.T) { reopened(t, impl) })
	if impl.Processes {
		t.Run("TakeOvers", func(t *testing.T) { takeOvers(t, impl) })
	}
}

func open(t *testing.T, impl Implementation, spec string) roomlog.Log {
	t.Helper()
	l, err := impl.Open(spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func message(room string, seq uint64, content string) roomlog.Record {
	return roomlog.Record{Room: room, Seq: seq, Kind: roomlog.KindMessage, User: "ada", ID: fmt.Sprintf("%s-%d", content, seq), Time: int64(seq), Content: content}
}

func creation(room, description string) roomlog.Record {
	return roomlog.Record{Room: room, Kind: roomlog.KindCreated, User: "ada", Content: description}
}
