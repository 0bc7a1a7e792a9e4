package faulttest

import (
	"errors"
	"fmt"
	"os/exec"
	"sync"

	"positivity-exchange/cmd/internal/faulttest/disk"
	"positivity-exchange/cmd/internal/faulttest/netns"
)

// Site is ground of a cluster's own: every process on a machine of a network
// that can be cut, and the data on a disk that can be full or stand still. It
// needs root; the cluster that is given one closes it.
type Site struct {
	Net  *netns.Network
	Disk *disk.Disk // nil: the data is where other tests' is

	mu       sync.Mutex
	machines map[string]*netns.Machine
	starts   map[string]int // of processes on each
}

// Processes on a Site gossip at one of these ports of their machine, each at
// the next: the one before it may still stand there, or live.
const (
	gossipPort  = 7946
	gossipPorts = 16
)

func allGossipPorts() (ports []int) {
	for i := range gossipPorts {
		ports = append(ports, gossipPort+i)
	}
	return ports
}

// NewSite makes one without machines and, yet, without a disk. The error wraps
// netns.ErrUnavailable where there can be none.
func NewSite() (*Site, error) {
	n, err := netns.New()
	if err != nil {
		return nil, err
	}
	return &Site{Net: n, machines: map[string]*netns.Machine{}, starts: map[string]int{}}, nil
}

// mount puts a disk below the data directory, if one can be had here.
func (s *Site) mount(dir string, size int64) error {
	if size == 0 {
		return nil
	}
	d, err := disk.New(dir, size, disk.Freezable)
	if errors.Is(err, disk.ErrUnavailable) {
		return nil // what needs it says so
	}
	s.Disk = d
	return err
}

// Machine is the machine of a process's name; a process that comes back comes
// back there.
func (s *Site) Machine(name string) (*netns.Machine, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.machines[name]; m != nil {
		return m, nil
	}
	m, err := s.Net.Machine(name)
	if err == nil {
		s.machines[name] = m
	}
	return m, err
}

func (s *Site) place(name string) Place {
	m, err := s.Machine(name)
	if err != nil {
		return Place{Start: func(*exec.Cmd) error { return err }}
	}
	s.mu.Lock()
	port := gossipPort + s.starts[name]%gossipPorts
	s.starts[name]++
	s.mu.Unlock()
	return Place{Host: m.Addr(), Start: m.Start, Args: []string{"--gossip", fmt.Sprintf("%s:%d", m.Addr(), port)}}
}

// addrs are the addresses of processes.
func (s *Site) addrs(processes ...*Process) (list []string) {
	for _, p := range processes {
		if m, err := s.Machine(p.Name); err == nil {
			list = append(list, m.Addr())
		}
	}
	return list
}

// Close removes it all; the processes must have ended.
func (s *Site) Close() error {
	err := s.Net.Close()
	if s.Disk != nil {
		err = errors.Join(err, s.Disk.Close())
	}
	return err
}
