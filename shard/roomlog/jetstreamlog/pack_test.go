package jetstreamlog

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"positivity-exchange/shard/roomlog"
)

func TestPacksKeepRoomsInOrderWithinTheirBounds(t *testing.T) {
	var records []roomlog.Record
	for seq := uint64(1); seq <= packRecords+10; seq++ {
		records = append(records, record("go", seq), record("tea", seq))
	}
	big := record("tea", packRecords+11)
	big.Content = strings.Repeat("x", packBytes)
	records = append(records, big)
	p := &part{filter: "px.0.>"}
	next := map[string]uint64{}
	all := packs(records)
	if len(all) != 5 {
		t.Errorf("%d messages, want 2 of one room and 3 of the other", len(all))
	}
	for _, pack := range all {
		m, err := encode(p, 7, pack)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decode(pack[0].Room, message{subject: m.Subject, header: m.Header, data: m.Data})
		if err != nil || m.Subject != "px.0."+pack[0].Room || len(pack) > packRecords {
			t.Fatalf("%d records on %s: %v", len(pack), m.Subject, err)
		}
		for i, r := range got {
			next[r.Room]++
			want := *pack[i]
			want.Epoch = 7
			if r != want || r.Seq != next[r.Room] {
				t.Fatalf("got %+v, want %+v at %d", r, want, next[r.Room])
			}
		}
	}
	if next["go"] != packRecords+10 || next["tea"] != packRecords+11 {
		t.Errorf("packed %v", next)
	}
}

func TestDamagedMessagesAreRefused(t *testing.T) {
	p := &part{filter: "px.0.>"}
	a, b := record("go", 3), record("go", 4)
	for what, harm := range map[string]func(*message){
		"a line less":    func(m *message) { m.data = m.data[:slices.Index(m.data, '\n')] },
		"half a line":    func(m *message) { m.data = m.data[:len(m.data)-3] },
		"nothing in it":  func(m *message) { m.data = nil },
		"no sequence":    func(m *message) { m.header.Del(headerFirst) },
		"another's last": func(m *message) { m.header.Set(headerLast, "9") },
		"words for it":   func(m *message) { m.header.Set(headerEpoch, "first") },
	} {
		sent, err := encode(p, 1, []*roomlog.Record{&a, &b})
		if err != nil {
			t.Fatal(err)
		}
		m := message{subject: sent.Subject, header: sent.Header, data: sent.Data}
		harm(&m)
		if _, err := decode("go", m); !errors.Is(err, roomlog.ErrRefused) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
