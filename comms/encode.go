package comms

import (
	"reflect"
	"strconv"
	"strings"
)

// AppendCommand appends c as one line with CR LF.
func AppendCommand(dst []byte, c Command) []byte {
	if m, ok := c.(SendMessage); ok && m.ID == "" {
		// The ancestor's form.
		dst = append(dst, `{"_ct":"send_message","r":`...)
		dst = appendString(dst, m.Room)
		dst = append(dst, `,"c":`...)
		dst = appendString(dst, m.Content)
		return append(dst, "}\r\n"...)
	}
	return appendLine(dst, "_ct", c.CommandType(), reflect.ValueOf(c))
}

// AppendEvent appends e as one line with CR LF. For a UserMessage see AppendMessage.
func AppendEvent(dst []byte, e Event) []byte {
	switch e := e.(type) {
	case UserMessage:
		return AppendMessage(dst, &e)
	case UserJoinedRoom:
		if e.Epoch == 0 {
			// The ancestor's form.
			dst = append(dst, `{"_et":"user_joined_room","r":`...)
			dst = appendString(dst, e.Room)
			dst = append(dst, `,"us":`...)
			dst = appendValue(dst, reflect.ValueOf(e.Users))
			return append(dst, "}\r\n"...)
		}
	}
	return appendLine(dst, "_et", e.EventType(), reflect.ValueOf(e))
}

// AppendMessage appends m as one line with CR LF, in the ancestor's form when
// Seq is 0. It allocates nothing beyond dst: it is the fan-out's hot path.
func AppendMessage(dst []byte, m *UserMessage) []byte {
	dst = append(dst, `{"_et":"user_message","r":`...)
	dst = appendString(dst, m.Room)
	dst = append(dst, `,"u":`...)
	dst = appendString(dst, m.User)
	dst = append(dst, `,"c":`...)
	dst = appendString(dst, m.Content)
	if m.Seq != 0 {
		dst = append(dst, `,"id":`...)
		dst = appendString(dst, m.ID)
		dst = append(dst, `,"seq":`...)
		dst = strconv.AppendUint(dst, m.Seq, 10)
		dst = append(dst, `,"epoch":`...)
		dst = strconv.AppendUint(dst, m.Epoch, 10)
		dst = append(dst, `,"t":`...)
		dst = strconv.AppendInt(dst, m.Time, 10)
	}
	return append(dst, "}\r\n"...)
}

func appendLine(dst []byte, tag, name string, v reflect.Value) []byte {
	dst = append(dst, `{"`...)
	dst = append(dst, tag...)
	dst = append(dst, `":"`...)
	dst = append(dst, name...)
	dst = append(dst, '"')
	dst = appendFields(dst, v, true)
	return append(dst, "}\r\n"...)
}

// appendFields writes a struct's fields in their order; comma tells whether
// something stands before them.
func appendFields(dst []byte, v reflect.Value, comma bool) []byte {
	t := v.Type()
	for i := range t.NumField() {
		name, options, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		field := v.Field(i)
		if options == "omitempty" && (field.IsZero() || field.Kind() == reflect.Slice && field.Len() == 0) {
			continue
		}
		if comma {
			dst = append(dst, ',')
		}
		comma = true
		dst = append(dst, '"')
		dst = append(dst, name...)
		dst = append(dst, `":`...)
		dst = appendValue(dst, field)
	}
	return dst
}

func appendValue(dst []byte, v reflect.Value) []byte {
	switch v.Kind() {
	case reflect.String:
		return appendString(dst, v.String())
	case reflect.Int, reflect.Int64:
		return strconv.AppendInt(dst, v.Int(), 10)
	case reflect.Uint64:
		return strconv.AppendUint(dst, v.Uint(), 10)
	case reflect.Bool:
		return strconv.AppendBool(dst, v.Bool())
	case reflect.Pointer:
		return appendValue(dst, v.Elem())
	case reflect.Slice:
		dst = append(dst, '[')
		for i := range v.Len() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendValue(dst, v.Index(i))
		}
		return append(dst, ']')
	case reflect.Struct:
		dst = append(dst, '{')
		dst = appendFields(dst, v, false)
		return append(dst, '}')
	}
	panic("comms: no wire form for " + v.Kind().String()) // a field added to a wire type without an encoding; the golden test meets it first
}

const hexDigits = "0123456789abcdef"

// appendString quotes s as the ancestor does: quote, backslash and control
// characters below 0x20 are escaped, everything else goes as it is.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, `\b`...)
		case '\f':
			dst = append(dst, `\f`...)
		case '\n':
			dst = append(dst, `\n`...)
		case '\r':
			dst = append(dst, `\r`...)
		case '\t':
			dst = append(dst, `\t`...)
		default:
			dst = append(dst, `\u00`...)
			dst = append(dst, hexDigits[c>>4], hexDigits[c&15])
		}
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}
