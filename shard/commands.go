package shard

import (
	"errors"
	"time"

	"positivity-exchange/comms"
	"positivity-exchange/membership"
	"positivity-exchange/shard/roomlog"
)

// handle does one command of a session that is logged in.
func (s *session) handle(c comms.Command) {
	srv := s.server
	switch c.(type) {
	case comms.SendMessage, comms.SetTopic:
	case comms.LeaveRoom:
		s.lastWords()
	default:
		s.settle() // the others may wait for the log
	}
	switch c.(type) {
	case comms.Yield, comms.Offer, comms.WatchRooms:
		if s.role != comms.AsMember {
			s.reply(comms.Error{Code: comms.CodeNotAllowed, Message: "only members of the cluster may ask this"})
			return
		}
	case comms.Drain:
		if s.role != comms.AsOperator {
			s.reply(comms.Error{Code: comms.CodeNotAllowed, Message: "only operators may drain; use px drain with the cluster's secret"})
			return
		}
	}
	switch c := c.(type) {
	case comms.Hello:
		s.reply(comms.Error{Code: comms.CodeHelloTwice, Message: "you said hello already"})
	case comms.JoinRoom:
		s.join(c)
	case comms.LeaveRoom:
		s.leave(c.Room)
	case comms.SendMessage:
		if c.ID == "" {
			s.refuse(&comms.Error{Code: comms.CodeBadID, Message: "a message to a shard needs an id"}, c.Room, "")
			return
		}
		s.say(roomlog.Record{Room: c.Room, Kind: roomlog.KindMessage, User: s.user, ID: c.ID, Content: c.Content}, c.Again, c.Seen)
	case comms.SetTopic:
		if c.ID == "" {
			s.refuse(&comms.Error{Code: comms.CodeBadID, Message: "a topic needs an id"}, c.Room, "")
			return
		}
		s.say(roomlog.Record{Room: c.Room, Kind: roomlog.KindTopic, User: s.user, ID: c.ID, Content: c.Topic}, c.Again, c.Seen)
	case comms.History:
		s.history(c)
	case comms.CreateRoom:
		s.create(c)
	case comms.ListRooms:
		s.reply(comms.Error{Code: comms.CodeNotAllowed, Message: "a shard knows only its own rooms; ask a router for the list", Tag: c.Tag})
	case comms.Locate:
		s.locate(c.Room)
	case comms.Ping:
		s.reply(comms.PongEvent(c))
	case comms.Pong:
	case comms.Renew:
		ticket, expires := srv.opts.Keys.Issue(comms.AsClient, s.user, time.Now())
		if s.role == comms.AsClient {
			s.reply(comms.Ticket{Ticket: ticket, Expires: expires.UnixMilli()})
		}
	case comms.Status:
		s.reply(srv.Status())
	case comms.Yield:
		// Off the reader: a move takes a while, and other questions wait behind.
		srv.wg.Go(func() {
			s.send(comms.Yielded{Partition: c.Partition, Answer: srv.keeper.Yield(s.ctx, c.Partition, c.Name, c.Boot)})
		})
	case comms.Offer:
		ok := c.Partition >= 0 && c.Partition < membership.Partitions && srv.keeper.Offered(c.Partition, c.Draining)
		s.reply(comms.Offered{Partition: c.Partition, OK: ok})
	case comms.WatchRooms:
		srv.watch(s)
	case comms.Drain:
		s.drain(c)
	}
}

// join takes the session into a room, from now on or from behind After.
func (s *session) join(c comms.JoinRoom) {
	asked := false
	for {
		p, err := s.server.part(s.ctx, c.Room)
		if err != nil {
			s.refuse(err, c.Room, "")
			return
		}
		r, over, err := p.load(s.ctx, c.Room)
		if over {
			if s.ctx.Err() != nil {
				return
			}
			continue
		}
		if err != nil {
			s.refuse(storeError(err, c.Room), c.Room, "")
			return
		}
		if c.After != nil && c.After.Seq > r.head.Seq && (c.After.Epoch == 0 || !asked) {
			p.mu.Unlock()
			if c.After.Epoch == 0 {
				s.refuse(&comms.Error{Code: comms.CodeBadRange, Message: "\"after\" lies beyond the room's newest record; join without it"}, c.Room, "")
				return
			}
			// The client knows more than we do: are we still the owner?
			asked = true
			s.server.keeper.Recheck(p.partition)
			continue
		}
		at, known := r.resumeAt(c.After)
		cut := false
		if !known {
			p.mu.Unlock()
			if at, cut, err = p.lookForResume(s, c); err != nil {
				s.refuse(storeError(err, c.Room), c.Room, "")
				return
			}
			if !p.enter(s.ctx) {
				continue
			}
			if p.rooms[c.Room] != r {
				p.mu.Unlock()
				continue
			}
		}
		s.joinLocked(p, r, c, at, cut)
		p.mu.Unlock()
		return
	}
}

