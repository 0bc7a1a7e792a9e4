package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"positivity-exchange/cmd/internal/stress"
)

// between measures what shards say to each other by TCP, with chat and without
// for the same time. Gossip's datagrams, which know nothing of chat, are left out.
func between(b *bench, f *findings) error {
	r, err := b.target(b.Int("shards"), "").start(b.Context.Context)
	if err != nil {
		return err
	}
	defer r.stop()
	measure := func(p stress.Profile) (bytes int64, messages int64, err error) {
		before, err := bytesBetween(r.pids)
		if err != nil {
			return 0, 0, err
		}
		result, err := b.load(r, p)
		if err != nil {
			return 0, 0, err
		}
		after, err := bytesBetween(r.pids)
		if err == nil {
			f.add("bytes on those connections so far", float64(after))
		}
		return after - before, result.Sent, err
	}
	silent := named("rooms", b.Duration("duration"))
	silent.Window = 0
	loud := silent
	loud.Rate = b.Float64("rate")
	// Once for the rooms to be opened and the partitions to be acquired.
	if _, _, err := measure(silent); err != nil {
		return err
	}
	without, _, err := measure(silent)
	if err != nil {
		return err
	}
	with, messages, err := measure(loud)
	if err != nil {
		return err
	}
	f.add("bytes between shards, without chat", float64(without))
	f.add("bytes between shards, with chat", float64(with))
	f.add("messages", float64(messages))
	f.add("bytes between shards a message", float64(with-without)/float64(messages))
	return nil
}

var (
	pidOf      = regexp.MustCompile(`pid=(\d+)`)
	receivedOf = regexp.MustCompile(`bytes_received:(\d+)`)
)

// bytesBetween adds up what connections between the processes have carried,
// both ways, as ss tells.
func bytesBetween(pids []int) (int64, error) {
	out, err := exec.Command("ss", "-HtinpO", "state", "established").Output()
	if err != nil {
		return 0, fmt.Errorf("ss (of iproute2): %w", err)
	}
	type end struct {
		peer     string
		pid      int
		received int64
	}
	ends := map[string]end{}
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		pid := pidOf.FindStringSubmatch(lines.Text())
		if len(fields) < 4 || pid == nil {
			continue
		}
		e := end{peer: fields[3]}
		e.pid, _ = strconv.Atoi(pid[1])
		if n := receivedOf.FindStringSubmatch(lines.Text()); n != nil {
			e.received, _ = strconv.ParseInt(n[1], 10, 64)
		}
		if slices.Contains(pids, e.pid) {
			ends[fields[2]] = e
		}
	}
	var sum int64
	for _, e := range ends {
		if other, ours := ends[e.peer]; ours && other.pid != e.pid {
			sum += e.received
		}
	}
	if err := lines.Err(); err != nil {
		return 0, err
	}
	if sum == 0 {
		// They greeted each other at least: ss did not tell, or its words have changed.
		return 0, errors.New("ss shows no bytes on any connection between the shards")
	}
	return sum, nil
}
