package resources

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"unicode/utf8"
)

//go:embed rooms.json
var embedded []byte

// maxFile bounds a rooms file; thousands of rooms fit.
const maxFile = 1 << 20

// Room is one entry of a rooms file.
type Room struct {
	Name        string `json:"name"`        // needed; each name once
	Description string `json:"description"` // may be left out
}

// Rooms returns the embedded rooms.
func Rooms() ([]Room, error) { return parseRooms(embedded) }

// LoadRooms reads a rooms file.
func LoadRooms(path string) ([]Room, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("rooms file: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("rooms file: %w", err)
	}
	rooms, err := parseRooms(b)
	if err != nil {
		return nil, fmt.Errorf("rooms file %s: %w", path, err)
	}
	return rooms, nil
}

// parseRooms reads a JSON array of {"name", "description"}. The error names
// what is wrong; a repeated name, an unknown key or an empty list is wrong.
func parseRooms(b []byte) ([]Room, error) {
	if len(b) > maxFile {
		return nil, fmt.Errorf("larger than %d bytes", maxFile)
	}
	if !utf8.Valid(b) {
		return nil, errors.New("not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var rooms []Room
	if err := d.Decode(&rooms); err != nil {
		return nil, fmt.Errorf("not a JSON array of {\"name\", \"description\"}: %w", err)
	}
	if d.More() {
		return nil, errors.New("something follows the array")
	}
	if len(rooms) == 0 {
		return nil, errors.New("no room in it; name at least one")
	}
	seen := map[string]bool{}
	for _, r := range rooms {
		if r.Name == "" {
			return nil, errors.New("a room has no name")
		}
		if seen[r.Name] {
			return nil, fmt.Errorf("room %q is named twice", r.Name)
		}
		seen[r.Name] = true
	}
	return rooms, nil
}
