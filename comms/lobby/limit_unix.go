//go:build unix

package lobby

import "syscall"

// descriptors is how many this process may have open.
func descriptors() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fewDescriptors
	}
	return int(min(uint64(limit.Cur), manyDescriptors)) // "no limit" is a large number
}
