package router

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"positivity-exchange/comms"
	"positivity-exchange/membership"
)

// namedMissing is how many partitions are named of those that are missing.
const namedMissing = 8

// noteFailed follows a report: one partition that is damaged is no reason to
// keep people from all the others, but somebody must be told. The caller holds mu.
func (r *Router) noteFailed(p comms.RoomReport) {
	if p.Failed == "" {
		delete(r.failed, p.Partition)
		return
	}
	if r.failed[p.Partition] != p.Failed {
		r.logger.Warn("a partition's rooms cannot be listed", "partition", p.Partition, "err", p.Failed)
	}
	r.failed[p.Partition] = p.Failed
}

// allFailed has a line for every partition whose rooms no shard can tell.
func (r *Router) allFailed() (lines []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range slices.Sorted(maps.Keys(r.failed)) {
		lines = append(lines, fmt.Sprintf("but the rooms of partition %d cannot be listed: %s", p, r.failed[p]))
	}
	return lines
}

// missing names the partitions that no shard has said anything of.
func (r *Router) missing() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var names []string
	n := 0
	for p := range membership.Partitions {
		if _, known := r.lists[p]; known {
			continue
		}
		if n++; n <= namedMissing {
			names = append(names, fmt.Sprint(p))
		}
	}
	text := "those of partition " + strings.Join(names, ", ")
	if n > namedMissing {
		text += fmt.Sprintf(" and %d more", n-namedMissing)
	}
	return text + " are missing"
}
