package stress_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"positivity-exchange/cmd/internal/app"
	"positivity-exchange/cmd/internal/stress"
)

// TestRealCluster puts every profile, smaller, on three real shards.
func TestRealCluster(t *testing.T) {
	up, err := app.NewUp(app.Config{Name: "r1", Data: t.TempDir(), Listen: "127.0.0.1:0", HTTP: "127.0.0.1:0", Gossip: "127.0.0.1:0"}, 3)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- up.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}()
	if err := up.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	px := stress.NewPx([]string{up.Router.Self().Client}, nil)
	for _, p := range stress.Profiles() {
		t.Run(p.Name, func(t *testing.T) {
			p.Sessions = max(p.Sessions/20, 48)
			p.Duration, p.Warmup = 500*time.Millisecond, 50*time.Millisecond
			if p.Ramp > 0 {
				p.Ramp, p.Every = 300*time.Millisecond, 200*time.Millisecond
			}
			r, err := stress.Run(t.Context(), px, p, stress.Options{})
			if err != nil {
				t.Fatalf("%v\n%v", err, r.Faults)
			}
			if p.Name != "idle" && (r.Delivered == 0 || r.Acknowledged != r.Sent) {
				t.Errorf("%+v", r.Tally)
			}
			if want := int64(p.Sessions); r.Arrivals < want && p.Talk == 0 || r.Arrivals == 0 {
				t.Errorf("%d of %d sessions joined", r.Arrivals, want)
			}
		})
	}
}
