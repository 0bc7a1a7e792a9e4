// Package resources holds the data that ships inside the program: the rooms
// that exist from the first start. It knows nothing of what rooms are for.
package resources

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

//go:embed rooms.json
var embedded []byte

// maxFile bounds a rooms file; thousands of rooms fit.
const maxFile = 1 << 20

// Room is one entry of a rooms file.
type Room struct {
	Name        string `json:"name"`        // 1 to 64 of a-z, 0-9 and '-'
	Description string `json:"description"` // at most 512 bytes
}

// Rooms returns the embedded rooms.
func Rooms() ([]Room, error) { return ParseRooms(embedded) }

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
	rooms, err := ParseRooms(b)
	if err != nil {
		return nil, fmt.Errorf("rooms file %s: %w", path, err)
	}
	return rooms, nil
}

// ParseRooms reads a JSON array of {"name", "description"}. The error names
// what is wrong; a repeated name, an unknown key or an empty list is wrong.
func ParseRooms(b []byte) ([]Room, error) {
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
		switch {
		case len(r.Name) < 1 || len(r.Name) > 64 || strings.Trim(r.Name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "":
			return nil, fmt.Errorf("room name %q: use 1 to 64 of a-z, 0-9 and '-'", r.Name)
		case len(r.Description) > 512:
			return nil, fmt.Errorf("room %q: its description has more than 512 bytes", r.Name)
		case seen[r.Name]:
			return nil, fmt.Errorf("room %q is named twice", r.Name)
		}
		seen[r.Name] = true
	}
	return rooms, nil
}