// resumeAt tells where a joining session's stream begins, if it is known without
// reading the log that it has all that the session had seen: after a move the
// whole room comes at once.
func (r *room) resumeAt(seen *comms.Position) (after uint64, known bool) {
	switch {
	case seen == nil:
		return 0, true
	case seen.Seq == 0 || seen.Epoch == 0:
		return seen.Seq, true
	}
	epoch, known := r.epochAt(seen.Seq)
	return seen.Seq, known && epoch == seen.Epoch
}

// lookForResume is resumeAt from the log, and tells whether that lost what the
// session had seen. No lock is held meanwhile.
func (p *part) lookForResume(s *session, c comms.JoinRoom) (after uint64, cut bool, err error) {
	log := s.server.opts.Log
	epochAt := func(seq uint64) (uint64, error) {
		records, err := log.Read(s.ctx, p.partition, c.Room, seq, 1, 1)
		if err != nil || len(records) == 0 || records[0].Seq != seq {
			return 0, err
		}
		return records[0].Epoch, nil
	}
	epoch, err := epochAt(c.After.Seq)
	if err != nil || epoch == c.After.Epoch {
		return c.After.Seq, false, err
	}
	// Epochs ascend with the sequence: bisect for the last record that can be
	// older than what the client saw. Records beyond the head count as newer.
	low, high := uint64(0), c.After.Seq // low is shared, high is not
	for high-low > 1 {
		mid := low + (high-low)/2
		epoch, err := epochAt(mid)
		if err != nil {
			return 0, false, err
		}
		if epoch != 0 && epoch <= c.After.Epoch {
			low = mid
		} else {
			high = mid
		}
	}
	return low, true, nil
}

func (s *session) joinLocked(p *part, r *room, c comms.JoinRoom, at uint64, cut bool) {
	if r.members[s] != nil {
		s.refuse(&comms.Error{Code: comms.CodeJoined, Message: "you are in the room already"}, c.Room, "")
		return
	}
	s.mu.Lock()
	full := len(s.joined) >= maxJoined
	if !full {
		s.joined[r.name] = p // whose name is kept in any case
	}
	s.mu.Unlock()
	if full {
		s.refuse(&comms.Error{Code: comms.CodeTooMany, Message: "a session can be in 1000 rooms; leave one first"}, c.Room, "")
		return
	}
	r.add(s)
	reply := comms.UserJoinedRoom{Room: c.Room, Description: r.topic, Head: r.head.Seq, HeadEpoch: r.head.Epoch, Epoch: p.epoch}
	if p.silent && c.After != nil {
		reply.Silent = true
	} else {
		users := r.listing()
		reply.Users, reply.Count = clipUsers(users), len(users)
	}
	events := encode(reply)
	defer encoded.Put(events)
	after := r.head.Seq
	if c.After != nil {
		after = min(at, r.head.Seq)
	}
	if cut {
		*events = comms.AppendEvent(*events, comms.HistoryCut{Room: c.Room, At: after})
	}
	s.out.Attach(r.ring, after, *events)
}

func (s *session) leave(name string) {
	p, err := s.server.part(s.ctx, name)
	if err != nil {
		s.refuse(err, name, "")
		return
	}
	r, over, err := p.load(s.ctx, name)
	if over {
		s.refuse(&comms.Error{Code: comms.CodeNotReady, Message: "the room is moving; leave it where it goes", Retry: 50}, name, "")
		return
	}
	if err != nil {
		s.refuse(storeError(err, name), name, "")
		return
	}
	defer p.mu.Unlock()
	if r.members[s] == nil {
		if p.kept(name, s.user) && r.users[s.user].sessions == 0 {
			// Moved or broken off, and not back yet: gone for good then.
			p.endGrace(name, s.user)
			r.noteChange(s.user)
			s.reply(comms.RoomLeft{Room: name})
			return
		}
		s.refuse(&comms.Error{Code: comms.CodeNotJoined, Message: "you are not in the room"}, name, "")
		return
	}
	r.remove(s, false)
	s.leftRoom(name, p)
	s.out.Detach(r.ring, comms.AppendEvent(nil, comms.RoomLeft{Room: name}))
}

