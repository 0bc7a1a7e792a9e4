package stress

import (
	"slices"
	"time"
)

// Usage is what processes have used since their start.
type Usage struct {
	CPU    time.Duration `json:"cpu"`
	Memory int64         `json:"memory"` // bytes resident
}

func (u Usage) minus(before Usage) Usage {
	return Usage{u.CPU - before.CPU, u.Memory - before.Memory}
}

// UsageOf adds up what the processes have used. It fails where the system does
// not tell.
func UsageOf(pids []int) (sum Usage, err error) {
	for _, pid := range pids {
		u, err := usageOf(pid)
		if err != nil {
			return sum, err
		}
		sum.CPU += u.CPU
		sum.Memory += u.Memory
	}
	return sum, nil
}

// Listeners are the processes of this machine that listen at any of addrs. It
// is empty where one of them is not found: a part of the cost is no cost.
func Listeners(addrs []string) []int {
	var pids []int
	for _, addr := range addrs {
		pid, err := Listener(addr)
		if err != nil {
			return nil
		}
		if !slices.Contains(pids, pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}
