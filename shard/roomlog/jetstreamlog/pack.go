package jetstreamlog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/nats-io/nats.go"

	"positivity-exchange/shard/roomlog"
)

// The records that one append has for one room are one message: a commit of a
// busy room is then a plain publish and no batch, which costs JetStream several
// times as much (alone, a staging area that is synced).

// Bounds of one message; escaped, its bytes may double, and NATS takes 1 MiB.
const (
	packRecords = 256
	packBytes   = 256 << 10
)

// body is a record's line of a message's data; room, sequence and epoch are in
// the subject and the headers.
type body struct {
	Kind    roomlog.Kind `json:"kind"`
	User    string       `json:"user"`
	ID      string       `json:"id"`
	Time    int64        `json:"time"`
	Content string       `json:"content"`
}

// packs deals records out to messages, by room, in order.
func packs(records []roomlog.Record) (all [][]*roomlog.Record) {
	open := map[string]int{} // room -> its newest pack
	size := map[string]int{}
	for i := range records {
		r := &records[i]
		n := len(r.Content) + len(r.User) + len(r.ID)
		at, there := open[r.Room]
		if !there || len(all[at]) == packRecords || size[r.Room]+n > packBytes {
			at = len(all)
			all, open[r.Room], size[r.Room] = append(all, nil), at, 0
		}
		all[at] = append(all[at], r)
		size[r.Room] += n
	}
	return all
}

// encode makes one message of records of one room that follow each other.
func encode(p *part, epoch uint64, records []*roomlog.Record) (*nats.Msg, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	for _, r := range records {
		if !utf8.ValidString(r.User) || !utf8.ValidString(r.ID) || !utf8.ValidString(r.Content) {
			return nil, fmt.Errorf("%w: a record of %s is not UTF-8", roomlog.ErrRefused, r.Room)
		}
		if err := e.Encode(body{r.Kind, r.User, r.ID, r.Time, r.Content}); err != nil {
			return nil, err
		}
	}
	first, last := records[0], records[len(records)-1]
	m := nats.NewMsg(roomSubject(p, first.Room))
	m.Data = bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	m.Header.Set(headerFirst, strconv.FormatUint(first.Seq, 10))
	m.Header.Set(headerLast, strconv.FormatUint(last.Seq, 10))
	m.Header.Set(headerEpoch, strconv.FormatUint(epoch, 10))
	return m, nil
}

// span is what a message's headers say of its records.
type span struct{ first, last, epoch uint64 }

func decodeSpan(m message) (s span, err error) {
	for header, into := range map[string]*uint64{headerFirst: &s.first, headerLast: &s.last, headerEpoch: &s.epoch} {
		if *into, err = strconv.ParseUint(m.header.Get(header), 10, 64); err != nil {
			return s, damaged(m, err)
		}
	}
	return s, nil
}

func damaged(m message, err error) error {
	return fmt.Errorf("%w: %s at %d is damaged: %w", roomlog.ErrRefused, m.subject, m.at, err)
}

// decode returns a message's records, at least one.
func decode(room string, m message) ([]roomlog.Record, error) {
	s, err := decodeSpan(m)
	if err != nil {
		return nil, err
	}
	var records []roomlog.Record
	for line := range bytes.SplitSeq(m.data, []byte("\n")) {
		var b body
		if err := json.Unmarshal(line, &b); err != nil {
			return nil, damaged(m, err)
		}
		records = append(records, roomlog.Record{
			Room: room, Seq: s.first + uint64(len(records)), Epoch: s.epoch, Kind: b.Kind, User: b.User, ID: b.ID, Time: b.Time, Content: b.Content,
		})
	}
	if newest := records[len(records)-1].Seq; newest != s.last {
		return nil, damaged(m, fmt.Errorf("it ends at %d, not %d", newest, s.last))
	}
	return records, nil
}

// decodePosition is that of a message's last record.
func decodePosition(m message) (roomlog.Position, error) {
	s, err := decodeSpan(m)
	return roomlog.Position{Seq: s.last, Epoch: s.epoch}, err
}
