package membership

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
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
		return ended(n.PID)
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
	paths, err := filepath.Glob(filepath.Join(c.opts.Dir, "members", "*#*"))
	if err != nil {
		return nil
	}
	var addrs []string
	for _, path := range paths {
		info, statErr := os.Stat(path)
		b, err := os.ReadFile(path)
		if err != nil || statErr != nil || strings.HasSuffix(path, ".tmp") {
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
