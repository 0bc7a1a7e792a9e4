package jetstreamlog

import (
	"context"
	"slices"
	"strings"
	"time"

	"positivity-exchange/shard/roomlog"
)

// Rooms lists rooms by name.
func (l *Log) Rooms(ctx context.Context, partition int, after string, limit int) ([]roomlog.RoomInfo, error) {
	p, err := l.part(partition)
	if err != nil {
		return nil, err
	}
	ctx, done, err := l.begin(ctx, readFor)
	if err != nil {
		return nil, err
	}
	defer done()
	names, upTo, err := l.roomNames(ctx, p)
	if err != nil {
		return nil, unreachable(p.stream, err)
	}
	first, found := slices.BinarySearch(names, after)
	if found {
		first++
	}
	names = names[first:]
	names = names[:min(limit, len(names))]
	var rooms []roomlog.RoomInfo
	for chunk := range slices.Chunk(names, pageMessages) {
		described, err := l.describe(ctx, p, chunk, upTo)
		if err != nil {
			return nil, unreachable(p.stream, err)
		}
		rooms = append(rooms, described...)
	}
	return rooms, nil
}

// roomNames lists all rooms of a partition, and how far the stream is.
func (l *Log) roomNames(ctx context.Context, p *part) (names []string, upTo uint64, err error) {
	prefix := strings.TrimSuffix(p.filter, ">")
	for {
		var info streamInfo
		if info, err = l.info(ctx, p.stream, prefix+"*.topic", len(names)); err == nil {
			for subject := range info.State.Subjects {
				names = append(names, strings.TrimSuffix(strings.TrimPrefix(subject, prefix), ".topic"))
			}
			if len(info.State.Subjects) > 0 && len(names) < info.Total {
				continue
			}
			slices.Sort(names)
			return slices.Compact(names), info.State.LastSeq, nil
		}
		if ctx.Err() != nil || pause(ctx, 20*time.Millisecond) != nil {
			return nil, 0, err
		}
	}
}

// describe fetches descriptions from a replica that has got to upTo.
func (l *Log) describe(ctx context.Context, p *part, names []string, upTo uint64) ([]roomlog.RoomInfo, error) {
	subjects := make([]string, len(names))
	for i, name := range names {
		subjects[i] = topicSubject(p, name)
	}
	for {
		found, reached, err := l.replica(ctx, p.stream, request{MultiLast: subjects})
		if err == nil && len(found) == len(names) && reached >= upTo {
			texts := map[string]string{}
			for _, m := range found {
				texts[m.subject] = string(m.data)
			}
			rooms := make([]roomlog.RoomInfo, len(names))
			for i, name := range names {
				rooms[i] = roomlog.RoomInfo{Name: name, Description: texts[subjects[i]]}
			}
			return rooms, nil
		}
		if err == nil {
			err = errLagging
		}
		if ctx.Err() != nil || pause(ctx, 5*time.Millisecond) != nil {
			return nil, err
		}
	}
}
