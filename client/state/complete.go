package state

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/kyokomi/emoji/v2"
)

// completion is a word being completed: Tab again takes the next candidate.
type completion struct {
	from       int // where the word begins
	candidates []string
	at         int // the one that was taken
}

// Complete finishes the word before the cursor: commands after '/', rooms
// after '#', emoji after ':', else the names of participants. Again, it takes
// the next that fits, or with by -1 the one before; at first that is the last.
func (s State) Complete(in Input, by int) Input {
	if len(in.done.candidates) > 0 {
		return in.take(in.done, by)
	}
	before := in.Before()
	from := strings.LastIndexAny(before, " \n") + 1
	word := before[from:]
	if word == "" {
		return in
	}
	c := completion{from: from, candidates: s.candidates(lowerASCII(word), in.text[:from])}
	if len(c.candidates) == 0 {
		return in
	}
	return in.take(c, min(by, 0))
}

func (in Input) take(c completion, by int) Input {
	n := len(c.candidates)
	c.at = ((c.at+by)%n + n) % n
	with := c.candidates[c.at]
	out := in.change(in.text[:c.from]+with+in.text[in.cursor:], c.from+len(with))
	out.done = c
	return out
}

// candidates are what a word, in small letters as all names are, may become
// behind the text before it.
func (s State) candidates(word, before string) (list []string) {
	add := func(text, end string) {
		if strings.HasPrefix(text, word) {
			list = append(list, text+end)
		}
	}
	rooms := func(in bool, end string) {
		for _, r := range s.Rooms {
			if r.Place > 0 || !in {
				add(r.Name, end)
				add("#"+r.Name, end)
			}
		}
	}
	first, command := before == "", ""
	if slash, ok := strings.CutPrefix(strings.TrimSpace(before), "/"); ok {
		command = canonical(slash) // only what stands right behind it
	}
	switch {
	case first && word[0] == '/':
		for _, c := range Commands {
			add("/"+c.Name, " ")
		}
	case command == "notify":
		for _, level := range []string{NotifyAll, NotifyMentions, NotifyNone} {
			add(level, "")
		}
	case command == "join" || command == "where":
		rooms(false, "")
	case command == "part" || command == "names":
		rooms(true, "")
	case command == "msg":
		rooms(true, " ")
	case word[0] == '#':
		for _, r := range s.Rooms {
			add("#"+r.Name, " ")
		}
	case word[0] == ':' && len(word) > 1:
		list = symbols(word)
	default:
		list = s.speakers(word, first)
	}
	return list
}

// symbols are the emoji whose names begin with word; the shortest of those with
// one start comes first.
func symbols(word string) (list []string) {
	codes := emoji.CodeMap()
	var names []string
	for name := range codes {
		if strings.HasPrefix(name, word) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		list = append(list, codes[name]+" ")
	}
	return list
}

// speakers are those in the open room whose names begin with word: who spoke last
// comes first, then the others by name. What begins with a name speaks to it.
func (s State) speakers(word string, first bool) (list []string) {
	r := s.Current()
	if r == nil {
		return nil
	}
	name, mention := strings.CutPrefix(word, "@")
	at, end := "", " "
	switch {
	case mention:
		at = "@"
	case first:
		end = ": "
	}
	seen := map[string]bool{s.User: true}
	add := func(u string) {
		if !seen[u] && strings.HasPrefix(u, name) {
			list = append(list, at+u+end)
		}
		seen[u] = true
	}
	for i := len(r.Lines) - 1; i >= max(0, len(r.Lines)-200); i-- {
		if u := r.Lines[i].User; r.Users[u] {
			add(u)
		}
	}
	for _, u := range r.People() {
		add(u)
	}
	return list
}

// Emoji replaces :names: by their symbols where they stand as words, outside
// of code: in a[1:x:2] or 12:30:45 nobody meant one.
func Emoji(text string) string {
	if !strings.Contains(text, ":") || strings.Contains(text, "```") {
		return text
	}
	codes := emoji.CodeMap()
	var b strings.Builder
	code, last := false, -1 // last: where a name ended that was replaced
	for i := 0; i < len(text); {
		if text[i] == '`' {
			code = !code
		}
		if text[i] == ':' && !code && (i == last || edge(text[:i])) {
			if j := strings.IndexByte(text[i+1:], ':'); j > 0 {
				end := i + j + 2
				symbol, ok := codes[text[i:end]]
				if after, _ := utf8.DecodeRuneInString(text[end:]); ok && !isWord(after) {
					b.WriteString(strings.TrimSpace(symbol))
					i, last = end, end
					continue
				}
			}
		}
		b.WriteByte(text[i])
		i++
	}
	return b.String()
}

// edge reports whether a word can begin behind before.
func edge(before string) bool {
	r, n := utf8.DecodeLastRuneInString(before)
	return n == 0 || unicode.IsSpace(r) || strings.ContainsRune("(\"'", r)
}
