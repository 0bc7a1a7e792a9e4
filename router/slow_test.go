package router

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"positivity-exchange/comms"
)

// TestStrangerWhoReadsLate asks for every room a thousand times before it
// reads. Meanwhile the router keeps little for it; then it gets every answer.
func TestStrangerWhoReadsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, ours, leave := stranger()
		defer leave()
		const asked = 1000
		r.wg.Go(func() {
			io.WriteString(ours, strings.Repeat(`{"_ct":"list_rooms"}`+"\n", asked)) //nolint:errcheck // the answers tell
		})
		synctest.Wait()
		r.mu.Lock()
		for c := range r.conns {
			if n := c.unwritten.Load(); n < askedBytes || n > askedBytes+2*comms.MaxEventFrame {
				t.Errorf("%d bytes are kept for it", n)
			}
		}
		r.mu.Unlock()
		c := &rawConn{t, ours, bufio.NewReader(ours)}
		for range asked {
			c.hear(`"room_list"`)
		}
	})
}

// TestStrangerWhoNeverReads is let go of.
func TestStrangerWhoNeverReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, ours, leave := stranger()
		defer leave()
		begun := time.Now()
		var err error
		for err == nil {
			_, err = io.WriteString(ours, `{"_ct":"list_rooms"}`+"\n")
		}
		if took := time.Since(begun); took > comms.WriteTimeout {
			t.Errorf("let go of after %s", took)
		}
	})
}

// stranger connects to a router of many rooms; leave ends both.
func stranger() (r *Router, ours net.Conn, leave func()) {
	var rooms []comms.Room
	for i := range 600 {
		rooms = append(rooms, comms.Room{Name: fmt.Sprintf("room-%03d", i), Description: strings.Repeat("x", comms.MaxDescription)})
	}
	r, stop := inBubble(rooms...)
	ours, theirs := net.Pipe()
	r.wg.Go(func() { r.serve(theirs, true) })
	return r, ours, func() {
		ours.Close()
		stop()
	}
}
