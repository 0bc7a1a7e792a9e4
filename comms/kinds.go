package comms

// commandOf returns a pointer to a zero command of the type named, nil if there is none.
func commandOf(name string) any {
	switch name {
	case "hello":
		return new(Hello)
	case "join_room":
		return new(JoinRoom)
	case "leave_room":
		return new(LeaveRoom)
	case "send_message":
		return new(SendMessage)
	case "set_topic":
		return new(SetTopic)
	case "quit":
		return new(Quit)
	case "history":
		return new(History)
	case "create_room":
		return new(CreateRoom)
	case "list_rooms":
		return new(ListRooms)
	case "locate":
		return new(Locate)
	case "ping":
		return new(Ping)
	case "pong":
		return new(Pong)
	case "renew":
		return new(Renew)
	case "status":
		return new(Status)
	case "drain":
		return new(Drain)
	case "yield":
		return new(Yield)
	case "offer":
		return new(Offer)
	case "watch_rooms":
		return new(WatchRooms)
	}
	return nil
}

// eventOf is commandOf for events.
func eventOf(name string) any {
	switch name {
	case "login_successful":
		return new(LoginSuccessful)
	case "room_participation":
		return new(RoomParticipation)
	case "user_joined_room":
		return new(UserJoinedRoom)
	case "user_message":
		return new(UserMessage)
	case "topic_changed":
		return new(TopicChanged)
	case "history_page":
		return new(HistoryPage)
	case "history_cut":
		return new(HistoryCut)
	case "welcome":
		return new(Welcome)
	case "ticket":
		return new(Ticket)
	case "room_left":
		return new(RoomLeft)
	case "room_created":
		return new(RoomCreated)
	case "room_list":
		return new(RoomList)
	case "presence":
		return new(Presence)
	case "presence_list":
		return new(PresenceList)
	case "located":
		return new(Located)
	case "redirect":
		return new(Redirect)
	case "room_moving":
		return new(RoomMoving)
	case "room_moved":
		return new(RoomMoved)
	case "error":
		return new(Error)
	case "ping":
		return new(PingEvent)
	case "pong":
		return new(PongEvent)
	case "goodbye":
		return new(Goodbye)
	case "status_report":
		return new(StatusReport)
	case "drain_progress":
		return new(DrainProgress)
	case "yielded":
		return new(Yielded)
	case "offered":
		return new(Offered)
	case "room_report":
		return new(RoomReport)
	}
	return nil
}

// CommandType is the tag on the wire.
func (Hello) CommandType() string { return "hello" }

// CommandType is the tag on the wire.
func (JoinRoom) CommandType() string { return "join_room" }

// CommandType is the tag on the wire.
func (LeaveRoom) CommandType() string { return "leave_room" }

// CommandType is the tag on the wire.
func (SendMessage) CommandType() string { return "send_message" }

// CommandType is the tag on the wire.
func (SetTopic) CommandType() string { return "set_topic" }

// CommandType is the tag on the wire.
func (Quit) CommandType() string { return "quit" }

// CommandType is the tag on the wire.
func (History) CommandType() string { return "history" }

// CommandType is the tag on the wire.
func (CreateRoom) CommandType() string { return "create_room" }

// CommandType is the tag on the wire.
func (ListRooms) CommandType() string { return "list_rooms" }

// CommandType is the tag on the wire.
func (Locate) CommandType() string { return "locate" }

// CommandType is the tag on the wire.
func (Ping) CommandType() string { return "ping" }

// CommandType is the tag on the wire.
func (Pong) CommandType() string { return "pong" }

// CommandType is the tag on the wire.
func (Renew) CommandType() string { return "renew" }

// CommandType is the tag on the wire.
func (Status) CommandType() string { return "status" }

// CommandType is the tag on the wire.
func (Drain) CommandType() string { return "drain" }

// CommandType is the tag on the wire.
func (Yield) CommandType() string { return "yield" }

// CommandType is the tag on the wire.
func (Offer) CommandType() string { return "offer" }

// CommandType is the tag on the wire.
func (WatchRooms) CommandType() string { return "watch_rooms" }

// EventType is the tag on the wire.
func (LoginSuccessful) EventType() string { return "login_successful" }

// EventType is the tag on the wire.
func (RoomParticipation) EventType() string { return "room_participation" }

// EventType is the tag on the wire.
func (UserJoinedRoom) EventType() string { return "user_joined_room" }

// EventType is the tag on the wire.
func (UserMessage) EventType() string { return "user_message" }

// EventType is the tag on the wire.
func (TopicChanged) EventType() string { return "topic_changed" }

// EventType is the tag on the wire.
func (HistoryPage) EventType() string { return "history_page" }

// EventType is the tag on the wire.
func (HistoryCut) EventType() string { return "history_cut" }

// EventType is the tag on the wire.
func (Welcome) EventType() string { return "welcome" }

// EventType is the tag on the wire.
func (Ticket) EventType() string { return "ticket" }

// EventType is the tag on the wire.
func (RoomLeft) EventType() string { return "room_left" }

// EventType is the tag on the wire.
func (RoomCreated) EventType() string { return "room_created" }

// EventType is the tag on the wire.
func (RoomList) EventType() string { return "room_list" }

// EventType is the tag on the wire.
func (Presence) EventType() string { return "presence" }

// EventType is the tag on the wire.
func (PresenceList) EventType() string { return "presence_list" }

// EventType is the tag on the wire.
func (Located) EventType() string { return "located" }

// EventType is the tag on the wire.
func (Redirect) EventType() string { return "redirect" }

// EventType is the tag on the wire.
func (RoomMoving) EventType() string { return "room_moving" }

// EventType is the tag on the wire.
func (RoomMoved) EventType() string { return "room_moved" }

// EventType is the tag on the wire.
func (Error) EventType() string { return "error" }

// EventType is the tag on the wire.
func (PingEvent) EventType() string { return "ping" }

// EventType is the tag on the wire.
func (PongEvent) EventType() string { return "pong" }

// EventType is the tag on the wire.
func (Goodbye) EventType() string { return "goodbye" }

// EventType is the tag on the wire.
func (StatusReport) EventType() string { return "status_report" }

// EventType is the tag on the wire.
func (DrainProgress) EventType() string { return "drain_progress" }

// EventType is the tag on the wire.
func (Yielded) EventType() string { return "yielded" }

// EventType is the tag on the wire.
func (Offered) EventType() string { return "offered" }

// EventType is the tag on the wire.
func (RoomReport) EventType() string { return "room_report" }
