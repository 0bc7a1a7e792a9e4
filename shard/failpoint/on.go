//go:build failpoint && linux

package failpoint

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

type point struct {
	signal syscall.Signal // 0: a delay, or
	fail   bool           // a failure
	delay  [2]time.Duration
	count  int    // the passage that it fires at
	left   int    // passages until it fires; 0 once it has
	file   string // counts only while this exists; taken away when it fires, and armed again when it is back
}

var armed = sync.OnceValue(func() map[string][]*point {
	points, err := parse(os.Getenv("PX_FAILPOINTS"))
	if err != nil {
		panic(err) // a test that asks for nonsense must not pass
	}
	return points
})

var mu sync.Mutex // guards the points of armed

// Hit fires the place if it is armed and due.
func Hit(name string) {
	for _, p := range armed()[name] {
		p.hit(name)
	}
}

// Fails tells whether what stands at the place is to fail now.
func Fails(name string) bool {
	for _, p := range armed()[name] {
		if p.fail && p.there() {
			fmt.Fprintf(os.Stderr, "failpoint %s: fail\n", name)
			return true
		}
	}
	return false
}

func (p *point) hit(name string) {
	if p.fail {
		return // only Fails asks for it
	}
	if p.signal == 0 {
		if p.there() {
			time.Sleep(p.delay[0] + rand.N(p.delay[1]-p.delay[0]+1))
		}
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
	if !p.there() {
		return false
	}
	if p.left--; p.left > 0 {
		return false
	}
	if p.file != "" && os.Remove(p.file) == nil {
		p.left = p.count
	}
	return true
}

// there tells whether passages count.
func (p *point) there() bool {
	if p.file == "" {
		return true
	}
	_, err := os.Stat(p.file)
	return err == nil
}

// parseDelay reads "50ms" or "50ms-500ms".
func parseDelay(text string) (d [2]time.Duration, err error) {
	low, high, ranged := strings.Cut(text, "-")
	if !ranged {
		high = low
	}
	for i, s := range []string{low, high} {
		if d[i], err = time.ParseDuration(s); err != nil {
			return d, err
		}
	}
	if d[0] < 0 || d[1] < d[0] {
		return d, fmt.Errorf("%s is no delay", text)
	}
	return d, nil
}

func parse(text string) (map[string][]*point, error) {
	points := map[string][]*point{}
	for item := range strings.SplitSeq(text, ";") {
		if item == "" {
			continue
		}
		name, rest, ok := strings.Cut(item, "=")
		rest, file, _ := strings.Cut(rest, "@")
		action, count, counted := strings.Cut(rest, "*")
		p := &point{count: 1, left: 1, file: file}
		if counted {
			n, err := strconv.Atoi(count)
			if err != nil || n < 1 {
				return nil, fmt.Errorf("failpoint %q: the passage must be 1 or more", item)
			}
			p.count, p.left = n, n
		}
		action, length, _ := strings.Cut(action, ":")
		switch action {
		case "delay":
			var err error
			if p.delay, err = parseDelay(length); err != nil || counted {
				return nil, fmt.Errorf("failpoint %q: want name=delay:50ms or name=delay:50ms-500ms, each time", item)
			}
		case "fail":
			if p.fail = true; counted {
				return nil, fmt.Errorf("failpoint %q: a place fails each time", item)
			}
		case "stop":
			p.signal = syscall.SIGSTOP
		case "kill":
			p.signal = syscall.SIGKILL
		default:
			ok = false
		}
		if !ok || name == "" {
			return nil, fmt.Errorf("failpoint %q: want name=stop, name=kill, name=fail or name=delay:50ms", item)
		}
		points[name] = append(points[name], p)
	}
	return points, nil
}
