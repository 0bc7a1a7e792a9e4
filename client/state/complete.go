package state

import (
	"slices"
	"strings"

	"github.com/kyokomi/emoji/v2"
)

// completion is a word being completed: Tab again takes the next candidate.
type completion struct {
	from       int // where the word begins
	candidates []string
	next       int
}

// Complete finishes the word before the cursor: commands after '/', rooms
// after '#', emoji after ':', else the names of participants. Again, it takes
// the next that fits.
func (s State) Complete(in Input) Input {
	if n := len(in.done.candidates); n > 0 {
		return in.take(in.done)
	}
	before := in.Before()
	from := strings.LastIndexAny(before, " \n") + 1
	word := before[from:]
	if word == "" {
		return in
	}
	c := completion{from: from, candidates: s.candidates(word, from == 0)}
	if len(c.candidates) == 0 {
		return in
	}
	return in.take(c)
}

func (in Input) take(c completion) Input {
	with := c.candidates[c.next]
	out := in.change(in.text[:c.from]+with+in.text[in.cursor:], c.from+len(with))
	c.next = (c.next + 1) % len(c.candidates)
	out.done = c
	return out
}

func (s State) candidates(word string, first bool) (list []string) {
	add := func(text, end string) {
		if strings.HasPrefix(text, word) {
			list = append(list, text+end)
		}
	}
	switch {
	case first && word[0] == '/':
		for _, c := range Commands {
			add("/"+c.Name, " ")
		}
	case word[0] == '#':
		for _, r := range s.Rooms {
			add("#"+r.Name, " ")
		}
	case word[0] == ':' && len(word) > 1:
		for name, symbol := range emoji.CodeMap() {
			if strings.HasPrefix(name, word) {
				list = append(list, name+"\x00"+symbol+" ")
			}
		}
		slices.Sort(list) // the shortest of those with one start comes first
		for i, l := range list {
			_, list[i], _ = strings.Cut(l, "\x00")
		}
	default:
		r := s.Current()
		if r == nil {
			return nil
		}
		at := ""
		if word[0] == '@' {
			at = "@"
		}
		end := " "
		if first && at == "" {
			end = ": "
		}
		// Those who spoke last come first, then the others by name.
		seen := map[string]bool{s.User: true}
		for i := len(r.Lines) - 1; i >= max(0, len(r.Lines)-200); i-- {
			if u := r.Lines[i].User; u != "" && !seen[u] && r.Users[u] {
				seen[u] = true
				add(at+u, end)
			}
		}
		for _, u := range r.People() {
			if !seen[u] {
				add(at+u, end)
			}
		}
	}
	return list
}

// Emoji replaces :names: by their symbols.
func Emoji(text string) string {
	if !strings.Contains(text, ":") {
		return text
	}
	codes := emoji.CodeMap()
	var b strings.Builder
	for {
		i := strings.IndexByte(text, ':')
		if i < 0 {
			break
		}
		j := strings.IndexByte(text[i+1:], ':')
		if j < 0 {
			break
		}
		name := text[i : i+j+2]
		if symbol, ok := codes[name]; ok {
			b.WriteString(text[:i] + strings.TrimSpace(symbol))
			text = text[i+j+2:]
			continue
		}
		b.WriteString(text[:i+1])
		text = text[i+1:]
	}
	return b.String() + text
}
