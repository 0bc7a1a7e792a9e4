package main

import (
	"time"

	"positivity-exchange/cmd/internal/stress"
	"positivity-exchange/comms/tlsconn/testcert"
)

// certified makes a certificate for this machine below dir, once.
func (b *bench) certified() (testcert.Files, error) {
	if b.files != (testcert.Files{}) {
		return b.files, nil
	}
	a, err := testcert.NewAuthority(b.dir)
	if err != nil {
		return b.files, err
	}
	b.files, err = a.Sign(time.Now().Add(24*time.Hour), "127.0.0.1")
	return b.files, err
}

// secure measures the profiles on px under TLS and without, each first in its turn.
func secure(b *bench, f *findings) error {
	files, err := b.certified()
	if err != nil {
		return err
	}
	plain := b.target(b.Int("shards"), "")
	under := plain
	under.label, under.files = "px under TLS", files
	for _, name := range b.StringSlice("profile") {
		p, err := stress.Named(name)
		if err != nil {
			return err
		}
		p.Duration = b.Duration("duration")
		targets := []pxTarget{plain, under}
		if b.turn%2 == 1 {
			targets = []pxTarget{under, plain}
		}
		cost, p50, memory, joining := map[string]float64{}, map[string]float64{}, map[string]float64{}, map[string]float64{}
		for _, t := range targets {
			r, err := b.run(t, p)
			if err != nil {
				return err
			}
			cost[t.label], p50[t.label], memory[t.label], joining[t.label] = r.CPU, float64(r.Latency.P50), r.PerHead/1024, r.JoinCPUSeconds
			f.add(name+": CPU us a delivery, "+t.label, r.CPU)
			if r.Writes > 0 {
				f.add(name+": writes a delivery, "+t.label, r.Writes)
			}
			f.add(name+": deliveries a second, "+t.label, r.PerSecond)
			f.add(name+": p50 us, "+t.label, float64(r.Latency.P50))
			f.add(name+": KiB a session, "+t.label, r.PerHead/1024)
			f.add(name+": CPU s of joining, "+t.label, r.JoinCPUSeconds)
		}
		ratio := func(what string, of map[string]float64) {
			if of[plain.label] > 0 {
				f.add(name+": TLS / plain, "+what, of[under.label]/of[plain.label])
			}
		}
		ratio("CPU", cost)
		ratio("p50", p50)
		ratio("memory", memory)
		ratio("CPU of joining", joining)
	}
	return nil
}
