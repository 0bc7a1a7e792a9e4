package transfer

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"positivity-exchange/membership"
	"positivity-exchange/shard/roomlog"
	"positivity-exchange/shard/roomlog/memlog"
)

// talked is a log with one room, about which somebody talks while it is read.
type talked struct {
	roomlog.Log
	t         *testing.T
	partition int
	epoch     uint64
	seq       uint64
	rooms     bool // a topic is set after each list of rooms
	head      bool // and within each Head, which reads one of its answers before that
	textFirst bool // which one: the description
	left      int  // topics
}

func newTalked(t *testing.T) *talked {
	l := &talked{Log: memlog.NewStore().Open(), t: t, partition: membership.Partition("go")}
	own, err := l.Acquire(t.Context(), l.partition, roomlog.Owner{}, roomlog.Owner{Name: "s1", Boot: "b1"})
	if err != nil {
		t.Fatal(err)
	}
	l.epoch = own.Epoch
	l.append(roomlog.Record{Room: "go", Kind: roomlog.KindCreated, Content: "gophers"})
	l.say()
	return l
}

func (l *talked) append(r roomlog.Record) {
	if err := l.Append(l.t.Context(), l.partition, l.epoch, []roomlog.Record{r}); err != nil {
		l.t.Fatal(err)
	}
}

func (l *talked) say() {
	l.seq++
	l.append(roomlog.Record{Room: "go", Seq: l.seq, Kind: roomlog.KindMessage, User: "ada", ID: fmt.Sprint("i", l.seq), Content: "hi"})
}

// topic sets one, between two messages.
func (l *talked) topic() {
	if l.left == 0 {
		return
	}
	l.left--
	l.say()
	l.seq++
	l.append(roomlog.Record{Room: "go", Seq: l.seq, Kind: roomlog.KindTopic, User: "ada", ID: fmt.Sprint("i", l.seq), Content: fmt.Sprint("topic ", l.seq)})
	l.say()
}

func (l *talked) Rooms(ctx context.Context, partition int, after string, limit int) ([]roomlog.RoomInfo, error) {
	rooms, err := l.Log.Rooms(ctx, partition, after, limit)
	if l.rooms && len(rooms) > 0 {
		l.topic()
	}
	return rooms, err
}

func (l *talked) Head(ctx context.Context, partition int, room string) (roomlog.Position, roomlog.RoomInfo, error) {
	at, info, err := l.Log.Head(ctx, partition, room)
	if !l.head || err != nil {
		return at, info, err
	}
	l.topic()
	later, now, err := l.Log.Head(ctx, partition, room)
	if l.textFirst {
		return later, info, err
	}
	return at, now, err
}

// TestTopicsAreSetDuringAnExport: a file whose description is not that of its
// records cannot be imported, ever.
func TestTopicsAreSetDuringAnExport(t *testing.T) {
	for name, set := range map[string]func(*talked){
		"between the list and the head":            func(l *talked) { l.rooms = true },
		"within Head, which reads the text first":  func(l *talked) { l.head, l.textFirst = true, true },
		"within Head, which reads the place first": func(l *talked) { l.head = true },
		"all the time": func(l *talked) { l.rooms, l.head = true, true },
	} {
		for topics := range 10 { // until the export has an end of them
			t.Run(fmt.Sprintf("%s, %d times", name, topics), func(t *testing.T) {
				from := newTalked(t)
				set(from)
				from.left = topics
				var file bytes.Buffer
				out, err := Export(t.Context(), from, &file, options)
				if err != nil {
					t.Fatal(err)
				}
				to := memlog.NewStore().Open()
				in, err := Import(t.Context(), to, &file, options)
				if err != nil || in != out {
					t.Errorf("imported %s of %s: %v\n%s", in, out, err, file.String())
				}
			})
		}
	}
}
