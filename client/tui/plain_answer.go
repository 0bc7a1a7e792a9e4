package tui

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"positivity-exchange/client"
	"positivity-exchange/client/state"
	"positivity-exchange/comms"
)

// plainPage is how many messages or rooms a command shows as lines.
const plainPage = 20

// answer asks the servers, beside the reading of events. A person waits for so
// long; what a script says next may depend on it. last is the newest record of the
// open room.
func (p *plainClient) answer(ctx context.Context, c state.Parsed, open string, last uint64) (got answer) {
	tell := func(format string, args ...any) { got.lines = append(got.lines, fmt.Sprintf("* "+format, args...)) }
	history := func(q comms.History) (comms.HistoryPage, error) { return p.Session.History(ctx, q) }
	if !p.Script {
		history = within(ctx, p.Session.History)
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, answerWithin)
		defer cancel()
	}
	switch c.Command {
	case "create":
		err := p.Session.Create(ctx, c.Room, c.Text)
		var refused *client.RefusedError
		if err != nil {
			tell("%s", why(err))
		}
		if errors.As(err, &refused) && refused.Code == comms.CodeRoomExists {
			err = nil // opened is what it is to be
		}
		got.made = &joinEnd{c.Room, err}
	case "list":
		list, err := p.Session.Rooms(ctx, comms.ListRooms{Prefix: c.Room, Limit: plainPage})
		if err != nil {
			tell("%s", why(err))
		}
		for _, r := range list.Rooms {
			tell("#%s: %s", r.Name, r.Description)
		}
		if list.Next != "" {
			tell("and more: /list PREFIX")
		}
	case "where":
		room := cmp.Or(c.Room, open)
		at, err := p.Session.Where(ctx, room)
		if err != nil {
			tell("%s", why(err))
		} else {
			tell("#%s is served by %s at %s, epoch %d", room, at.Shard, at.Addr, at.Epoch)
		}
	case "goto":
		seq, err := parseSeq(c.Args)
		if day, dayErr := parseDay(c.Args); dayErr == nil {
			seq, err = firstOf(history, open, day.UnixMilli(), last)
		} else if err != nil {
			err = fmt.Errorf("%s, and shows the %d messages from there on", gotoTakes, plainPage)
		}
		if err != nil {
			tell("%s", why(err))
			return got
		}
		page, err := history(comms.History{Room: open, From: max(seq, 1), Limit: plainPage})
		if err != nil {
			tell("%s", why(err))
		}
		for _, rec := range page.Records {
			if rec.Kind == comms.KindMessage {
				got.lines = append(got.lines, signed(fmt.Sprintf("#%s %d ", open, rec.Seq), rec.User, strings.ReplaceAll(rec.Content, "\n", " / ")))
			}
		}
	}
	return got
}
