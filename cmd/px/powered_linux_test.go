package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// disk is an ext4 file system on a file, behind a loop device. Whatever was
// written to it and not synced is in the kernel's memory alone: a copy of the
// file is what a power cut leaves.
type disk struct {
	t     testing.TB
	dir   string // where it is mounted
	image string
	loop  string
	cuts  int
}

// newDisk mounts an empty disk, or skips where that is not allowed.
func newDisk(t testing.TB) *disk {
	t.Helper()
	base := t.TempDir()
	d := &disk{t: t, dir: filepath.Join(base, "disk"), image: filepath.Join(base, "image-0")}
	if err := os.Mkdir(d.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(d.image)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(128 << 20); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if out, err := exec.Command("mkfs.ext4", "-q", "-F", d.image).CombinedOutput(); err != nil {
		t.Skipf("no file system can be made here: %v %s", err, out)
	}
	t.Cleanup(d.unmount)
	if err := d.mount(); err != nil {
		t.Skipf("a file cannot be mounted here: %v", err)
	}
	return d
}

// mount lets nothing reach the image that nobody synced: neither the journal's
// timer nor the guesses that ext4 makes for programs that forget to sync.
func (d *disk) mount() error {
	out, err := exec.Command("losetup", "--find", "--show", d.image).CombinedOutput()
	if err != nil {
		return fmt.Errorf("losetup: %w %s", err, out)
	}
	d.loop = strings.TrimSpace(string(out))
	return syscall.Mount(d.loop, d.dir, "ext4", 0, "noauto_da_alloc,commit=600")
}

func (d *disk) unmount() {
	if d.loop == "" {
		return
	}
	if err := syscall.Unmount(d.dir, 0); err != nil && err != syscall.EINVAL { // EINVAL: it was not mounted
		d.t.Errorf("unmount: %v", err)
	}
	if out, err := exec.Command("losetup", "--detach", d.loop).CombinedOutput(); err != nil {
		d.t.Errorf("losetup: %v %s", err, out)
	}
	d.loop = ""
}

// cut leaves of the disk what was synced. Nothing may use it any more.
func (d *disk) cut() {
	d.t.Helper()
	d.cuts++
	left := fmt.Sprintf("%s-%d", strings.TrimSuffix(d.image, fmt.Sprintf("-%d", d.cuts-1)), d.cuts)
	if out, err := exec.Command("cp", "--sparse=always", d.image, left).CombinedOutput(); err != nil {
		d.t.Fatalf("%v %s", err, out)
	}
	d.unmount()
	d.image = left
	if err := d.mount(); err != nil {
		d.t.Fatal(err)
	}
}

// powered is a cluster on a disk, that always listens at the same place.
type powered struct {
	disk   *disk
	sync   string
	router string
	all    []*process
	logs   strings.Builder
	again  func() // cuts the power, and has it back
}

func newPowered(t testing.TB, sync string) *powered {
	t.Helper()
	c := &powered{disk: newDisk(t), sync: sync}
	c.again = func() {
		c.lose()
		c.start()
	}
	c.start()
	return c
}

func (c *powered) start() {
	c.disk.t.Helper()
	dir := filepath.Join(c.disk.dir, "data")
	for _, name := range []string{"s1", "s2", "s3"} {
		c.all = append(c.all, startShard(c.disk.t, dir, name, "--sync", c.sync))
	}
	listen := "127.0.0.1:0"
	if c.router != "" {
		listen = c.router
	}
	router := start(c.disk.t, "router", "--data", dir, "--sync", c.sync, "--listen", listen, "--http", "127.0.0.1:0", "--gossip", "127.0.0.1:0")
	c.router = router.addr("client")
	c.all = append(c.all, router)
}

// lose cuts the power. Everything is off then.
func (c *powered) lose() {
	c.disk.t.Helper()
	for _, p := range c.all {
		p.signal(syscall.SIGKILL)
	}
	for _, p := range c.all {
		<-p.ended
		c.logs.WriteString(p.log())
	}
	c.all = nil
	c.disk.cut()
}

// issued holds that no epoch of a partition was issued twice, and returns how many there were.
func (c *powered) issued() (n int) {
	logs := c.logs.String()
	for _, p := range c.all {
		logs += p.log()
	}
	seen := map[string]bool{}
	for _, m := range regexp.MustCompile(`msg=acquired.* (partition=\d+ epoch=\d+)`).FindAllStringSubmatch(logs, -1) {
		if seen[m[1]] {
			c.disk.t.Errorf("issued twice: %s", m[1])
		}
		seen[m[1]] = true
	}
	return len(seen)
}