// leaveAll ends the participation everywhere, when the connection has ended.
func (s *session) leaveAll(brokeOff bool) {
	s.mu.Lock()
	joined := s.joined
	s.joined = map[string]*part{}
	s.mu.Unlock()
	for name, p := range joined {
		p.mu.Lock()
		if r := p.rooms[name]; r != nil && r.members[s] != nil {
			r.remove(s, brokeOff)
		}
		p.mu.Unlock()
	}
}

// locate tells that the room is served here. A log that cannot say whether there is
// such a room is no reason not to: people ask when something is wrong.
func (s *session) locate(name string) {
	p, err := s.server.part(s.ctx, name)
	if err != nil {
		s.refuse(err, name, "")
		return
	}
	p.mu.Lock()
	epoch, open := p.epoch, p.rooms[name] != nil
	p.mu.Unlock()
	if !open {
		if _, _, err := s.server.opts.Log.Head(s.ctx, p.partition, name); errors.Is(err, roomlog.ErrNoRoom) {
			s.refuse(storeError(err, name), name, "")
			return
		}
	}
	s.reply(comms.Located{Room: name, Partition: p.partition, Shard: s.server.opts.Name, Addr: s.server.opts.Gossip.Self().Client, Epoch: epoch})
}

func (s *session) history(c comms.History) {
	refuse := func(err error) {
		e := *comms.AsError(err)
		e.Tag = c.Tag
		s.refuse(&e, c.Room, "")
	}
	p, err := s.server.part(s.ctx, c.Room)
	if err != nil {
		var coded *comms.Error
		if errors.As(err, &coded) {
			refuse(err)
		} else {
			s.refuse(err, c.Room, "")
		}
		return
	}
	log := s.server.opts.Log
	at, _, err := log.Head(s.ctx, p.partition, c.Room)
	var records []roomlog.Record
	if err == nil && c.Before != 0 {
		records, err = log.ReadBack(s.ctx, p.partition, c.Room, c.Before, c.Limit, comms.MaxEventFrame/4)
	} else if err == nil {
		records, err = log.Read(s.ctx, p.partition, c.Room, max(c.From, 1), c.Limit, comms.MaxEventFrame/4)
	}
	if err != nil {
		refuse(storeError(err, c.Room))
		return
	}
	page := comms.HistoryPage{Room: c.Room, Head: at.Seq, Tag: c.Tag, Records: make([]comms.Record, len(records))}
	p.mu.Lock()
	page.Epoch = p.epoch
	p.mu.Unlock()
	for i, r := range records {
		kind := comms.KindMessage
		if r.Kind == roomlog.KindTopic {
			kind = comms.KindTopic
		}
		page.Records[i] = comms.Record{Kind: kind, Seq: r.Seq, Epoch: r.Epoch, User: r.User, ID: r.ID, Time: r.Time, Content: r.Content}
	}
	if n := len(records); n > 0 {
		page.More = c.Before != 0 && records[0].Seq > 1 || c.Before == 0 && records[n-1].Seq < at.Seq
	}
	s.reply(page)
}

func (s *session) create(c comms.CreateRoom) {
	for {
		p, err := s.server.part(s.ctx, c.Room)
		if err != nil {
			s.refuse(err, c.Room, "")
			return
		}
		if !p.enter(s.ctx) {
			if s.ctx.Err() != nil {
				return
			}
			continue
		}
		epoch := p.epoch
		p.mu.Unlock()
		err = s.server.opts.Log.Append(s.ctx, p.partition, epoch, []roomlog.Record{{Room: c.Room, Kind: roomlog.KindCreated, User: s.user, Content: c.Description, Time: time.Now().UnixMilli()}})
		if err != nil {
			s.server.keeper.Refused(err)
			if errors.Is(err, roomlog.ErrFenced) {
				p.deposed(epoch, 1)
			}
			s.refuse(storeError(err, c.Room), c.Room, "")
			return
		}
		s.server.roomsChanged(p.partition)
		s.reply(comms.RoomCreated{Room: c.Room, Description: c.Description, Epoch: epoch})
		return
	}
}
