package comms

import (
	"errors"
	"unicode/utf8"
)

// maxDepth bounds nesting in what we skip; our own types need 3.
const maxDepth = 64

var (
	errSyntax    = errors.New("not JSON")
	errSurrogate = errors.New("lone surrogate")
)

// member is one key and its raw value, both as they stand in the line.
type member struct {
	key   []byte // between the quotes, escapes not undone
	value []byte
}

// scanObject splits one object into its members. Nothing but white space may
// follow it.
func scanObject(b []byte, members []member) ([]member, error) {
	i := skipSpace(b, 0)
	end, members, err := scanMembers(b, i, members)
	if err != nil {
		return nil, err
	}
	if skipSpace(b, end) != len(b) {
		return nil, errSyntax
	}
	return members, nil
}

func scanMembers(b []byte, i int, members []member) (int, []member, error) {
	if i >= len(b) || b[i] != '{' {
		return 0, nil, errSyntax
	}
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == '}' {
		return i + 1, members, nil
	}
	for {
		end, err := scanString(b, i)
		if err != nil {
			return 0, nil, err
		}
		key := b[i+1 : end-1]
		i = skipSpace(b, end)
		if i >= len(b) || b[i] != ':' {
			return 0, nil, errSyntax
		}
		i = skipSpace(b, i+1)
		if end, err = scanValue(b, i, 1); err != nil {
			return 0, nil, err
		}
		members = append(members, member{key, b[i:end]})
		i = skipSpace(b, end)
		if i >= len(b) {
			return 0, nil, errSyntax
		}
		switch b[i] {
		case ',':
			i = skipSpace(b, i+1)
		case '}':
			return i + 1, members, nil
		default:
			return 0, nil, errSyntax
		}
	}
}

// scanElements splits an array.
func scanElements(b []byte) ([][]byte, error) {
	var elements [][]byte
	i := skipSpace(b, 1)
	if i < len(b) && b[i] == ']' {
		return nil, nil
	}
	for {
		end, err := scanValue(b, i, 1)
		if err != nil {
			return nil, err
		}
		elements = append(elements, b[i:end])
		i = skipSpace(b, end)
		if i >= len(b) || b[i] == ']' {
			return elements, nil
		}
		i = skipSpace(b, i+1)
	}
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\r' || b[i] == '\n') {
		i++
	}
	return i
}

// scanValue returns the index behind the value that begins at i.
func scanValue(b []byte, i, depth int) (int, error) {
	if i >= len(b) || depth > maxDepth {
		return 0, errSyntax
	}
	switch c := b[i]; {
	case c == '"':
		return scanString(b, i)
	case c == '{' || c == '[':
		return scanComposite(b, i, depth)
	case c == '-' || c >= '0' && c <= '9':
		return scanNumber(b, i)
	}
	for _, word := range [...]string{"true", "false", "null"} {
		if len(b)-i >= len(word) && string(b[i:i+len(word)]) == word {
			return i + len(word), nil
		}
	}
	return 0, errSyntax
}

func scanComposite(b []byte, i, depth int) (int, error) {
	object := b[i] == '{'
	closing := byte(']')
	if object {
		closing = '}'
	}
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == closing {
		return i + 1, nil
	}
	for {
		var err error
		if object {
			if i, err = scanString(b, i); err != nil {
				return 0, err
			}
			i = skipSpace(b, i)
			if i >= len(b) || b[i] != ':' {
				return 0, errSyntax
			}
			i = skipSpace(b, i+1)
		}
		if i, err = scanValue(b, i, depth+1); err != nil {
			return 0, err
		}
		i = skipSpace(b, i)
		if i >= len(b) {
			return 0, errSyntax
		}
		switch b[i] {
		case ',':
			i = skipSpace(b, i+1)
		case closing:
			return i + 1, nil
		default:
			return 0, errSyntax
		}
	}
}

func scanNumber(b []byte, i int) (int, error) {
	digits := func() bool {
		start := i
		for i < len(b) && b[i] >= '0' && b[i] <= '9' {
			i++
		}
		return i > start
	}
	if b[i] == '-' {
		i++
	}
	first := i
	if !digits() || b[first] == '0' && i > first+1 {
		return 0, errSyntax
	}
	if i < len(b) && b[i] == '.' {
		i++
		if !digits() {
			return 0, errSyntax
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		if !digits() {
			return 0, errSyntax
		}
	}
	return i, nil
}

// scanString returns the index behind the closing quote.
func scanString(b []byte, i int) (int, error) {
	if i >= len(b) || b[i] != '"' {
		return 0, errSyntax
	}
	for i++; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			return i + 1, nil
		case c < 0x20:
			return 0, errSyntax
		case c == '\\':
			i++
			if i >= len(b) {
				return 0, errSyntax
			}
			switch b[i] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			case 'u':
				if _, ok := hex4(b, i+1); !ok {
					return 0, errSyntax
				}
				i += 4
			default:
				return 0, errSyntax
			}
		}
	}
	return 0, errSyntax
}

func hex4(b []byte, i int) (rune, bool) {
	if i+4 > len(b) {
		return 0, false
	}
	var r rune
	for _, c := range b[i : i+4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// unquote undoes the escapes of a scanned string (without its quotes).
func unquote(b []byte) (string, error) {
	plain := true
	for _, c := range b {
		if c == '\\' {
			plain = false
			break
		}
	}
	if plain {
		return string(b), nil
	}
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' {
			out = append(out, b[i])
			continue
		}
		i++
		switch b[i] {
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r, _ := hex4(b, i+1)
			i += 4
			switch {
			case r >= 0xDC00 && r < 0xE000:
				return "", errSurrogate
			case r >= 0xD800 && r < 0xDC00:
				low, ok := rune(0), false
				if i+2 < len(b) && b[i+1] == '\\' && b[i+2] == 'u' {
					low, ok = hex4(b, i+3)
				}
				if !ok || low < 0xDC00 || low >= 0xE000 {
					return "", errSurrogate
				}
				i += 6
				r = (r-0xD800)<<10 | (low - 0xDC00) + 0x10000
			}
			out = utf8.AppendRune(out, r)
		default: // quote, backslash, slash
			out = append(out, b[i])
		}
	}
	return string(out), nil
}
