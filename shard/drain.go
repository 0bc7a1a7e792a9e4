package shard

import "positivity-exchange/comms"

// drain gives everything up for an operator, who hears how it goes.
func (s *session) drain(c comms.Drain) {
	srv := s.server
	if c.Name != srv.opts.Name {
		s.reply(comms.Error{Code: comms.CodeNoSuchMember, Message: "this is shard " + srv.opts.Name + ", not " + c.Name})
		return
	}
	srv.wg.Go(func() {
		err := srv.Drain(srv.ctx, func(held int) {
			s.send(comms.DrainProgress{Name: c.Name, Held: held, Sessions: srv.Status().Members[0].Sessions})
		})
		switch {
		case srv.ctx.Err() != nil:
			return
		case err != nil:
			srv.logger.Warn("drain", "err", err)
			s.send(comms.Error{Code: comms.CodeStorage, Message: c.Name + " leaves without having given everything up (" + err.Error() + "): others take that once they read in the room log that it is gone; px where ROOM shows when"})
		default:
			s.send(comms.DrainProgress{Name: c.Name, Left: true})
		}
		if srv.opts.OnDrained != nil {
			srv.opts.OnDrained()
		}
	})
}
