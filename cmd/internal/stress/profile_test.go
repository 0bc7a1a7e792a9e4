package stress

import (
	"testing"
	"time"
)

// TestProfilesAreAsDocumented holds the figures by which runs are compared.
func TestProfilesAreAsDocumented(t *testing.T) {
	want := map[string]string{
		"fanout":   "1000 sessions in 1 of 1 rooms each; 4 of each speak, 8 messages unacknowledged each",
		"rooms":    "2400 sessions in 1 of 24 rooms each; 4 of each speak, 4 messages unacknowledged each",
		"small":    "120 sessions in 1 of 24 rooms each; all speak, 1 messages unacknowledged each",
		"latency":  "100 sessions in 1 of 1 rooms each; 4 of each speak, 200 messages a second in all",
		"idle":     "2000 sessions in 5 of 24 rooms each; nobody speaks",
		"churn":    "100 sessions in 5 of 24 rooms each; all speak, 1 messages unacknowledged each; they leave after 4 in each room and others come",
		"ancestor": "2400 sessions in 5 of 24 rooms each; all speak, each every 10s; they come over 3m0s",
	}
	for _, p := range Profiles() {
		if err := p.Check(); err != nil {
			t.Errorf("%s: %v", p.Name, err)
		}
		if p.Words() != want[p.Name] || p.Size != 21 {
			t.Errorf("%s: got %q of %d bytes, want %q", p.Name, p.Words(), p.Size, want[p.Name])
		}
		delete(want, p.Name)
	}
	if len(want) > 0 {
		t.Errorf("not there: %v", want)
	}
	if _, err := Named("nosuch"); err == nil {
		t.Error("a profile that does not exist was found")
	}
}

// TestProfileThatCannotBeIsRefused names what does not fit together.
func TestProfileThatCannotBeIsRefused(t *testing.T) {
	tests := map[string]func(*Profile){
		"no rooms":              func(p *Profile) { p.Rooms = 0 },
		"no sessions":           func(p *Profile) { p.Sessions = 0 },
		"more joins than rooms": func(p *Profile) { p.Joins = 2 },
		"too small a message":   func(p *Profile) { p.Size = headSize - 1 },
		"too large a message":   func(p *Profile) { p.Size = maxSize + 1 },
		"both loops":            func(p *Profile) { p.Rate = 1 },
		"two open loops":        func(p *Profile) { p.Window, p.Rate, p.Every = 0, 1, time.Second },
		"below zero":            func(p *Profile) { p.Window = -1 },
		"no time":               func(p *Profile) { p.Duration = 0 },
		"a ramp too long":       func(p *Profile) { p.Ramp = time.Hour },
		"a ramp with a rate":    func(p *Profile) { p.Window, p.Rate, p.Ramp = 0, 1, time.Second },
		"churn with a window":   func(p *Profile) { p.Talk = 1 },
	}
	for name, change := range tests {
		p, err := Named("fanout")
		if err != nil {
			t.Fatal(err)
		}
		change(&p)
		if err := p.Check(); err == nil {
			t.Errorf("%s: accepted", name)
		}
		if _, err := Run(t.Context(), nil, p, Options{}); err == nil {
			t.Errorf("%s: run", name)
		}
	}
}

// TestContentTellsItsAuthor for all sizes, and nothing else does.
func TestContentTellsItsAuthor(t *testing.T) {
	for _, size := range []int{headSize, 16, 21, 100, maxSize} {
		for _, n := range []uint32{1, 25, 26, maxNumber} {
			content := appendContent(nil, maxSpeakers, n, size)
			speaker, got, ok := parseContent(content, size)
			if !ok || speaker != maxSpeakers || got != n || len(content) != size {
				t.Errorf("%q: got speaker %d, message %d, %t", content, speaker, got, ok)
			}
			for i := range min(size, 40) {
				content[i] ^= 1
				if s, g, ok := parseContent(content, size); ok && s == speaker && g == n {
					t.Errorf("%q is taken for %d of %d", content, n, speaker)
				}
				content[i] ^= 1
			}
			if _, _, ok := parseContent(content[:size-1], size); ok {
				t.Errorf("a part of %q is taken", content)
			}
		}
	}
}
