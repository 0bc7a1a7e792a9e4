package shard

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"positivity-exchange/comms"
	"positivity-exchange/membership"
	"positivity-exchange/shard/roomlog"
	"positivity-exchange/shard/roomlog/sqlitelog"
)

// TestRecordThatCannotBeRead puts whoever catches up over it out of that room,
// with a word: the other rooms of the connection go on.
func TestRecordThatCannotBeRead(t *testing.T) {
	dir, ctx, partition := t.TempDir(), t.Context(), membership.Partition("go")
	store, err := sqlitelog.Open(dir, sqlitelog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Acquire(ctx, partition, roomlog.Owner{}, roomlog.Owner{Name: "s0", Boot: "0"}); err != nil {
		t.Fatal(err)
	}
	records := []roomlog.Record{{Room: "go", Kind: roomlog.KindCreated}}
	for seq := range uint64(2000) {
		text := fmt.Sprintf("record %d %s", seq+1, strings.Repeat("x", 100))
		records = append(records, roomlog.Record{Room: "go", Seq: seq + 1, Kind: roomlog.KindMessage, User: "eve", ID: fmt.Sprint(seq), Content: text})
	}
	if err := store.Append(ctx, partition, 1, records); err != nil {
		t.Fatal(err)
	}
	if err := store.Release(ctx, partition, 1, roomlog.Release{}); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "partitions", fmt.Sprintf("%03d.db", partition))
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const pageSize = 4096
	at := bytes.Index(file, []byte("record 1500 ")) / pageSize * pageSize
	copy(file[at:at+pageSize], bytes.Repeat([]byte("garbage "), pageSize/8))
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}

	if store, err = sqlitelog.Open(dir, sqlitelog.Options{}); err != nil {
		t.Fatal(err)
	}
	said := &lines{}
	opts := optionsOn(t, store)
	opts.Logger = said.logger()
	addr := run(t, opts).opts.Listener.Addr().String()
	ada, bob := login(t, addr, "ada"), login(t, addr, "bob")
	ada.join("tea", nil)
	ada.join("go", &comms.Position{})
	last := uint64(0)
	for out := false; !out; {
		switch e := ada.next().(type) {
		case comms.UserMessage:
			if last++; e.Seq != last {
				t.Fatalf("got #%d behind #%d", e.Seq, last-1)
			}
		case comms.Error:
			if out = true; e.Code != comms.CodeUnreadable || e.Room != "go" || e.Retry == 0 {
				t.Errorf("got %+v", e)
			}
		default:
			t.Fatalf("got %+v", e)
		}
	}
	if last < 500 || last >= 1500 {
		t.Errorf("put out behind #%d", last)
	}
	if said.with("WARN", "fell behind", "room=go", "user=ada", "malformed") != 1 {
		t.Errorf("logged:\n%s", said)
	}
	bob.join("tea", nil)
	bob.say(comms.SendMessage{Room: "tea", ID: "i1", Content: "hello"})
	if m := ada.message(); m.Room != "tea" || m.Content != "hello" {
		t.Errorf("in the other room: %+v", m)
	}
	ada.say(comms.SendMessage{Room: "go", ID: "i2", Content: "x"})
	ada.refused(comms.CodeNotJoined)
	ada.join("go", nil) // what is said from now on can be read
	ada.say(comms.SendMessage{Room: "go", ID: "i3", Content: "x"})
	if m := ada.message(); m.Seq != 2001 {
		t.Errorf("stored as %+v", m)
	}
}
