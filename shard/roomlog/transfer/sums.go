package transfer

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"slices"

	"positivity-exchange/shard/roomlog"
)

// sums is the hash of a partition in the making. Records of its rooms may come
// in any order of rooms.
type sums struct {
	order []string
	rooms map[string]*roomSum
	buf   []byte
}

type roomSum struct {
	description string
	records     uint64
	hash        hash.Hash
}

func newSums() *sums { return &sums{rooms: map[string]*roomSum{}} }

// room adds a room; rooms are summed by name, which need not be their order here.
func (s *sums) room(name, description string) {
	s.rooms[name] = &roomSum{description: description, hash: sha256.New()}
	s.order = append(s.order, name)
}

func (s *sums) record(r *roomlog.Record) {
	room := s.rooms[r.Room]
	b := binary.AppendUvarint(s.buf[:0], r.Seq)
	b = binary.AppendUvarint(b, r.Epoch)
	b = binary.AppendUvarint(b, uint64(r.Kind))
	b = appendString(b, r.User)
	b = appendString(b, r.ID)
	b = binary.AppendVarint(b, r.Time)
	b = appendString(b, r.Content)
	room.hash.Write(b) //nolint:errcheck // never fails
	room.records++
	s.buf = b
}

// end closes the sums of a partition.
func (s *sums) end(partition int) endLine {
	slices.Sort(s.order)
	e := endLine{End: partition, Rooms: uint64(len(s.order))}
	h := sha256.New()
	for _, name := range s.order {
		room := s.rooms[name]
		b := appendString(nil, name)
		b = appendString(b, room.description)
		b = binary.AppendUvarint(b, room.records)
		h.Write(room.hash.Sum(b)) //nolint:errcheck // never fails
		e.Records += room.records
	}
	e.Hash = hex.EncodeToString(h.Sum(nil))
	return e
}

func appendString(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// total sums partitions.
type total struct {
	Summary
	hash hash.Hash
}

func newTotal() *total { return &total{hash: sha256.New()} }

func (t *total) add(e endLine) {
	t.Rooms += e.Rooms
	t.Records += e.Records
	sum, _ := hex.DecodeString(e.Hash)                                     //nolint:errcheck // ours, or compared with ours before
	t.hash.Write(append(binary.AppendUvarint(nil, uint64(e.End)), sum...)) //nolint:errcheck // never fails
}

func (t *total) line() totalLine {
	t.Hash = hex.EncodeToString(t.hash.Sum(nil))
	return totalLine{true, t.Rooms, t.Records, t.Hash}
}
