package membership

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// notice is what a process tells others that share its data directory.
type notice struct {
	Gossip string `json:"gossip"`
	PID    int    `json:"pid"`
	Kernel string `json:"kernel"` // boot id of the kernel: a number is a process only there,
	PIDNS  string `json:"pidns"`  // and in this PID namespace; "" in the notices of older versions
}

// A notice is written again when it is renewedAfter old, and taken away by those
// who cannot tell whether its process lives when it is forgottenAfter old. The
// clocks of machines that share a directory may differ by what lies between.
const (
	renewedAfter   = time.Hour
	forgottenAfter = 24 * time.Hour
)

// numbered is where this process's number counts; "" if the system does not tell.
var numbered = sync.OnceValues(func() (kernel, pidns string) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", ""
	}
	if pidns, err = os.Readlink("/proc/self/ns/pid"); err != nil {
		return "", ""
	}
	return strings.TrimSpace(string(b)), pidns
})

// forgotten reports whether nobody is behind a notice that was written then. The
// process of another machine or container has a number that tells nothing here.
func (n notice) forgotten(written time.Time) bool {
	kernel, pidns := numbered()
	if kernel != "" && n.Kernel == kernel && n.PIDNS == pidns {
		return errors.Is(syscall.Kill(n.PID, 0), syscall.ESRCH)
	}
	return time.Since(written) > forgottenAfter
}

// publish makes the place for notices and writes this process's.
func (c *Cluster) publish() error {
	if c.opts.Dir == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Join(c.opts.Dir, "members"), 0o700); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	return c.writeNotice()
}

// unpublish takes the notice back.
func (c *Cluster) unpublish() {
	if c.opts.Dir != "" {
		os.Remove(c.noticePath()) //nolint:errcheck // others prune what stays
	}
}

// renew writes the notice again where it is old, or somebody took it away: a
// member of an older version does that to those in other containers.
func (c *Cluster) renew() {
	if c.opts.Dir == "" {
		return
	}
	if info, err := os.Stat(c.noticePath()); err == nil && time.Since(info.ModTime()) < renewedAfter {
		return
	}
	if err := c.writeNotice(); err != nil {
		c.warnOnce(err.Error(), "others that start with the data directory may not find this member", "err", err)
	}
}

func (c *Cluster) noticePath() string {
	return filepath.Join(c.opts.Dir, "members", c.list.LocalNode().Name)
}

func (c *Cluster) writeNotice() error {
	kernel, pidns := numbered()
	b, err := json.Marshal(notice{Gossip: c.Self().Gossip, PID: os.Getpid(), Kernel: kernel, PIDNS: pidns})
	if err != nil {
		return err
	}
	path := c.noticePath()
	if err := os.WriteFile(path+".tmp", b, 0o600); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	return nil
}

// discovered reads the notices of others and prunes those that nobody is behind.
func (c *Cluster) discovered() []string {
	if c.opts.Dir == "" {
		return nil
	}
	dir := filepath.Join(c.opts.Dir, "members")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var addrs []string
	for _, entry := range entries {
		name := entry.Name()
		if !strings.Contains(name, "#") || strings.HasSuffix(name, ".tmp") {
			continue // no member's, or not whole yet
		}
		path := filepath.Join(dir, name)
		info, statErr := os.Stat(path)
		b, err := os.ReadFile(path)
		if err != nil || statErr != nil {
			continue
		}
		var n notice
		// Whole since it has its name, unless a power cut left half of it.
		if json.Unmarshal(b, &n) != nil || n.Gossip == "" || n.forgotten(info.ModTime()) {
			os.Remove(path) //nolint:errcheck // the next reader tries again
			continue
		}
		if n.Gossip != c.Self().Gossip {
			addrs = append(addrs, n.Gossip)
		}
	}
	return addrs
}

// ReadSecret returns the cluster's 32-byte secret: from file if given, else from
// env (64 hexadecimal digits or base64), else from dir/secret. The error wraps
// fs.ErrNotExist where there is none.
func ReadSecret(dir, file, env string) (secret []byte, err error) {
	if file == "" && env != "" {
		if secret, err = parseSecret(env); err != nil {
			return nil, fmt.Errorf("PX_SECRET: %w", err)
		}
		return secret, nil
	}
	if file == "" {
		file = filepath.Join(dir, "secret")
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("secret: %w", err)
	}
	if secret, err = parseSecret(string(b)); err != nil {
		return nil, fmt.Errorf("secret file %s: %w", file, err)
	}
	return secret, nil
}

// LoadSecret is ReadSecret, but that the first process in dir makes dir/secret
// (0600), safe against races. created tells that it was made now.
func LoadSecret(dir, file, env string) (secret []byte, created bool, err error) {
	if secret, err = ReadSecret(dir, file, env); err == nil || file != "" || !errors.Is(err, fs.ErrNotExist) {
		return secret, false, err
	}
	path := filepath.Join(dir, "secret")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, false, fmt.Errorf("data directory: %w", err)
	}
	fresh := make([]byte, 32)
	rand.Read(fresh) //nolint:errcheck // never fails
	tmp, err := os.CreateTemp(dir, "secret-*")
	if err != nil {
		return nil, false, fmt.Errorf("data directory: %w", err)
	}
	defer os.Remove(tmp.Name()) //nolint:errcheck // the link stays
	// Synced before it has its name: a power cut must not leave an empty secret,
	// with which nobody could start any more.
	_, err = tmp.WriteString(hex.EncodeToString(fresh) + "\n")
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return nil, false, fmt.Errorf("secret: %w", err)
	}
	// Link fails where another was first: then that one counts for all.
	linkErr := os.Link(tmp.Name(), path)
	if linkErr != nil && !errors.Is(linkErr, fs.ErrExist) {
		return nil, false, fmt.Errorf("secret: %w", linkErr)
	}
	if err := syncDir(dir); err != nil {
		return nil, false, fmt.Errorf("secret: %w", err)
	}
	secret, err = ReadSecret(dir, "", "")
	return secret, linkErr == nil, err
}

// OtherSecret reports whether dir holds a secret, and another than this one.
func OtherSecret(dir string, secret []byte) bool {
	own, err := ReadSecret(dir, "", "")
	return err == nil && !bytes.Equal(own, secret)
}

// syncDir lets the names in a directory survive a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		err = nil // a file system that syncs no directories
	}
	return errors.Join(err, d.Close())
}

func parseSecret(text string) ([]byte, error) {
	text = strings.TrimSpace(text)
	for _, decode := range []func(string) ([]byte, error){hex.DecodeString, base64.StdEncoding.DecodeString, base64.RawURLEncoding.DecodeString} {
		if b, err := decode(text); err == nil && len(b) == 32 {
			return b, nil
		}
	}
	return nil, errors.New("a secret is 32 bytes, as 64 hexadecimal digits or in base64")
}
