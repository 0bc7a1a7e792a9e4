package router

import (
	"bufio"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// TestClientsHearThatTheRouterEnds, so that they need not guess why.
func TestClientsHearThatTheRouterEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, stop := inBubble()
		ours, theirs := net.Pipe()
		defer ours.Close()
		r.wg.Go(func() { r.serve(theirs, true) })
		c := &rawConn{t, ours, bufio.NewReader(ours)}
		c.say(hello)
		c.hear(`"welcome"`)
		deaf, theirs := net.Pipe() // it reads nothing, and holds nothing up
		defer deaf.Close()
		r.wg.Go(func() { r.serve(theirs, true) })
		if _, err := io.WriteString(deaf, hello+"\n"); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		go stop()
		c.hear(`"goodbye"`, `"shutdown"`)
		r.wg.Wait()
		if took := time.Since(begun); took > 2*goodbyeWithin {
			t.Errorf("the router took %s to end", took)
		}
	})
}
