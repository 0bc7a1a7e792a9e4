package state

import (
	"errors"
	"fmt"

	"positivity-exchange/client"
	"positivity-exchange/comms"
)

// linked takes over how the room is served now. While it is served nowhere the
// time that it has been so goes on, whatever more is heard.
func (r *Room) linked(e client.RoomLink, s State) {
	if e.State != client.LinkReconnecting || r.Link.State != e.State {
		r.LinkSince = s.Now
	}
	r.Link = e
}

// linkText says for how many seconds nobody has served the room to us and why, as
// far as that tells more than that we look for it; short is less of it.
func (r *Room) linkText(seconds int) (text, short string) {
	var refused *client.RefusedError
	if errors.As(r.Link.Err, &refused) && refused.Code == comms.CodeNoShard {
		return fmt.Sprintf("no shard serves just now (%d s)", seconds), fmt.Sprintf("no shard (%d s)", seconds)
	}
	what := "reconnecting"
	if !r.Joined {
		what = "connecting"
	}
	short = fmt.Sprintf("%s (%d s)", what, seconds)
	if r.Link.Shard != "" {
		return fmt.Sprintf("%s to %s (%d s)", what, r.Link.Shard, seconds), short
	}
	return short, short
}
