package stress

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// All as Profile.Senders means that every session speaks.
const All = -1

// Profile is a workload. Its kinds differ only in their figures: closed loop
// where Window is set, open loop where Rate or Every is, silent where nothing is.
type Profile struct {
	Name     string        `json:"name"`
	Prefix   string        `json:"prefix"` // of the rooms' names; "stress" where empty
	Rooms    int           `json:"rooms"`
	Sessions int           `json:"sessions"` // in all; session i joins Joins rooms from room i on
	Joins    int           `json:"joins"`    // rooms a session is in
	Senders  int           `json:"senders"`  // in a room; All: everybody
	Window   int           `json:"window"`   // closed loop: messages a sender has unacknowledged in a room
	Rate     float64       `json:"rate"`     // open loop: messages a second in all, evenly
	Every    time.Duration `json:"every"`    // open loop: each session speaks once in this time, in its rooms in turn
	Size     int           `json:"size"`     // bytes of content
	Messages int           `json:"messages"` // stop sending after so many; 0: no bound
	Warmup   time.Duration `json:"warmup"`   // traffic before measuring begins
	Duration time.Duration `json:"duration"` // measured
	Ramp     time.Duration `json:"ramp"`     // the sessions come evenly over this time, speaking from the start; 0: all before the first word
	Talk     int           `json:"talk"`     // churn: messages said in each room before a session leaves and another comes; 0: sessions stay
}

// Profiles are the workloads known by name, in the order of the documentation.
func Profiles() []Profile {
	closed := Profile{Joins: 1, Size: 21, Warmup: time.Second, Duration: 10 * time.Second}
	fanout, rooms, small := closed, closed, closed
	fanout.Name, fanout.Rooms, fanout.Sessions, fanout.Senders, fanout.Window = "fanout", 1, 1000, 4, 8
	rooms.Name, rooms.Rooms, rooms.Sessions, rooms.Senders, rooms.Window = "rooms", 24, 2400, 4, 4
	small.Name, small.Rooms, small.Sessions, small.Senders, small.Window = "small", 24, 120, All, 1
	latency := closed
	latency.Name, latency.Rooms, latency.Sessions, latency.Senders, latency.Rate = "latency", 1, 100, 4, 200
	idle := closed
	idle.Name, idle.Rooms, idle.Sessions, idle.Joins, idle.Warmup = "idle", 24, 2000, 5, 3*time.Second
	churn := closed
	churn.Name, churn.Rooms, churn.Sessions, churn.Joins, churn.Senders, churn.Window, churn.Talk = "churn", 24, 100, 5, All, 1, 4
	ancestor := closed
	ancestor.Name, ancestor.Rooms, ancestor.Sessions, ancestor.Joins, ancestor.Senders = "ancestor", 24, 2400, 5, All
	ancestor.Every, ancestor.Ramp, ancestor.Warmup = 10*time.Second, 3*time.Minute, 0
	ancestor.Duration = ancestor.Ramp
	return []Profile{fanout, rooms, small, latency, idle, churn, ancestor}
}

// Named is the profile of that name.
func Named(name string) (Profile, error) {
	list := Profiles()
	i := slices.IndexFunc(list, func(p Profile) bool { return p.Name == name })
	if i < 0 {
		names := make([]string, len(list))
		for i, p := range list {
			names[i] = p.Name
		}
		return Profile{}, fmt.Errorf("there is no profile %q; there are %v", name, names)
	}
	return list[i], nil
}

// Words is the profile in a line.
func (p Profile) Words() string {
	who := fmt.Sprintf("%d of each speak", p.Senders)
	if p.Senders == All {
		who = "all speak"
	}
	how := ""
	switch {
	case p.silent():
		who = "nobody speaks"
	case p.Window > 0:
		how = fmt.Sprintf(", %d messages unacknowledged each", p.Window)
	case p.Rate > 0:
		how = fmt.Sprintf(", %g messages a second in all", p.Rate)
	case p.Every > 0:
		how = fmt.Sprintf(", each every %s", p.Every)
	}
	if p.Ramp > 0 {
		how += fmt.Sprintf("; they come over %s", p.Ramp)
	}
	if p.Talk > 0 {
		how += fmt.Sprintf("; they leave after %d in each room and others come", p.Talk)
	}
	return fmt.Sprintf("%d sessions in %d of %d rooms each; %s%s", p.Sessions, p.Joins, p.Rooms, who, how)
}

// paced tells whether the clock says when somebody speaks.
func (p Profile) paced() bool { return p.Rate > 0 || p.Every > 0 }

// silent tells whether nobody speaks.
func (p Profile) silent() bool {
	return p.Senders == 0 || p.Window == 0 && !p.paced()
}

// Check names what does not fit together.
func (p Profile) Check() error {
	switch {
	case p.Rooms < 1 || p.Sessions < 1:
		return errors.New("at least one room and one session are needed")
	case p.Joins < 1 || p.Joins > p.Rooms:
		return fmt.Errorf("a session cannot join %d of %d rooms", p.Joins, p.Rooms)
	case p.Size < headSize || p.Size > maxSize:
		return fmt.Errorf("a message of %d bytes: use %d to %d (it carries its sender and number)", p.Size, headSize, maxSize)
	case p.Window < 0 || p.Rate < 0 || p.Every < 0 || p.Messages < 0 || p.Warmup < 0 || p.Ramp < 0 || p.Talk < 0:
		return errors.New("a figure is below zero")
	case p.Duration <= 0:
		return errors.New("the duration must be over zero")
	case p.Window > 0 && (p.Rate > 0 || p.Every > 0) || p.Rate > 0 && p.Every > 0:
		return errors.New("window (closed loop), rate and every (open loop) exclude each other")
	case p.Rate > 0 && p.Ramp > 0:
		return errors.New("a rate in all needs all sessions from the start: no ramp")
	case p.Ramp > p.Duration:
		return errors.New("the sessions must have come (ramp) within the duration")
	case p.Talk > 0 && p.Ramp > 0:
		return errors.New("sessions that come and go do so from the start: no ramp")
	case p.Talk > 0 && p.Window != 1:
		return errors.New("sessions that come and go speak with a window of 1")
	}
	return nil
}
