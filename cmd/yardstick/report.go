package main

import (
	"fmt"
	"io"
	"slices"

	"positivity-exchange/cmd/internal/stress"
)

// figure is one thing that is compared.
type figure struct {
	name string
	of   func(*stress.Result) float64
}

func figures() []figure {
	return []figure{
		{"CPU us/delivery", func(r *stress.Result) float64 { return r.CPU }},
		{"writes/delivery", func(r *stress.Result) float64 { return r.Writes }},
		{"deliveries/s", func(r *stress.Result) float64 { return r.PerSecond }},
		{"p50 us", func(r *stress.Result) float64 { return float64(r.Latency.P50) }},
		{"p99 us", func(r *stress.Result) float64 { return float64(r.Latency.P99) }},
		{"KiB/session", func(r *stress.Result) float64 { return r.PerHead / 1024 }},
		{"router join s", func(r *stress.Result) float64 { return r.JoinOtherCPUSeconds }},
		{"join CPU s", func(r *stress.Result) float64 { return r.JoinCPUSeconds }},
	}
}

// spread is what a ratio was over the turns.
type spread struct {
	Figure string  `json:"figure"`
	Over   string  `json:"over"` // the target that px is divided by
	Min    float64 `json:"min"`
	Median float64 `json:"median"`
	Max    float64 `json:"max"`
}

// report is all runs of one profile.
type report struct {
	Profile string    `json:"profile"`
	Runs    []outcome `json:"runs"`
	Ratios  []spread  `json:"ratios"`
}

// compare divides px's figures by each other target's of the same turn.
func (r *report) compare(targets []target) {
	for _, other := range targets[1:] {
		for _, f := range figures() {
			var ratios []float64
			for turn := 1; ; turn++ {
				ours, theirs := r.find("px", turn), r.find(other.name(), turn)
				if ours == nil || theirs == nil {
					break
				}
				if d := f.of(theirs); d != 0 {
					ratios = append(ratios, f.of(ours)/d)
				}
			}
			if len(ratios) > 0 {
				low, middle, high := spreadOf(ratios)
				r.Ratios = append(r.Ratios, spread{f.name, other.name(), low, middle, high})
			}
		}
	}
}

func spreadOf(list []float64) (low, middle, high float64) {
	slices.Sort(list)
	n := len(list)
	return list[0], (list[(n-1)/2] + list[n/2]) / 2, list[n-1]
}

func (r *report) find(target string, turn int) *stress.Result {
	for i := range r.Runs {
		if r.Runs[i].Target == target && r.Runs[i].Turn == turn {
			return &r.Runs[i].Result
		}
	}
	return nil
}

func (r *report) head(w io.Writer) {
	fmt.Fprintf(w, "\n%s\n%4s %-8s", r.Profile, "turn", "target")
	for _, f := range figures() {
		fmt.Fprintf(w, " %15s", f.name)
	}
	fmt.Fprintf(w, " %7s %7s %9s\n", "cores", "own us", "strangers")
}

func (r *report) row(w io.Writer, i int) {
	run := &r.Runs[i]
	fmt.Fprintf(w, "%4d %-8s", run.Turn, run.Target)
	for _, f := range figures() {
		fmt.Fprintf(w, " %15.4g", f.of(&run.Result))
	}
	fmt.Fprintf(w, " %7.2f %7.3f %9.2f\n", run.Result.CPUCores, run.Result.OwnCPU, run.Result.Strangers)
}

func (r *report) print(w io.Writer) {
	for _, s := range r.Ratios {
		fmt.Fprintf(w, "px / %-8s %-16s median %6.3f   min %6.3f   max %6.3f\n", s.Over, s.Figure, s.Median, s.Min, s.Max)
	}
}
