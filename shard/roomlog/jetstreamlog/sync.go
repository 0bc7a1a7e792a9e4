package jetstreamlog

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"positivity-exchange/shard/roomlog"
)

// checkSync demands for "full" what a client cannot see over its connection:
// that each server syncs every write.
func checkSync(opts Options) error {
	if opts.Sync != roomlog.SyncFull {
		opts.Logger.Info("JetStream syncs to the disk every 2 minutes unless the servers say sync_interval: always; a power cut of most of them at once can lose the last of what was acknowledged (--sync full demands it)")
		return nil
	}
	if len(opts.Monitor) == 0 {
		return errors.New("--sync full: set sync_interval: always in each NATS server's jetstream block, and name their monitoring addresses with --nats-monitor http://HOST:8222 so that px can see it")
	}
	client := http.Client{Timeout: 3 * time.Second}
	defer client.CloseIdleConnections()
	for _, base := range opts.Monitor {
		var varz struct {
			Name      string `json:"server_name"`
			JetStream struct {
				Config struct {
					SyncAlways bool `json:"sync_always"`
				} `json:"config"`
			} `json:"jetstream"`
		}
		resp, err := client.Get(strings.TrimSuffix(base, "/") + "/varz")
		if err != nil {
			return fmt.Errorf("--nats-monitor: %w", err)
		}
		err = json.NewDecoder(resp.Body).Decode(&varz)
		resp.Body.Close() //nolint:errcheck // read
		if err != nil {
			return fmt.Errorf("--nats-monitor %s: %w", base, err)
		}
		if !varz.JetStream.Config.SyncAlways {
			return fmt.Errorf("--sync full: NATS server %s at %s does not sync every write: set sync_interval: always in its jetstream block", varz.Name, base)
		}
	}
	return nil
}
