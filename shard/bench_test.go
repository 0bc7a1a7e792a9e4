package shard

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"positivity-exchange/comms"
)

// BenchmarkRoom measures a message's whole way, real TCP and a real store: one
// sender with a window of unacknowledged messages, so many readers beside it.
func BenchmarkRoom(b *testing.B) {
	for _, readers := range []int{0, 4, 99, 999} {
		b.Run(fmt.Sprint(readers+1), func(b *testing.B) {
			addr, _ := serve(b)
			for i := range readers {
				nc, _ := enterRoom(b, addr, fmt.Sprint("reader", i))
				go io.Copy(io.Discard, nc) //nolint:errcheck // ends with the connection
			}
			nc, in := enterRoom(b, addr, "sender")
			const window = 8
			acked := make(chan struct{}, window)
			go func() {
				for {
					line, err := in.ReadSlice('\n')
					if err != nil {
						return
					}
					if bytes.Contains(line, []byte(`"_et":"user_message"`)) {
						acked <- struct{}{}
					}
				}
			}()
			out := make([]byte, 0, 256)
			content := strings.Repeat("x", 21)
			under, n := 0, 0
			b.ReportAllocs()
			for b.Loop() {
				if under == window {
					<-acked
					under--
				}
				n++
				out = comms.AppendCommand(out[:0], comms.SendMessage{Room: "tea", Content: content, ID: fmt.Sprint("m-", n)})
				if _, err := nc.Write(out); err != nil {
					b.Fatal(err)
				}
				under++
			}
			for ; under > 0; under-- {
				<-acked
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(readers+1), "ns/delivery")
		})
	}
}

// enterRoom logs in and joins, and returns once the reply has come.
func enterRoom(b *testing.B, addr, user string) (net.Conn, *bufio.Reader) {
	b.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { nc.Close() })
	ticket, _ := keys.Issue(comms.AsClient, user, time.Now())
	line := comms.AppendCommand(nil, comms.Hello{Version: comms.Version, User: user, Ticket: ticket})
	if _, err := nc.Write(comms.AppendCommand(line, comms.JoinRoom{Room: "tea"})); err != nil {
		b.Fatal(err)
	}
	in := bufio.NewReaderSize(nc, 64<<10)
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			b.Fatal(err)
		}
		if bytes.Contains(line, []byte(`"_et":"user_joined_room"`)) {
			return nc, in
		}
	}
}
