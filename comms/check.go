package comms

import (
	"cmp"
	"strings"
	"unicode/utf8"
)

func nameOK[T string | []byte](s T, limit int) bool {
	if len(s) == 0 || len(s) > limit {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// CheckRoomName returns nil, or a *Error with CodeBadRoom.
func CheckRoomName(s string) error {
	if !nameOK(s, MaxRoomName) {
		return errorf(CodeBadRoom, "%q is no room name; use 1 to %d of a-z, 0-9 and '-'", clip(s), MaxRoomName)
	}
	return nil
}

// CheckUserName returns nil, or a *Error with CodeBadUser.
func CheckUserName(s string) error {
	if !nameOK(s, MaxUserName) {
		return errorf(CodeBadUser, "%q is no user name; use 1 to %d of a-z, 0-9 and '-'", clip(s), MaxUserName)
	}
	return nil
}

// CheckID returns nil, or a *Error with CodeBadID.
func CheckID(s string) error {
	if !idOK(s) {
		return errorf(CodeBadID, "%q is no id; use 1 to %d of A-Z, a-z, 0-9, '-', '_' and '.'", clip(s), MaxClientID)
	}
	return nil
}

func idOK[T string | []byte](s T) bool {
	ok := len(s) > 0 && len(s) <= MaxClientID
	for i := 0; ok && i < len(s); i++ {
		c := s[i]
		ok = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.'
	}
	return ok
}

// CheckContent returns nil, or a *Error with CodeBadContent, CodeTooLong or
// CodeNotUTF8: content is 1 byte to 16 KiB of valid UTF-8 without control characters (C0,
// DEL, C1) other than newline and tab.
func CheckContent(s string) error {
	if s == "" {
		return errorf(CodeBadContent, "a message cannot be empty")
	}
	if len(s) > MaxContent {
		return errorf(CodeTooLong, "the message has %d bytes; %d are allowed, send it in parts", len(s), MaxContent)
	}
	return checkText(s, "\n\t")
}

// CheckDescription returns nil, or a *Error with CodeBadContent, CodeTooLong or
// CodeNotUTF8: a description is 0 to 512 bytes of valid UTF-8 on one line
// without control characters.
func CheckDescription(s string) error {
	if len(s) > MaxDescription {
		return errorf(CodeTooLong, "the description has %d bytes; %d are allowed", len(s), MaxDescription)
	}
	if i := strings.IndexByte(s, '\n'); i >= 0 {
		return errorf(CodeBadContent, "a topic, or description, is one line: take out the line break at byte %d", i)
	}
	return checkText(s, "")
}

func checkText(s, allowed string) error {
	for i, r := range s {
		switch {
		case r == utf8.RuneError:
			if _, n := utf8.DecodeRuneInString(s[i:]); n == 1 {
				return errorf(CodeNotUTF8, "the text is not valid UTF-8 at byte %d", i)
			}
		case r < 0x20 || r >= 0x7f && r < 0xa0:
			if r != '\n' && r != '\t' || allowed == "" {
				return errorf(CodeBadContent, "the text has the control character U+%04X at byte %d; remove it", r, i)
			}
		}
	}
	return nil
}

// CheckCommand returns nil, or what a server would answer to the command without
// looking further: a *Error of one of the Check functions, with CodeBadRange or
// CodeBadField.
func CheckCommand(c Command) error {
	switch c := c.(type) {
	case Hello:
		if c.User != "" {
			if err := CheckUserName(c.User); err != nil {
				return err
			}
		}
		switch c.As {
		case "", AsClient, AsMember, AsOperator:
		default:
			return errorf(CodeBadField, "field \"as\" must be %q, %q or %q", AsClient, AsMember, AsOperator)
		}
	case JoinRoom:
		return CheckRoomName(c.Room)
	case LeaveRoom:
		return CheckRoomName(c.Room)
	case SendMessage:
		return cmp.Or(CheckRoomName(c.Room), optionalID(c.ID), CheckContent(c.Content))
	case SetTopic:
		return cmp.Or(CheckRoomName(c.Room), optionalID(c.ID), CheckDescription(c.Topic))
	case History:
		if err := cmp.Or(CheckRoomName(c.Room), optionalID(c.Tag)); err != nil {
			return err
		}
		if c.Limit < 1 || c.Limit > MaxPage {
			return errorf(CodeBadRange, "a history page has 1 to %d records, not %d", MaxPage, c.Limit)
		}
		if c.Before != 0 && c.From != 0 {
			return errorf(CodeBadRange, "give \"before\" or \"from\", not both")
		}
	case CreateRoom:
		return cmp.Or(CheckRoomName(c.Room), CheckDescription(c.Description))
	case ListRooms:
		if c.Limit < 0 || c.Limit > MaxPage {
			return errorf(CodeBadRange, "a list page has 1 to %d rooms, not %d", MaxPage, c.Limit)
		}
		for _, name := range [...]string{c.Prefix, c.After} {
			if name != "" {
				if err := CheckRoomName(name); err != nil {
					return err
				}
			}
		}
		return optionalID(c.Tag)
	case Locate:
		if len(c.At) > MaxAddr {
			return errorf(CodeBadField, "the address in \"at\" has %d bytes; %d are allowed", len(c.At), MaxAddr)
		}
		return CheckRoomName(c.Room)
	}
	return nil
}

func optionalID(id string) error {
	if id == "" {
		return nil
	}
	return CheckID(id)
}
