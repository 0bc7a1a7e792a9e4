package checker

import (
	"bytes"
	"strings"
	"testing"
)

func TestALineIsReadAsItWasWritten(t *testing.T) {
	var out bytes.Buffer
	now := int64(41)
	log := NewLog(&out, func() int64 { now++; return now })
	events := []Event{
		{Kind: Send, Room: "go", Who: "ann", ID: "a 1%\n", Hash: Hash("x"), Due: 40},
		{Kind: Deliver, Room: "-", Who: "bob", Seq: 1, Epoch: 2, Author: "é", ID: "1"},
		{Kind: Fault, Who: "kill", Code: "s1=s2"},
		{Kind: Joined, Room: "go", Who: "eve", Owner: "s1@127.0.0.1:1"},
	}
	for _, e := range events {
		log.Add(e)
	}
	if err := log.Flush(); err != nil || log.Len() != len(events) {
		t.Fatalf("%d lines, %v", log.Len(), err)
	}
	n := 0
	if err := ReadLines(&out, func(line int, e Event) {
		want := events[n]
		n++
		want.Time = int64(41 + n)
		if e != want || line != n {
			t.Errorf("line %d is %+v, want %+v", line, e, want)
		}
	}); err != nil || n != len(events) {
		t.Errorf("%d lines, %v", n, err)
	}
}

func TestBadLines(t *testing.T) {
	for _, line := range []string{
		"", "1 send go", "x send go ann", "1 fly go ann", "1 send go ann id", "1 send go ann fly=1", "1 send go ann seq=-1", "1 send go ann id=%", "1 send go ann id=%4", "1 send go ann id=%zz", "1 send  ann", "1 send go ann ",
	} {
		if e, err := Parse(line); err == nil {
			t.Errorf("%q was read as %+v", line, e)
		}
	}
	if err := ReadLines(strings.NewReader("1 heal - x\n\n"), func(int, Event) {}); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("got %v, want an error of line 2", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, line := range clean {
		f.Add("1 " + line)
	}
	f.Add("-1 send - %2D id=%20%25 due=-5 hash=ffffffffffffffff")
	f.Fuzz(func(t *testing.T, line string) {
		e, err := Parse(line)
		if err != nil {
			return
		}
		again, err := Parse(e.String())
		if err != nil || again != e {
			t.Errorf("%q is %+v, written and read again %+v, %v", line, e, again, err)
		}
		if strings.ContainsAny(e.String(), "\n\r") {
			t.Errorf("%q breaks its line", e.String())
		}
	})
}
