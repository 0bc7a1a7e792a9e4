package fanout

import "testing"

// TestRecordThatIsToBePublishedYet is in the log when a session reads there, and
// comes once all the same.
func TestRecordThatIsToBePublishedYet(t *testing.T) {
	p := pool(t)
	r := p.NewRing(2, &book{events: []string{"one\n", "two\n", "three\n"}})
	m := join(t, p, r, 1)[0]
	m.hears(t, "one")
	m.hears(t, "two")
	m.hears(t, "snapshot")
	r.Append(3, []byte("three\n"))
	r.Wake()
	m.hears(t, "three")
	r.Append(4, []byte("four\n"))
	r.Wake()
	m.hears(t, "four")
}

// TestQuietRingKeepsNothing, and goes on where it was.
func TestQuietRingKeepsNothing(t *testing.T) {
	p := pool(t)
	r := p.NewRing(0, &book{events: []string{"one\n", "two\n"}})
	m := join(t, p, r, 1)[0]
	for seq, word := range []string{"one", "two"} {
		r.Append(uint64(seq+1), []byte(word+"\n"))
		r.Wake()
		m.hears(t, word)
		if r.Rest(); r.chunks == nil {
			t.Errorf("%s was let go of as soon as it was there", word)
		}
		if r.Rest(); r.chunks != nil || r.marks != nil {
			t.Errorf("%s is kept", word)
		}
	}
	late := join(t, p, r, 1)[0]
	r.Notice([]byte("notice\n"))
	r.Wake()
	m.hears(t, "notice")
	late.hears(t, "one") // from the log
}
