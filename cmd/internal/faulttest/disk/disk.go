package disk

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// ErrUnavailable says that this machine or this user cannot have such a disk;
// the error around it says why.
var ErrUnavailable = errors.New("no disk of one's own here")

// Kind is what a disk can do.
type Kind int

// Kinds of disks.
const (
	Memory    Kind = iota // can be filled
	Freezable             // can be filled and frozen
)

// Disk is a file system mounted on a folder.
type Disk struct {
	dir    string
	image  string // file that a freezable one is in
	frozen bool
	guard  *exec.Cmd
	leash  io.Closer // the guard acts when it is closed
}

// New mounts a disk of about size bytes (32 MiB at least for a freezable one)
// on dir, which is made if needed.
func New(dir string, size int64, kind Kind) (*Disk, error) {
	if os.Getuid() != 0 {
		return nil, fmt.Errorf("%w: it needs root", ErrUnavailable)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	d := &Disk{dir: dir}
	mount := []string{"-t", "tmpfs", "-o", fmt.Sprintf("size=%d,mode=700", size), "px-faulttest", dir}
	if kind == Freezable {
		d.image = dir + ".ext4"
		if err := d.format(size); err != nil {
			return nil, errors.Join(fmt.Errorf("%w: %w", ErrUnavailable, err), os.Remove(d.image))
		}
		mount = []string{"-t", "ext4", "-o", "loop,noatime", d.image, dir}
	}
	if err := d.watch(); err != nil {
		return nil, err
	}
	if err := run("mount", mount...); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", ErrUnavailable, err), d.end())
	}
	return d, nil
}

func (d *Disk) format(size int64) error {
	f, err := os.OpenFile(d.image, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Truncate(size), f.Close()); err != nil {
		return err
	}
	return run("mkfs.ext4", "-q", "-F", "-m", "0", d.image)
}

// watch starts the guard. It has its own session, so that whatever ends the
// test's process group spares it.
func (d *Disk) watch() error {
	d.guard = exec.Command("sh", "-c", `read -r line; mountpoint -q "$1" || exit 0; fsfreeze -u "$1" 2>/dev/null; umount -l "$1"; rm -f "$2"`, "sh", d.dir, d.image)
	d.guard.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	in, err := d.guard.StdinPipe()
	if err != nil {
		return err
	}
	d.leash = in
	return d.guard.Start()
}

// end lets the guard tidy up and waits for it.
func (d *Disk) end() error {
	err := errors.Join(d.leash.Close(), d.guard.Wait())
	if d.image != "" {
		if e := os.Remove(d.image); !errors.Is(e, os.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// Close unmounts the disk, thawed if need be. Processes that still use it keep
// what they have open; nobody finds it any more.
func (d *Disk) Close() error { return d.end() }

// filler is the file that takes what is free.
func (d *Disk) filler() string { return filepath.Join(d.dir, ".filler") }

// Fill takes all that is free, to the last byte.
func (d *Disk) Fill() error {
	f, err := os.OpenFile(d.filler(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := reserve(f); err != nil {
		return errors.Join(err, f.Close())
	}
	for size := 1 << 20; size > 0; {
		n, err := f.Write(make([]byte, size))
		switch {
		case err == nil:
		case errors.Is(err, syscall.ENOSPC):
			if n == 0 {
				size /= 2
			}
		default:
			return errors.Join(err, f.Close())
		}
	}
	err = f.Close()
	if errors.Is(err, syscall.ENOSPC) { // what was written late did not fit
		err = nil
	}
	return err
}

// Free gives back what Fill took.
func (d *Disk) Free() error { return os.Remove(d.filler()) }

// Freeze stops a freezable disk once all that was written is on it.
func (d *Disk) Freeze() error {
	err := run("fsfreeze", "-f", d.dir)
	d.frozen = err == nil
	return err
}

// Thaw lets it go on; one that does not stand still stays as it is.
func (d *Disk) Thaw() error {
	if !d.frozen {
		return nil
	}
	d.frozen = false
	return run("fsfreeze", "-u", d.dir)
}

func run(tool string, args ...string) error {
	if out, err := exec.Command(tool, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", tool, strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}
