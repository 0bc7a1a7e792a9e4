package stress

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Latency is quantiles of a time in microseconds. A message's is from when it
// was to be sent until each of its deliveries.
type Latency struct {
	P50  int64 `json:"p50"`
	P99  int64 `json:"p99"`
	P999 int64 `json:"p999"`
	Max  int64 `json:"max"`
}

// Result is what a run found. Costs are zero where no process was named.
type Result struct {
	Target  string  `json:"target,omitempty"`
	Profile Profile `json:"profile"`
	Pids    []int   `json:"pids,omitempty"`
	Tally
	Faults  []string `json:"faults,omitempty"` // the first wrong answers, in words
	Latency Latency  `json:"latency_us"`

	Arrivals int64   `json:"arrivals"`   // sessions that logged in and joined all their rooms
	Arrival  Latency `json:"arrival_us"` // how long that took each

	Seconds   float64 `json:"seconds"`               // measured
	Measured  int64   `json:"measured"`              // deliveries in that time
	PerSecond float64 `json:"deliveries_a_second"`   // in that time
	CPU       float64 `json:"cpu_us_a_delivery"`     // of the server
	CPUCores  float64 `json:"cpu_cores"`             // of the server: seconds a second
	Writes    float64 `json:"writes_a_delivery"`     // of the server to sockets, by what arrived here; 0: not known
	OwnCPU    float64 `json:"own_cpu_us_a_delivery"` // of the generator
	Strangers float64 `json:"strangers_cores"`       // used on the machine by anybody else meanwhile: figures taken beside much of it are noise
	Memory    int64   `json:"memory"`                // bytes resident in the server at the end
	PerHead   float64 `json:"memory_a_session"`      // of that, over the empty server's

	JoinSeconds    float64 `json:"join_seconds"`     // from the first connection to the last answer
	JoinCPUSeconds float64 `json:"join_cpu_seconds"` // of the server, for all of them
	// JoinOtherCPUSeconds is of the processes beside it: a router's.
	JoinOtherCPUSeconds float64 `json:"join_other_cpu_seconds"`
}

// window takes what was used between two moments.
func (r *Result) window(from, to, empty mark, sessions int) {
	used := to.usage.minus(from.usage)
	r.Seconds = (to.at - from.at).Seconds()
	r.Measured = to.tally.Delivered - from.tally.Delivered
	r.Memory = to.usage.Memory
	r.PerHead = float64(to.usage.Memory-empty.usage.Memory) / float64(sessions)
	r.CPUCores = used.CPU.Seconds() / r.Seconds
	if from.machine > 0 {
		ours := used.CPU + to.others.minus(from.others).CPU + to.generator - from.generator
		r.Strangers = max(0, (to.machine-from.machine-ours).Seconds()/r.Seconds)
	}
	if r.Measured == 0 {
		return
	}
	n := float64(r.Measured)
	r.PerSecond = n / r.Seconds
	r.CPU = float64(used.CPU) / float64(time.Microsecond) / n
	r.Writes = float64(to.segments-from.segments) / n
	r.OwnCPU = float64(to.generator-from.generator) / float64(time.Microsecond) / n
}

func quantiles(h *hdrhistogram.Histogram) Latency {
	return Latency{h.ValueAtQuantile(50), h.ValueAtQuantile(99), h.ValueAtQuantile(99.9), h.Max()}
}

func (l Latency) String() string {
	us := func(n int64) time.Duration { return time.Duration(n) * time.Microsecond }
	return fmt.Sprintf("%s, %s, %s, %s", us(l.P50), us(l.P99), us(l.P999), us(l.Max))
}

// Print writes the result as a table.
func (r *Result) Print(to io.Writer) {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(w, "%s\t%s\n", name, fmt.Sprintf(format, args...)) }
	p := r.Profile
	row("profile", "%s: %s", p.Name, p.Words())
	if r.Sent > 0 {
		r.printTraffic(row)
	}
	if len(r.Pids) == 0 {
		row("server", "not measured: name its process with --pid")
	} else {
		row("CPU while measured", "%.2f cores the server, %.2f cores neither it nor px stress", r.CPUCores, r.Strangers)
		row("server memory", "%.1f MiB, %.1f KiB a session over what it had before", float64(r.Memory)/(1<<20), r.PerHead/1024)
	}
	row("sessions joined", "%d; p50, p99, p99.9, max %s", r.Arrivals, r.Arrival)
	if p.Ramp == 0 && p.Talk == 0 {
		row("joining, all of them", "%.2f s, %.2f s of server CPU", r.JoinSeconds, r.JoinCPUSeconds)
	}
	w.Flush() //nolint:errcheck // to a terminal or a pipe that is gone
	for _, f := range r.Faults {
		fmt.Fprintln(to, "WRONG:", f)
	}
}

func (r *Result) printTraffic(row func(name, format string, args ...any)) {
	row("sent, acknowledged", "%d, %d", r.Sent, r.Acknowledged)
	row("delivered", "%d", r.Delivered)
	row("lost, doubled, out of order, altered", "%d, %d, %d, %d", r.Lost, r.Doubled, r.OutOfOrder, r.Altered)
	row("deliveries a second", "%.0f over %.1f s", r.PerSecond, r.Seconds)
	if r.Measured > 0 {
		row("latency p50, p99, p99.9, max", "%s", r.Latency)
	}
	if len(r.Pids) > 0 {
		row("server CPU a delivery", "%.3f us", r.CPU)
		row("server writes a delivery", "%.4f", r.Writes)
	}
	row("generator CPU a delivery", "%.3f us", r.OwnCPU)
}
