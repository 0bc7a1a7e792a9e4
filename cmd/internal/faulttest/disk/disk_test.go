package disk

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// victimEnv makes the test's binary mount a disk, freeze it and wait to be killed.
const victimEnv = "PX_DISK_VICTIM"

func TestMain(m *testing.M) {
	if dir := os.Getenv(victimEnv); dir != "" {
		d, err := New(dir, 32<<20, Freezable)
		if err == nil {
			err = d.Freeze()
		}
		if err != nil {
			os.Stdout.WriteString(err.Error() + "\n") //nolint:errcheck // the test sees that nothing came
			os.Exit(1)
		}
		os.Stdout.WriteString("frozen\n") //nolint:errcheck // likewise
		select {}
	}
	goleak.VerifyTestMain(m)
}

func mount(t *testing.T, size int64, kind Kind) (*Disk, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	d, err := New(dir, size, kind)
	if errors.Is(err, ErrUnavailable) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if mounted(t, dir) {
			t.Errorf("%s is still mounted", dir)
		}
	})
	return d, dir
}

func mounted(t *testing.T, dir string) bool {
	t.Helper()
	b, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(b), " "+dir+" ")
}

func TestFullAndFreed(t *testing.T) {
	for name, c := range map[string]struct {
		size int64
		kind Kind
	}{"in memory": {16 << 20, Memory}, "freezable": {32 << 20, Freezable}} {
		t.Run(name, func(t *testing.T) {
			d, dir := mount(t, c.size, c.kind)
			file := filepath.Join(dir, "file")
			write := func() error { return os.WriteFile(file, make([]byte, 64<<10), 0o600) }
			if err := write(); err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
			if err := d.Fill(); err != nil {
				t.Fatal(err)
			}
			if err := write(); !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("a write on a full disk: %v", err)
			}
			if err := d.Free(); err != nil {
				t.Fatal(err)
			}
			if err := write(); err != nil {
				t.Errorf("after it was freed: %v", err)
			}
		})
	}
}

func TestFrozenDiskHoldsUpWritersAlone(t *testing.T) {
	d, dir := mount(t, 32<<20, Freezable)
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("before"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.Freeze(); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "before" {
		t.Errorf("read %q, %v", b, err)
	}
	written := make(chan error, 1)
	go func() { written <- os.WriteFile(file, []byte("after"), 0o600) }()
	select {
	case err := <-written:
		t.Errorf("a write on a frozen disk ended: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	if err := d.Thaw(); err != nil {
		t.Fatal(err)
	}
	if err := <-written; err != nil {
		t.Error(err)
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "after" {
		t.Errorf("read %q, %v", b, err)
	}
}

// TestKilledTestLeavesNothing kills a process that has frozen its disk.
func TestKilledTestLeavesNothing(t *testing.T) {
	d, _ := mount(t, 32<<20, Freezable) // or skip
	if err := d.Thaw(); err != nil {
		t.Errorf("of one that is not frozen: %v", err)
	}
	dir := filepath.Join(t.TempDir(), "victim")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), victimEnv+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 100)
	n, _ := out.Read(b)
	if !mounted(t, dir) {
		t.Errorf("the victim says %q and has mounted nothing", b[:n])
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait() //nolint:errcheck // killed
	for deadline := time.Now().Add(10 * time.Second); mounted(t, dir); {
		if time.Now().After(deadline) {
			t.Fatal("the disk is still mounted")
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-t.Context().Done():
		}
	}
}
