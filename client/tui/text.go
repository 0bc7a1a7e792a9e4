package tui

import (
	"hash/fnv"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/gdamore/tcell/v2"
	"github.com/rivo/uniseg"
)

// cell is one grapheme cluster as it is drawn.
type cell struct {
	text  string
	width int
	style tcell.Style
}

// blank reports whether a line may be broken at the cell, which then vanishes.
func (c cell) blank() bool { return c.text == " " }

var link = regexp.MustCompile(`https?://[^\s<>"]+[^\s<>".,;:!?')\]}]`)

// markup is light formatting: *bold*, `code`, and lines between ``` fences.
var markup = regexp.MustCompile("(^|[\\s(])(\\*[^\\s*](?:[^*\\n]*[^\\s*])?\\*|`[^`\\n]+`)($|[\\s).,;:!?])")

// styled turns clean text into cells: links, light formatting, and what is
// searched for. id tells the links of one message apart from those of others,
// so that a wrapped one stays one for the terminal.
func (t theme) styled(text string, base tcell.Style, id uint64, search string) []cell {
	styles := make([]tcell.Style, len(text)+1)
	drop := make([]bool, len(text)+1)
	for i := range styles {
		styles[i] = base
	}
	fenced := false
	for at := 0; at < len(text); {
		end := strings.IndexByte(text[at:], '\n')
		if end < 0 {
			end = len(text)
		} else {
			end += at
		}
		line := text[at:end]
		switch {
		case strings.HasPrefix(line, "```"):
			fenced = !fenced
			paint(styles[at:end], t.dim)
		case fenced:
			paint(styles[at:end], t.code)
		default:
			t.light(line, styles[at:end], drop[at:end])
		}
		at = end + 1
	}
	for i, m := range links(text) {
		url := text[m[0]:m[1]]
		h := fnv.New64a()
		h.Write([]byte(url + strconv.FormatUint(id, 10) + strconv.Itoa(i))) //nolint:errcheck // never fails
		paint(styles[m[0]:m[1]], base.Underline(true).Url(url).UrlId(strconv.FormatUint(h.Sum64(), 36)))
		clear(drop[m[0]:m[1]])
	}
	if search != "" {
		low, want := strings.ToLower(text), strings.ToLower(search)
		for from := 0; len(low) == len(text); {
			i := strings.Index(low[from:], want)
			if i < 0 {
				break
			}
			for j := from + i; j < from+i+len(want); j++ {
				styles[j] = styles[j].Reverse(true)
			}
			from += i + len(want)
		}
	}
	cells := make([]cell, 0, len(text))
	for g := uniseg.NewGraphemes(text); g.Next(); {
		from, _ := g.Positions()
		if drop[from] {
			continue
		}
		cells = append(cells, cell{g.Str(), g.Width(), styles[from]})
	}
	return cells
}

// links is where addresses stand in a text. A closing bracket at the end belongs to
// one if it opens it, and else to what stands around it.
func links(text string) [][]int {
	found := link.FindAllStringIndex(text, -1)
	for _, m := range found {
		open := map[byte]int{} // that are not closed yet, by what closes them
		for i, closing := range []byte(")]}") {
			url := text[m[0]:m[1]]
			open[closing] = strings.Count(url, "([{"[i:i+1]) - strings.Count(url, string(closing))
		}
		for ; m[1] < len(text) && open[text[m[1]]] > 0; m[1]++ {
			open[text[m[1]]]--
		}
	}
	return found
}

func paint(styles []tcell.Style, with tcell.Style) {
	for i := range styles {
		styles[i] = with
	}
}

// light formats one line; the characters that ask for it are not drawn.
func (t theme) light(line string, styles []tcell.Style, drop []bool) {
	for from := 0; from < len(line); {
		m := markup.FindStringSubmatchIndex(line[from:])
		if m == nil {
			return
		}
		a, b := from+m[4], from+m[5]
		with := styles[a].Bold(true)
		if line[a] == '`' {
			with = t.code
		}
		paint(styles[a:b], with)
		drop[a], drop[b-1] = true, true
		from = b
	}
}

// wrapCells breaks cells into lines of at most width columns, between words
// where it can; a newline ends a line. Blanks at a line's end hang over it, and
// those at the start of a word too long for the rest of the line go: neither may
// leave a row in which there is nothing.
func wrapCells(cells []cell, width int) [][]cell {
	var lines [][]cell
	var line []cell
	used, space := 0, -1 // space: index in line of the last blank
	begin := func(rest []cell) {
		line, used, space = append([]cell(nil), rest...), 0, -1
		for _, c := range line {
			used += c.width
		}
	}
	flush := func(rest []cell) {
		lines = append(lines, line)
		begin(rest)
	}
	for _, c := range cells {
		if c.text == "\n" || c.text == "\r\n" {
			flush(nil)
			continue
		}
		if c.blank() {
			space = len(line)
		} else if used+c.width > width && len(line) > 0 {
			if space >= 0 {
				rest := line[space+1:]
				if line = line[:space]; slices.ContainsFunc(line, func(c cell) bool { return !c.blank() }) {
					flush(rest)
				} else {
					begin(rest)
				}
			}
			if used+c.width > width && len(line) > 0 {
				flush(nil) // a word longer than the line
			}
		}
		line = append(line, c)
		used += c.width
	}
	return append(lines, line)
}

// wrap is wrapCells for plain text.
func wrap(text string, width int) []string {
	var lines []string
	for _, cells := range wrapCells(theme{}.styled(text, tcell.StyleDefault, 0, ""), width) {
		var b strings.Builder
		for _, c := range cells {
			b.WriteString(c.text)
		}
		lines = append(lines, b.String())
	}
	return lines
}

// wrapRaw breaks what is being written behind blanks, where it can: nothing is
// dropped, so that the cursor at a byte of the text finds its place. A blank for which
// there is no room hangs over the line's end.
func wrapRaw(text string, width, at int) (lines []string, row, column int) {
	var begins []int             // of lines
	begin, word, used := 0, 0, 0 // of the line, of its last word, and columns so far
	flush := func(end, next int) {
		lines, begins = append(lines, text[begin:end]), append(begins, begin)
		begin = next
	}
	for g := uniseg.NewGraphemes(text); g.Next(); {
		from, to := g.Positions()
		switch blank := g.Str() == " "; {
		case g.Str() == "\n" || g.Str() == "\r\n":
			flush(from, to)
			word, used = to, 0
			continue
		case used+g.Width() <= width || used == 0 || blank && used <= width:
		case word > begin && !blank:
			flush(word, word)
			used = uniseg.StringWidth(text[word:from])
			if used+g.Width() > width && used > 0 {
				flush(from, from)
				used = 0
			}
		default: // a word longer than the line, or many blanks
			flush(from, from)
			used = 0
		}
		if used += g.Width(); g.Str() == " " {
			word = to
		}
	}
	flush(len(text), len(text))
	for row = len(lines) - 1; begins[row] > at; row-- {
	}
	return lines, row, uniseg.StringWidth(lines[row][:min(at-begins[row], len(lines[row]))])
}

// shorten cuts text to width columns, with an ellipsis if it was longer.
func shorten(text string, width int) string {
	if uniseg.StringWidth(text) <= width {
		return text
	}
	var b strings.Builder
	used := 0
	for g := uniseg.NewGraphemes(text); g.Next() && used+g.Width() < width; {
		b.WriteString(g.Str())
		used += g.Width()
	}
	return b.String() + "…"
}
