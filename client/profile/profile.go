// Package profile keeps what a person's client remembers on disk: the
// configuration (a commented TOML file), drafts, messages not yet acknowledged,
// how far rooms were read, and the ends of rooms, to draw at once. It follows
// the XDG base directories. A file that cannot be read is named and never
// overwritten.
//
// It starts no goroutine; its caller decides when to save.
package profile

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"positivity-exchange/client/state"
	"positivity-exchange/comms"
)

// version is that of the files; a newer one is left alone.
const version = 1

// ErrInUse: another client has the profile; nothing is saved then.
var ErrInUse = errors.New("another client uses this profile: drafts and messages of this one are not kept")

// Profile is one person's folder. Not safe for concurrent use.
type Profile struct {
	dir, cache string
	cluster    string // whose it is; empty: not known
	lock       *os.File
	readOnly   bool
	broken     map[string]bool // rooms whose file is left as it is
}

// Home is a base directory of the XDG specification, below HOME if not set.
func Home(variable, fallback string) string {
	if dir := os.Getenv(variable); filepath.IsAbs(dir) {
		return filepath.Join(dir, "positivity-exchange")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		home = "."
	}
	return filepath.Join(home, fallback, "positivity-exchange")
}

// Open opens the profile of a name (1 to 64 of letters, digits, '-', '_', '.').
// An error that wraps ErrInUse comes with a profile that can be read.
func Open(name string) (*Profile, error) {
	clean := folder(name)
	p := &Profile{dir: filepath.Join(Home("XDG_STATE_HOME", ".local/state"), clean), cache: filepath.Join(Home("XDG_CACHE_HOME", ".cache"), clean)}
	for _, dir := range []string{p.dir, p.cache} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			p.readOnly = true
			return p, fmt.Errorf("profile: %w", err)
		}
	}
	var err error
	if p.lock, err = lockFile(filepath.Join(p.dir, "lock")); err != nil {
		p.readOnly = true
		return p, err
	}
	return p, nil
}

// folder is what a profile's directories are called.
func folder(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.", r) {
			return r
		}
		return '_'
	}, name)
}

// Close lets another client use the profile.
func (p *Profile) Close() error {
	if p.lock == nil {
		return nil
	}
	return p.lock.Close()
}

func (p *Profile) statePath() string { return filepath.Join(p.dir, "client.json") }

// file is what is on disk of a profile, but for the rooms.
type file struct {
	Version int `json:"version"`
	// Cluster is the one that all of it was written for. Files of earlier versions
	// do not tell.
	Cluster string `json:"cluster,omitempty"`
	state.Saved
}

// Load reads what was saved. After an error nothing is saved over the file.
func (p *Profile) Load() (state.Saved, error) {
	var f file
	if err := read(p.statePath(), &f, func() int { return f.Version }); err != nil {
		p.readOnly = true
		return state.Saved{}, fmt.Errorf("%w (it is left as it is, and nothing is saved; move it away to start anew)", err)
	}
	p.cluster = f.Cluster
	return f.Saved, nil
}

// Belong makes the profile a cluster's, by what its router calls it, unless it is
// one's already; the next Save writes it down. It reports whether that is news.
func (p *Profile) Belong(cluster string) bool {
	if p.cluster != "" {
		return false
	}
	p.cluster = cmp.Or(cluster, unnamed)
	return true
}

// Save writes what is to outlive the program, whole or not at all.
func (p *Profile) Save(s state.Saved) error {
	if p.readOnly {
		return nil
	}
	return write(p.statePath(), file{version, p.cluster, s})
}

// room is the cached end of one room.
type room struct {
	Version int            `json:"version"`
	Head    uint64         `json:"head"`
	Records []comms.Record `json:"records"`
}

func (p *Profile) roomPath(name string) string { return filepath.Join(p.cache, name+".json") }

// LoadRoom reads the end of a room as it was shown last. After an error nothing
// is saved over the file.
func (p *Profile) LoadRoom(name string) (records []comms.Record, head uint64, err error) {
	if comms.CheckRoomName(name) != nil {
		return nil, 0, nil
	}
	var file room
	if err := read(p.roomPath(name), &file, func() int { return file.Version }); err != nil {
		if p.broken == nil {
			p.broken = map[string]bool{}
		}
		p.broken[name] = true
		return nil, 0, fmt.Errorf("%w (it is left as it is; the servers have what it had)", err)
	}
	return file.Records, file.Head, nil
}

// SaveRoom keeps the end of a room.
func (p *Profile) SaveRoom(name string, records []comms.Record, head uint64) error {
	if p.readOnly || p.broken[name] || comms.CheckRoomName(name) != nil {
		return nil
	}
	return write(p.roomPath(name), room{version, head, records})
}

// read reads a JSON file into v; none is no error. Errors name file and line.
func read(path string, v any, versionOf func() int) error {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if len(bytes.Trim(b, "\x00")) == 0 {
		return nil // its name survived a power cut, what was written did not
	}
	if err := json.Unmarshal(b, v); err != nil {
		var syntax *json.SyntaxError
		var kind *json.UnmarshalTypeError
		at := int64(len(b))
		switch {
		case errors.As(err, &syntax):
			at = syntax.Offset
		case errors.As(err, &kind):
			at = kind.Offset
		}
		line := bytes.Count(b[:min(at, int64(len(b)))], []byte("\n")) + 1
		return fmt.Errorf("%s, line %d: %w", path, line, err)
	}
	if n := versionOf(); n > version {
		return fmt.Errorf("%s is of version %d, this program knows %d: run a newer px", path, n, version)
	}
	return nil
}

// write replaces a file in one step, so that no crash leaves half of it.
func write(path string, v any) error {
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return err
	}
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, b, 0o600); err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	return nil
}

func lastUserPath() string { return filepath.Join(Home("XDG_STATE_HOME", ".local/state"), "user") }

// LastUser is the name that KeepUser kept on this machine, "" if none was.
func LastUser() string {
	b, err := os.ReadFile(lastUserPath())
	name := strings.TrimSpace(string(b))
	if err != nil || comms.CheckUserName(name) != nil {
		return ""
	}
	return name
}

// KeepUser keeps a name for the next start. One that was given for this once, by
// a flag or the configuration, replaces none: a machine may have a second person.
func KeepUser(name string, given bool) error {
	if given && LastUser() != "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(lastUserPath()), 0o700); err != nil {
		return err
	}
	return os.WriteFile(lastUserPath(), []byte(name+"\n"), 0o600)
}
