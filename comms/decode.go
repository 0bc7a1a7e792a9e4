package comms

import (
	"math"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// DecodeCommand reads one line, with or without its line end, and checks every
// field against the limits. Its error is a *Error with the code of what was
// wrong and, where they could be read, the room and id concerned: ready to be
// sent. Unknown fields are skipped.
func DecodeCommand(line []byte) (Command, error) {
	var space [16]member // as many members as any command has cost no allocation
	members, err := split(line, space[:0])
	if err != nil {
		return nil, err
	}
	name, err := kind(members, "_ct")
	if err != nil {
		return nil, err
	}
	into := commandOf(name)
	if into == nil {
		return nil, errorf(CodeUnknownType, "no command is named %q; see PROTOCOL.md for those that are", clip(name))
	}
	v := reflect.ValueOf(into).Elem()
	if err := fill(v, members); err != nil {
		return nil, concerning(err, members)
	}
	c := v.Interface().(Command)
	if err := CheckCommand(c); err != nil {
		return nil, concerning(err, members)
	}
	return c, nil
}

// DecodeEvent reads one line. An event of an unknown type is (nil, nil): skip
// it. Errors are as DecodeCommand's; limits are not checked.
func DecodeEvent(line []byte) (Event, error) {
	var space [16]member
	members, err := split(line, space[:0])
	if err != nil {
		return nil, err
	}
	name, err := kind(members, "_et")
	if err != nil {
		return nil, err
	}
	into := eventOf(name)
	if into == nil {
		return nil, nil
	}
	v := reflect.ValueOf(into).Elem()
	if err := fill(v, members); err != nil {
		return nil, concerning(err, members)
	}
	return v.Interface().(Event), nil
}

func split(line []byte, space []member) ([]member, error) {
	if !utf8.Valid(line) {
		return nil, errorf(CodeNotUTF8, "the line is not valid UTF-8; send UTF-8 only")
	}
	members, err := scanObject(line, space)
	if err != nil {
		return nil, errorf(CodeNotJSON, "the line is not one JSON object; send one object a line")
	}
	return members, nil
}

func kind(members []member, tag string) (string, error) {
	raw, err := find(members, tag)
	if err != nil {
		return "", err
	}
	if len(raw) < 2 || raw[0] != '"' {
		return "", errorf(CodeUnknownType, "the object has no string %q; it names the type", tag)
	}
	name, err := unquote(raw[1 : len(raw)-1])
	if err != nil {
		return "", errorf(CodeNotUTF8, "%q holds a lone surrogate", tag)
	}
	return name, nil
}

// find returns the raw value of a key, nil if there is none. A repeated key is
// refused: two readers could disagree on which one counts.
func find(members []member, key string) ([]byte, error) {
	var value []byte
	for _, m := range members {
		if string(m.key) != key {
			continue
		}
		if value != nil {
			return nil, errorf(CodeBadField, "field %q stands there twice", key)
		}
		value = m.value
	}
	return value, nil
}

// concerning adds the room and the id that a refused line was about.
func concerning(err error, members []member) error {
	e := AsError(err)
	text := func(key string, check func(string) error) string {
		raw, err := find(members, key)
		if err != nil || len(raw) < 2 || raw[0] != '"' {
			return ""
		}
		s, err := unquote(raw[1 : len(raw)-1])
		if err != nil || check(s) != nil {
			return ""
		}
		return s
	}
	e.Room, e.ID, e.Tag = text("r", CheckRoomName), text("id", CheckID), text("tag", CheckID)
	return e
}

func fill(v reflect.Value, members []member) error {
	t := v.Type()
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		raw, err := find(members, name)
		if err != nil {
			return err
		}
		if raw == nil || string(raw) == "null" {
			continue
		}
		if err := set(v.Field(i), raw, name); err != nil {
			return err
		}
	}
	return nil
}

func set(v reflect.Value, raw []byte, name string) error {
	wrong := func(want string) error {
		return errorf(CodeBadField, "field %q must be %s", name, want)
	}
	switch v.Kind() {
	case reflect.String:
		if raw[0] != '"' {
			return wrong("a string")
		}
		s, err := unquote(raw[1 : len(raw)-1])
		if err != nil {
			return errorf(CodeNotUTF8, "field %q holds a lone surrogate; send whole characters", name)
		}
		v.SetString(s)
	case reflect.Int, reflect.Int64, reflect.Uint64:
		// Plain integers only: 1e3 and 1.0 are numbers that not every reader takes for the same integer.
		n, err := strconv.ParseUint(string(raw), 10, 64)
		if err != nil || n > MaxSeq {
			return wrong("a whole number from 0 to " + strconv.FormatInt(MaxSeq, 10))
		}
		switch {
		case v.Kind() == reflect.Uint64:
			v.SetUint(n)
		case v.OverflowInt(int64(n)):
			v.SetInt(math.MaxInt) // a count, where an int has 32 bits: no more can be asked for
		default:
			v.SetInt(int64(n))
		}
	case reflect.Bool:
		if raw[0] != 't' && raw[0] != 'f' {
			return wrong("true or false")
		}
		v.SetBool(raw[0] == 't')
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return set(v.Elem(), raw, name)
	case reflect.Struct:
		if raw[0] != '{' {
			return wrong("an object")
		}
		members, err := scanObject(raw, nil)
		if err != nil {
			return wrong("an object")
		}
		return fill(v, members)
	case reflect.Slice:
		if raw[0] != '[' {
			return wrong("an array")
		}
		elements, err := scanElements(raw)
		if err != nil {
			return wrong("an array")
		}
		v.Set(reflect.MakeSlice(v.Type(), len(elements), len(elements)))
		for i, e := range elements {
			if err := set(v.Index(i), e, name); err != nil {
				return err
			}
		}
	}
	return nil
}
