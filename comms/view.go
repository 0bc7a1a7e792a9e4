package comms

import (
	"math/bits"
	"strconv"
	"unicode/utf8"
)

// SendView is a send_message as it stands in its line: the slices are valid as
// long as the line is. Its fields are those of SendMessage, checked alike.
type SendView struct {
	Room, ID, Content []byte
	Again             bool
	Seen              uint64
}

// ViewSend reads a line that is a plain send_message, without allocating: the
// command of the hot path. Not ok means that the line is something else, has
// escapes, an unknown field or no id, or is wrong in some way; DecodeCommand
// then decodes it or says why not.
func ViewSend(line []byte) (v SendView, ok bool) {
	var space [8]member
	members, err := scanObject(line, space[:0])
	if err != nil || len(members) > len(space) || !utf8.Valid(line) {
		return v, false
	}
	named, seen := false, uint(0)
	for _, m := range members {
		var text []byte
		if n := len(m.value); n >= 2 && m.value[0] == '"' {
			text = m.value[1 : n-1]
		}
		switch string(m.key) {
		case "_ct":
			named = string(text) == "send_message"
			seen |= 1
		case "r":
			v.Room = text
			seen |= 2
		case "id":
			v.ID = text
			seen |= 4
		case "c":
			v.Content = text
			seen |= 8
		case "again":
			v.Again = string(m.value) == "true"
			if !v.Again {
				return v, false
			}
			seen |= 16
		case "seen":
			n, err := strconv.ParseUint(string(m.value), 10, 64)
			if err != nil || n > MaxSeq {
				return v, false
			}
			v.Seen = n
			seen |= 32
		default:
			return v, false
		}
	}
	twice := len(members) != bits.OnesCount(seen)
	return v, named && !twice && nameOK(v.Room, MaxRoomName) && idOK(v.ID) && plainContent(v.Content)
}

// plainContent reports whether b, known to be valid UTF-8, is content that
// stands in its line as it is.
func plainContent(b []byte) bool {
	if len(b) == 0 || len(b) > MaxContent {
		return false
	}
	for i, c := range b {
		switch {
		case c < 0x20, c == 0x7f, c == '\\':
			return false
		case c == 0xc2 && b[i+1] < 0xa0: // C1
			return false
		}
	}
	return true
}
