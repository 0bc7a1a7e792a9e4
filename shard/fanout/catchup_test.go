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
