package sqlitelog

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// schema is the version of the files; one directory has one.
const schema = 1

// clusterFile is what cluster.json holds.
type clusterFile struct {
	Identity string `json:"identity"`
	Schema   int    `json:"schema"`
}

// identify reads the directory's identity, making one if there is none.
func identify(dir string) (string, error) {
	path := filepath.Join(dir, "cluster.json")
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		var random [12]byte
		rand.Read(random[:]) //nolint:errcheck // never fails
		b, err = json.Marshal(clusterFile{Identity: hex.EncodeToString(random[:]), Schema: schema})
		if err != nil {
			return "", err
		}
		tmp := fmt.Sprintf("%s.%x", path, random)
		if err := writeFile(tmp, b, true); err != nil {
			return "", fmt.Errorf("data directory %s is not writable: %w (name another with --data)", dir, err)
		}
		// Several may start at once: the first link counts for all.
		err = os.Link(tmp, path)
		os.Remove(tmp) //nolint:errcheck // the link stays
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return "", fmt.Errorf("data directory %s: %w", dir, err)
		}
		b, err = os.ReadFile(path)
	}
	if err != nil {
		return "", fmt.Errorf("data directory %s: %w", dir, err)
	}
	var f clusterFile
	if err := json.Unmarshal(b, &f); err != nil || f.Identity == "" {
		return "", fmt.Errorf("%s is damaged: restore it from a backup, or name another directory with --data", path)
	}
	if f.Schema > schema {
		return "", fmt.Errorf("data directory %s has schema %d, this program knows %d: run a newer px", dir, f.Schema, schema)
	}
	probe, err := os.CreateTemp(filepath.Join(dir, "roll"), "probe-*")
	if err != nil {
		return "", fmt.Errorf("data directory %s is not writable: %w (name another with --data)", dir, err)
	}
	err = sameUser(dir, path, probe.Name())
	return f.Identity, errors.Join(err, probe.Close(), os.Remove(probe.Name()))
}

// sameUser refuses a directory in which what we make belongs to another user
// than what is there: root may write everywhere, but the processes that serve
// there could not read it. That of whoever made the directory, or runs this
// process, tells nothing: a volume may be given, or show all as one user's.
func sameUser(dir, there, made string) error {
	var theirs, ours syscall.Stat_t
	if err := errors.Join(syscall.Stat(there, &theirs), syscall.Stat(made, &ours)); err != nil {
		return fmt.Errorf("data directory %s: %w", dir, err)
	}
	if theirs.Uid != ours.Uid {
		return fmt.Errorf("data directory %s belongs to another user (number %d, this is %d): run px as that one, or name another directory with --data",
			dir, theirs.Uid, ours.Uid)
	}
	return nil
}

// syncDirs lets the directory and what was made in it survive a power cut.
// Everybody does it: whoever made it may not have come so far yet, and nothing
// may be acknowledged in a file whose name can be lost.
func syncDirs(dir string) error {
	for _, path := range []string{filepath.Dir(dir), dir} {
		d, err := os.Open(path)
		if errors.Is(err, fs.ErrPermission) {
			continue // not ours: then we did not make what is in it
		}
		if err != nil {
			return err
		}
		err = d.Sync()
		if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
			err = nil // a file system that syncs no directories
		}
		if err := errors.Join(err, d.Close()); err != nil {
			return err
		}
	}
	return nil
}

// writeFile writes a file that nobody uses before it has its final name.
// synced: that name must not come to stand for half of it, not even by a power cut.
func writeFile(path string, b []byte, synced bool) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil && synced {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
