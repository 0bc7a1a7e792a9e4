package stress

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"time"

	"positivity-exchange/comms"
)

// AppendJoin implements Dialect.
func (p *Px) AppendJoin(dst []byte, r *Room) []byte {
	return comms.AppendCommand(dst, comms.JoinRoom{Room: r.Name})
}

// AppendLeave implements Dialect.
func (p *Px) AppendLeave(dst []byte, r *Room) []byte {
	return comms.AppendCommand(dst, comms.LeaveRoom{Room: r.Name})
}

// AppendPong implements Dialect.
func (p *Px) AppendPong(dst []byte, f *Frame) []byte {
	return comms.AppendCommand(dst, comms.Pong{N: f.N})
}

// AppendSend implements Dialect. Neither room, id nor content need escaping.
func (p *Px) AppendSend(dst []byte, r *Room, id, content []byte) []byte {
	dst = append(dst, `{"_ct":"send_message","r":"`...)
	dst = append(dst, r.Name...)
	dst = append(dst, `","c":"`...)
	dst = append(dst, content...)
	dst = append(dst, `","id":"`...)
	dst = append(dst, id...)
	return append(dst, "\"}\r\n"...)
}

var (
	messageStart  = []byte(`{"_et":"user_message","r":"`)
	presenceStart = []byte(`{"_et":"presence`)
	joinedStart   = []byte(`{"_et":"user_joined_room","r":"`)
	headKey       = []byte(`,"head":`)
)

// Next implements Dialect.
func (p *Px) Next(b []byte, f *Frame) (int, error) {
	end := bytes.IndexByte(b, '\n')
	if end < 0 {
		if len(b) > comms.MaxEventFrame {
			return 0, errors.New("a line without an end")
		}
		return 0, nil
	}
	line := b[:end]
	switch {
	case bytes.HasPrefix(line, messageStart) && fastMessage(line[len(messageStart):], f):
	case bytes.HasPrefix(line, presenceStart):
		f.Kind = Other
	case bytes.HasPrefix(line, joinedStart) && fastJoined(line[len(joinedStart):], f):
	default:
		if err := slowEvent(line, f); err != nil {
			return 0, fmt.Errorf("%q: %w", line[:min(len(line), 200)], err)
		}
	}
	return end + 1, nil
}

// cut returns what stands before the next quote, and what stands behind it and
// then sep.
func cut(b []byte, sep string) (value, rest []byte, ok bool) {
	i := bytes.IndexByte(b, '"')
	if i < 0 || len(b) < i+len(sep) || string(b[i:i+len(sep)]) != sep {
		return nil, nil, false
	}
	return b[:i], b[i+len(sep):], true
}

// fastMessage reads the form in which shards write messages; false: it is
// another one, or has escapes.
func fastMessage(b []byte, f *Frame) bool {
	var ok bool
	if f.Room, b, ok = cut(b, `","u":"`); !ok {
		return false
	}
	if _, b, ok = cut(b, `","c":"`); !ok {
		return false
	}
	if f.Content, b, ok = cut(b, `","id":"`); !ok || bytes.IndexByte(f.Content, '\\') >= 0 {
		return false
	}
	if f.ID, b, ok = cut(b, `","seq":`); !ok {
		return false
	}
	f.Kind = Message
	f.Seq, b, ok = leadingNumber(b)
	return ok && bytes.HasPrefix(b, []byte(`,"epoch":`)) && bytes.HasSuffix(b, []byte("}\r"))
}

func leadingNumber(b []byte) (n uint64, rest []byte, ok bool) {
	i := 0
	for i < len(b) && b[i] >= '0' && b[i] <= '9' && i < 16 {
		n = n*10 + uint64(b[i]-'0')
		i++
	}
	return n, b[i:], i > 0
}

// fastJoined takes the head out of an answer that may list thousands. The key
// cannot stand in a string: its quotes would be escaped there.
func fastJoined(b []byte, f *Frame) bool {
	room, rest, ok := cut(b, `"`)
	i := bytes.LastIndex(rest, headKey)
	if !ok || i < 0 {
		return false
	}
	f.Kind, f.Room = Joined, room
	f.Seq, _, ok = leadingNumber(rest[i+len(headKey):])
	return ok
}

// slowEvent reads every other event.
func slowEvent(line []byte, f *Frame) error {
	event, err := comms.DecodeEvent(line)
	if err != nil {
		return err
	}
	*f = Frame{Kind: Other}
	switch e := event.(type) {
	case comms.UserMessage:
		f.Kind, f.Room, f.ID, f.Content, f.Seq = Message, []byte(e.Room), []byte(e.ID), []byte(e.Content), e.Seq
	case comms.TopicChanged:
		f.Kind, f.Room, f.Seq = Record, []byte(e.Room), e.Seq
	case comms.UserJoinedRoom:
		f.Kind, f.Room, f.Seq = Joined, []byte(e.Room), e.Head
	case comms.RoomLeft:
		f.Kind, f.Room = Left, []byte(e.Room)
	case comms.PingEvent:
		f.Kind, f.N = Ping, e.N
	case comms.Redirect:
		f.Kind, f.Room, f.Addr, f.Retry = Redirected, []byte(e.Room), e.Addr, time.Duration(e.Retry)*time.Millisecond
	case comms.Error:
		f.Kind, f.Room, f.Text, f.Retry = Refused, []byte(e.Room), e.Code+" ("+e.Message+")", time.Duration(e.Retry)*time.Millisecond
	case comms.HistoryCut:
		f.Kind, f.Text = Ended, "the store lost the end of #"+e.Room+" behind "+strconv.FormatUint(e.At, 10)
	case comms.RoomMoved:
		f.Kind, f.Text = Ended, fmt.Sprintf("rooms %v moved to shard %s: keep the members as they are while px stress runs", e.Rooms, e.Shard)
	case comms.Goodbye:
		f.Kind, f.Text = Ended, "goodbye: "+e.Reason
	}
	return nil
}
