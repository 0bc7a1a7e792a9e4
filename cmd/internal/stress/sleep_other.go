//go:build !linux

package stress

import "time"

func sleepUntil(t time.Time) { time.Sleep(time.Until(t)) }
