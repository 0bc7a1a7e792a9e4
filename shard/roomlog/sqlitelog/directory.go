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

	"positivity-exchange/shard/roomlog"
)

// Schema is the newest version of the files that this program reads, and the one
// that it writes; one directory has one.
const Schema = 1

// clusterFile is what cluster.json holds. Earlier versions wrote the first two
// alone; the first member that opens the directory adds the others.
type clusterFile struct {
	Identity   string `json:"identity"`
	Schema     int    `json:"schema"`
	Cluster    string `json:"cluster,omitempty"`
	Partitions int    `json:"partitions,omitempty"`
}

// identify reads the directory's identity, making one if there is none, and
// refuses a directory that is not for us.
func identify(dir string, opts Options) (string, error) {
	path := filepath.Join(dir, "cluster.json")
	f, err := readCluster(path)
	if errors.Is(err, fs.ErrNotExist) {
		var random [12]byte
		rand.Read(random[:]) //nolint:errcheck // never fails
		f = clusterFile{Identity: hex.EncodeToString(random[:]), Schema: Schema, Cluster: opts.Cluster, Partitions: opts.Partitions}
		// Several may start at once: the first link counts for all.
		if err = f.write(path, os.Link); err != nil && !errors.Is(err, fs.ErrExist) {
			return "", fmt.Errorf("data directory %s is not writable: %w (name another with --data)", dir, err)
		}
		f, err = readCluster(path)
	}
	if err != nil {
		return "", fmt.Errorf("data directory %s: %w", dir, err)
	}
	if f.Schema > Schema {
		return "", fmt.Errorf("data directory %s has schema %d, this program knows %d: run a newer px", dir, f.Schema, Schema)
	}
	probe, err := os.CreateTemp(filepath.Join(dir, "roll"), "probe-*")
	if err != nil {
		return "", fmt.Errorf("data directory %s is not writable: %w (name another with --data)", dir, err)
	}
	err = sameUser(dir, path, probe.Name())
	if err := errors.Join(err, probe.Close(), os.Remove(probe.Name())); err != nil {
		return "", err
	}
	return f.Identity, f.admit(dir, path, opts)
}

// admit refuses another cluster's directory: each would have members of its own,
// and the rooms of both. It keeps what the directory did not know yet.
func (f clusterFile) admit(dir, path string, opts Options) error {
	switch {
	case opts.Cluster != "" && f.Cluster != "" && f.Cluster != opts.Cluster:
		return fmt.Errorf("data directory %s holds the rooms of cluster %q, not of %q: use --cluster %s, or name another directory with --data",
			dir, f.Cluster, opts.Cluster, f.Cluster)
	case opts.Partitions != 0 && f.Partitions != 0 && f.Partitions != opts.Partitions:
		return fmt.Errorf("data directory %s has its rooms in %d partitions, this program in %d: run the px that made it, or name another directory with --data",
			dir, f.Partitions, opts.Partitions)
	case opts.Cluster == "" || f.Cluster != "":
		return nil
	}
	f.Cluster, f.Partitions = opts.Cluster, opts.Partitions
	if err := f.write(path, os.Rename); err != nil {
		return fmt.Errorf("data directory %s: %w", dir, err)
	}
	return nil
}

func readCluster(path string) (f clusterFile, err error) {
	b, err := os.ReadFile(path)
	if err == nil && (json.Unmarshal(b, &f) != nil || f.Identity == "") {
		err = errors.New("cluster.json is damaged: restore it from a backup, or name another directory with --data")
	}
	return f, err
}

// write puts the file at path by place, whole even after a power cut.
func (f clusterFile) write(path string, place func(from, to string) error) error {
	b, err := json.Marshal(f)
	if err != nil {
		return err
	}
	tmp := fmt.Sprintf("%s.%s", path, rand.Text())
	defer os.Remove(tmp) //nolint:errcheck // a link stays
	if err := writeFile(tmp, b, true); err != nil {
		return err
	}
	return place(tmp, path)
}

// syncDirs lets the directory and what was made in it survive a power cut.
// Everybody does it: whoever made it may not have come so far yet, and nothing
// may be acknowledged in a file whose name can be lost.
func syncDirs(dir string) error {
	for _, path := range []string{filepath.Dir(dir), dir} {
		// A directory that is not ours: then we did not make what is in it.
		if err := roomlog.SyncDir(path); err != nil && !errors.Is(err, fs.ErrPermission) {
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
