//go:build failpoint && linux

package failpoint

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// Enabled tells whether this binary was built with its failpoints.
const Enabled = true

type point struct {
	signal syscall.Signal
	left   int    // passages until it fires; 0 once it has
	file   string // counts only while this exists
}

var armed = sync.OnceValue(func() map[string]*point {
	points, err := parse(os.Getenv("PX_FAILPOINTS"))
	if err != nil {
		panic(err) // a test that asks for nonsense must not pass
	}
	return points
})

var mu sync.Mutex // guards the points of armed

// Hit fires the place if it is armed and due.
func Hit(name string) {
	p := armed()[name]
	if p == nil {
		return
	}
	mu.Lock()
	due := p.due()
	mu.Unlock()
	if due {
		fmt.Fprintf(os.Stderr, "failpoint %s: %s\n", name, p.signal)
		// To the calling thread: a signal to the process may be taken by another
		// one, and this goroutine would run past its place meanwhile.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		syscall.Tgkill(os.Getpid(), syscall.Gettid(), p.signal) //nolint:errcheck // one's own thread is there
	}
}

func (p *point) due() bool {
	if p.left == 0 {
		return false
	}
	if p.file != "" {
		if _, err := os.Stat(p.file); err != nil {
			return false
		}
	}
	p.left--
	return p.left == 0
}

func parse(text string) (map[string]*point, error) {
	points := map[string]*point{}
	for item := range strings.SplitSeq(text, ";") {
		if item == "" {
			continue
		}
		name, rest, ok := strings.Cut(item, "=")
		rest, file, _ := strings.Cut(rest, "@")
		action, count, counted := strings.Cut(rest, "*")
		p := &point{left: 1, file: file}
		if counted {
			n, err := strconv.Atoi(count)
			if err != nil || n < 1 {
				return nil, fmt.Errorf("failpoint %q: the passage must be 1 or more", item)
			}
			p.left = n
		}
		switch action {
		case "stop":
			p.signal = syscall.SIGSTOP
		case "kill":
			p.signal = syscall.SIGKILL
		default:
			ok = false
		}
		if !ok || name == "" {
			return nil, fmt.Errorf("failpoint %q: want name=stop or name=kill", item)
		}
		points[name] = p
	}
	return points, nil
}
