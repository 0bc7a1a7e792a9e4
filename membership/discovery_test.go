package membership

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// TestNoticesOfOthersAreJudgedWhereTheirNumbersCount: containers that share a data
// directory must not take each other's members for dead processes of their own.
func TestNoticesOfOthersAreJudgedWhereTheirNumbersCount(t *testing.T) {
	kernel, pidns := numbered()
	if kernel == "" {
		t.Skip("no process here can be told from another")
	}
	const nobody = math.MaxInt32 // no process has this number
	dir := t.TempDir()
	c, err := New(Options{Name: "s1", Role: RoleShard, Client: "127.0.0.1:1", Bind: "127.0.0.1:0", Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer c.list.Shutdown() //nolint:errcheck // it has run nothing
	if err := c.publish(); err != nil {
		t.Fatal(err)
	}
	for name, n := range map[string]struct {
		notice
		age   time.Duration
		stays bool
	}{
		"lives#1":          {notice{PID: os.Getpid(), Kernel: kernel, PIDNS: pidns}, 0, true},
		"old-lives#2":      {notice{PID: os.Getpid(), Kernel: kernel, PIDNS: pidns}, 48 * time.Hour, true},
		"gone#3":           {notice{PID: nobody, Kernel: kernel, PIDNS: pidns}, 0, false},
		"container#4":      {notice{PID: nobody, Kernel: kernel, PIDNS: "pid:[1]"}, 0, true},
		"old-container#5":  {notice{PID: nobody, Kernel: kernel, PIDNS: "pid:[1]"}, 48 * time.Hour, false},
		"machine#6":        {notice{PID: nobody, Kernel: "another"}, 0, true},
		"before-reboot#7":  {notice{PID: nobody, Kernel: "another"}, 48 * time.Hour, false},
		"older-version#8":  {notice{PID: nobody, Kernel: kernel}, 0, true},
		"half-a-notice#9":  {notice{}, 0, false},
		"half-a-notice#10": {notice{PID: os.Getpid()}, 0, false},
	} {
		if n.Kernel != "" {
			n.Gossip = "127.0.0.1:" + name // not to be dialled here
		}
		b, err := json.Marshal(n.notice)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "members", name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		written := time.Now().Add(-n.age)
		if err := os.Chtimes(path, written, written); err != nil {
			t.Fatal(err)
		}
		tried := slices.Contains(c.discovered(), "127.0.0.1:"+name)
		_, err = os.Stat(path)
		if stays := err == nil; tried != n.stays || stays != n.stays {
			t.Errorf("%s: tried %v, stays %v; want both %v", name, tried, stays, n.stays)
		}
	}
}

// TestANoticeTakenAwayIsWrittenAgain, as is an old one, until the end of Run.
func TestANoticeTakenAwayIsWrittenAgain(t *testing.T) {
	dir := t.TempDir()
	c, err := New(Options{Name: "s1", Role: RoleShard, Client: "127.0.0.1:1", Bind: "127.0.0.1:0", Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.publish(); err != nil {
		t.Fatal(err)
	}
	path := c.noticePath()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	c.renew()
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
	old := time.Now().Add(-2 * renewedAfter)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	c.renew()
	if info, err := os.Stat(path); err != nil || time.Since(info.ModTime()) > renewedAfter {
		t.Errorf("an old notice was not renewed: %v", err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	c.Run(ended) //nolint:errcheck // ended before it began
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the notice stays after the end: %v", err)
	}
}

// TestNoticesAreFoundInADirectoryOfAnyName, also where the name means something
// to a shell.
func TestNoticesAreFoundInADirectoryOfAnyName(t *testing.T) {
	for _, name := range []string{"plain", "a[b]c", "[", `back\slash`, "wha?*t", "a#b"} {
		dir := filepath.Join(t.TempDir(), name)
		var gossip []string
		var found [][]string
		for _, member := range []string{"s1", "s2"} {
			c, err := New(Options{Name: member, Role: RoleShard, Client: "127.0.0.1:1", Bind: "127.0.0.1:0", Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			defer c.list.Shutdown() //nolint:errcheck // it has run nothing
			if err := c.publish(); err != nil {
				t.Fatal(err)
			}
			gossip, found = append(gossip, c.Self().Gossip), append(found, c.discovered())
		}
		if !slices.Equal(found[1], gossip[:1]) {
			t.Errorf("%s: the second found %q, not the first, %q", name, found[1], gossip[0])
		}
	}
}
