package resources

import (
	"bytes"
	_ "embed" // rooms.json
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"unicode/utf8"
)

// MaxRoomsFile is the largest rooms file that is read, in bytes.
const MaxRoomsFile = 1 << 20

// What is wrong with a rooms file. Errors wrap one of these and say where.
var (
	ErrTooLarge    = errors.New("larger than 1 MiB")
	ErrNotUTF8     = errors.New("not valid UTF-8")
	ErrNotJSON     = errors.New("not JSON")
	ErrNotRooms    = errors.New(`not an array of {"name","description"} objects`)
	ErrUnknownKey  = errors.New("unknown key")
	ErrRepeatedKey = errors.New("key given twice")
	ErrNoName      = errors.New("room without a name")
	ErrNameTwice   = errors.New("room name given twice")
	ErrNoRooms     = errors.New("no rooms")
	ErrNotAFile    = errors.New("not a regular file")
)

// Room is one entry of a rooms file.
type Room struct {
	Name        string // not empty; the alphabet is for comms.CheckRoomName to judge
	Description string // may be empty
}

//go:embed rooms.json
var builtIn []byte

// Rooms returns the built-in rooms, "general" first.
func Rooms() []Room {
	rooms, err := ParseRooms(bytes.NewReader(builtIn))
	if err != nil {
		// The file is part of the build, and a test parses it.
		panic("resources: built-in rooms.json: " + err.Error())
	}
	return rooms
}

// LoadRooms reads the rooms file at path. Anything but a regular file is
// refused before it is read: a pipe would hold up the start.
func LoadRooms(path string) ([]Room, error) {
	// Non-blocking, so that opening a named pipe without a writer returns.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("rooms file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("rooms file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("rooms file %s: %w", path, ErrNotAFile)
	}
	rooms, err := ParseRooms(f)
	if err != nil {
		return nil, fmt.Errorf("rooms file %s: %w", path, err)
	}
	return rooms, nil
}

// ParseRooms reads a JSON array of {"name","description"} objects. Both keys
// must be strings, the name must be there, and nothing else may be.
func ParseRooms(r io.Reader) ([]Room, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxRoomsFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > MaxRoomsFile {
		return nil, ErrTooLarge
	}
	if !utf8.Valid(data) {
		return nil, fmt.Errorf("%w at byte %d", ErrNotUTF8, invalidAt(data))
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, fmt.Errorf("%w: the file is empty", ErrNoRooms)
	}
	if !json.Valid(data) {
		var v any
		return nil, fmt.Errorf("%w: %w", ErrNotJSON, json.Unmarshal(data, &v))
	}
	var entries []json.RawMessage
	if err := json.Unmarshal(data, &entries); err != nil {
		return nil, ErrNotRooms
	}
	if len(entries) == 0 {
		return nil, ErrNoRooms
	}
	rooms := make([]Room, 0, len(entries))
	at := make(map[string]int, len(entries))
	for i, entry := range entries {
		room, err := parseRoom(entry)
		if err != nil {
			return nil, fmt.Errorf("room %d: %w", i+1, err)
		}
		if first, taken := at[room.Name]; taken {
			return nil, fmt.Errorf("room %d: %w: %q, first as room %d", i+1, ErrNameTwice, room.Name, first)
		}
		at[room.Name] = i + 1
		rooms = append(rooms, room)
	}
	return rooms, nil
}

// parseRoom reads one object token by token, since decoding into a struct
// takes a repeated key's last value and matches keys without regard to case.
func parseRoom(entry []byte) (Room, error) {
	var room Room
	dec := json.NewDecoder(bytes.NewReader(entry))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return room, ErrNotRooms
	}
	seen := make(map[string]bool, 2)
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return room, fmt.Errorf("%w: %w", ErrNotJSON, err)
		}
		key := token.(string) // within an object every other token is a key
		var field *string
		switch key {
		case "name":
			field = &room.Name
		case "description":
			field = &room.Description
		default:
			return room, fmt.Errorf("%w %q", ErrUnknownKey, key)
		}
		if seen[key] {
			return room, fmt.Errorf("%w: %q", ErrRepeatedKey, key)
		}
		seen[key] = true
		value, err := dec.Token()
		if err != nil {
			return room, fmt.Errorf("%w: %w", ErrNotJSON, err)
		}
		text, ok := value.(string)
		if !ok {
			return room, fmt.Errorf("%w: %q is not a string", ErrNotRooms, key)
		}
		*field = text
	}
	if room.Name == "" {
		return room, ErrNoName
	}
	return room, nil
}

func invalidAt(data []byte) int {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return len(data)
}
