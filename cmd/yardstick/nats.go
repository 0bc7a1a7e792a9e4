package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"positivity-exchange/cmd/internal/stress"
)

// serveNATS runs a NATS core server, as it comes, until ctx ends, and says
// where it listens.
func serveNATS(ctx context.Context) error {
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true})
	if err != nil {
		return err
	}
	go s.Start()
	defer s.WaitForShutdown()
	defer s.Shutdown()
	if !s.ReadyForConnections(10 * time.Second) {
		return errors.New("the NATS server is not ready")
	}
	fmt.Printf("ready nats client=%s\n", s.Addr())
	<-ctx.Done()
	return nil
}

// nats speaks NATS core's protocol: a room is a subject, and who speaks in it
// has subscribed too, so that its own message coming back acknowledges it.
type nats struct{ addr string }

func (n nats) Numbered() bool                                { return false }
func (n nats) Place(string) string                           { return n.addr }
func (n nats) Prepare(context.Context, []string) error       { return nil }
func (n nats) Login(context.Context, string) (string, error) { return "", nil }

func (n nats) Connect(ctx context.Context, addr, user, _ string) (net.Conn, error) {
	var d net.Dialer
	nc, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		nc.SetDeadline(deadline) //nolint:errcheck // the read below tells
	}
	fmt.Fprintf(nc, `CONNECT {"verbose":false,"pedantic":false,"lang":"go","version":"1","protocol":1,"name":%q}`+"\r\nPING\r\n", user)
	lines := bufio.NewScanner(nc)
	for lines.Scan() {
		if bytes.Equal(lines.Bytes(), []byte("PONG")) {
			return nc, nc.SetDeadline(time.Time{})
		}
	}
	return nil, errors.Join(errors.New("NATS did not answer"), lines.Err(), nc.Close())
}

func (n nats) AppendJoin(dst []byte, r *stress.Room) []byte {
	dst = append(append(dst, "SUB "...), r.Name...)
	dst = strconv.AppendInt(append(dst, ' '), int64(r.Index), 10)
	return append(dst, "\r\nPING\r\n"...)
}

func (n nats) AppendLeave(dst []byte, r *stress.Room) []byte {
	dst = strconv.AppendInt(append(dst, "UNSUB "...), int64(r.Index), 10)
	return append(dst, "\r\nPING\r\n"...)
}

func (n nats) AppendSend(dst []byte, r *stress.Room, _, content []byte) []byte {
	dst = append(append(dst, "PUB "...), r.Name...)
	dst = strconv.AppendInt(append(dst, ' '), int64(len(content)), 10)
	dst = append(append(dst, "\r\n"...), content...)
	return append(dst, "\r\n"...)
}

func (n nats) AppendPong(dst []byte, _ *stress.Frame) []byte { return append(dst, "PONG\r\n"...) }

var errNATS = errors.New("not the NATS protocol")

func (n nats) Next(b []byte, f *stress.Frame) (int, error) {
	end := bytes.IndexByte(b, '\n')
	if end < 1 {
		return 0, nil
	}
	line := b[:end-1]
	switch {
	case bytes.HasPrefix(line, []byte("MSG ")):
		// MSG subject sid [reply] size
		line = line[4:]
		subject := bytes.IndexByte(line, ' ')
		last := bytes.LastIndexByte(line, ' ')
		if subject < 0 || last <= subject {
			return 0, errNATS
		}
		size := 0
		for _, c := range line[last+1:] {
			if c < '0' || c > '9' {
				return 0, errNATS
			}
			size = size*10 + int(c-'0')
		}
		from := end + 1
		if len(b) < from+size+2 {
			return 0, nil
		}
		f.Kind, f.Room, f.Content = stress.Message, line[:subject], b[from:from+size]
		return from + size + 2, nil
	case bytes.Equal(line, []byte("PONG")):
		f.Kind, f.Room, f.Seq = stress.Joined, nil, 0
	case bytes.Equal(line, []byte("PING")):
		f.Kind = stress.Ping
	case bytes.HasPrefix(line, []byte("-ERR")):
		f.Kind, f.Text = stress.Ended, string(line)
	default:
		f.Kind = stress.Other
	}
	return end + 1, nil
}
