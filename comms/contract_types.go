package comms

// CONTRACT PLACEHOLDER: replaced by the codec.

func (Hello) CommandType() string                       { panic("contract") }
func (Hello) appendCommand(dst []byte) []byte           { panic("contract") }
func (JoinRoom) CommandType() string                    { panic("contract") }
func (JoinRoom) appendCommand(dst []byte) []byte        { panic("contract") }
func (LeaveRoom) CommandType() string                   { panic("contract") }
func (LeaveRoom) appendCommand(dst []byte) []byte       { panic("contract") }
func (SendMessage) CommandType() string                 { panic("contract") }
func (SendMessage) appendCommand(dst []byte) []byte     { panic("contract") }
func (SetTopic) CommandType() string                    { panic("contract") }
func (SetTopic) appendCommand(dst []byte) []byte        { panic("contract") }
func (Quit) CommandType() string                        { panic("contract") }
func (Quit) appendCommand(dst []byte) []byte            { panic("contract") }
func (History) CommandType() string                     { panic("contract") }
func (History) appendCommand(dst []byte) []byte         { panic("contract") }
func (CreateRoom) CommandType() string                  { panic("contract") }
func (CreateRoom) appendCommand(dst []byte) []byte      { panic("contract") }
func (ListRooms) CommandType() string                   { panic("contract") }
func (ListRooms) appendCommand(dst []byte) []byte       { panic("contract") }
func (Locate) CommandType() string                      { panic("contract") }
func (Locate) appendCommand(dst []byte) []byte          { panic("contract") }
func (Ping) CommandType() string                        { panic("contract") }
func (Ping) appendCommand(dst []byte) []byte            { panic("contract") }
func (Pong) CommandType() string                        { panic("contract") }
func (Pong) appendCommand(dst []byte) []byte            { panic("contract") }
func (Renew) CommandType() string                       { panic("contract") }
func (Renew) appendCommand(dst []byte) []byte           { panic("contract") }
func (Status) CommandType() string                      { panic("contract") }
func (Status) appendCommand(dst []byte) []byte          { panic("contract") }
func (Drain) CommandType() string                       { panic("contract") }
func (Drain) appendCommand(dst []byte) []byte           { panic("contract") }
func (Yield) CommandType() string                       { panic("contract") }
func (Yield) appendCommand(dst []byte) []byte           { panic("contract") }
func (Offer) CommandType() string                       { panic("contract") }
func (Offer) appendCommand(dst []byte) []byte           { panic("contract") }
func (WatchRooms) CommandType() string                  { panic("contract") }
func (WatchRooms) appendCommand(dst []byte) []byte      { panic("contract") }
func (LoginSuccessful) EventType() string               { panic("contract") }
func (LoginSuccessful) appendEvent(dst []byte) []byte   { panic("contract") }
func (RoomParticipation) EventType() string             { panic("contract") }
func (RoomParticipation) appendEvent(dst []byte) []byte { panic("contract") }
func (UserJoinedRoom) EventType() string                { panic("contract") }
func (UserJoinedRoom) appendEvent(dst []byte) []byte    { panic("contract") }
func (UserMessage) EventType() string                   { panic("contract") }
func (UserMessage) appendEvent(dst []byte) []byte       { panic("contract") }
func (TopicChanged) EventType() string                  { panic("contract") }
func (TopicChanged) appendEvent(dst []byte) []byte      { panic("contract") }
func (HistoryPage) EventType() string                   { panic("contract") }
func (HistoryPage) appendEvent(dst []byte) []byte       { panic("contract") }
func (HistoryCut) EventType() string                    { panic("contract") }
func (HistoryCut) appendEvent(dst []byte) []byte        { panic("contract") }
func (Welcome) EventType() string                       { panic("contract") }
func (Welcome) appendEvent(dst []byte) []byte           { panic("contract") }
func (Ticket) EventType() string                        { panic("contract") }
func (Ticket) appendEvent(dst []byte) []byte            { panic("contract") }
func (RoomLeft) EventType() string                      { panic("contract") }
func (RoomLeft) appendEvent(dst []byte) []byte          { panic("contract") }
func (RoomCreated) EventType() string                   { panic("contract") }
func (RoomCreated) appendEvent(dst []byte) []byte       { panic("contract") }
func (RoomList) EventType() string                      { panic("contract") }
func (RoomList) appendEvent(dst []byte) []byte          { panic("contract") }
func (Presence) EventType() string                      { panic("contract") }
func (Presence) appendEvent(dst []byte) []byte          { panic("contract") }
func (PresenceList) EventType() string                  { panic("contract") }
func (PresenceList) appendEvent(dst []byte) []byte      { panic("contract") }
func (Located) EventType() string                       { panic("contract") }
func (Located) appendEvent(dst []byte) []byte           { panic("contract") }
func (Redirect) EventType() string                      { panic("contract") }
func (Redirect) appendEvent(dst []byte) []byte          { panic("contract") }
func (RoomMoving) EventType() string                    { panic("contract") }
func (RoomMoving) appendEvent(dst []byte) []byte        { panic("contract") }
func (RoomMoved) EventType() string                     { panic("contract") }
func (RoomMoved) appendEvent(dst []byte) []byte         { panic("contract") }
func (Error) EventType() string                         { panic("contract") }
func (Error) appendEvent(dst []byte) []byte             { panic("contract") }
func (PingEvent) EventType() string                     { panic("contract") }
func (PingEvent) appendEvent(dst []byte) []byte         { panic("contract") }
func (PongEvent) EventType() string                     { panic("contract") }
func (PongEvent) appendEvent(dst []byte) []byte         { panic("contract") }
func (Goodbye) EventType() string                       { panic("contract") }
func (Goodbye) appendEvent(dst []byte) []byte           { panic("contract") }
func (StatusReport) EventType() string                  { panic("contract") }
func (StatusReport) appendEvent(dst []byte) []byte      { panic("contract") }
func (DrainProgress) EventType() string                 { panic("contract") }
func (DrainProgress) appendEvent(dst []byte) []byte     { panic("contract") }
func (Yielded) EventType() string                       { panic("contract") }
func (Yielded) appendEvent(dst []byte) []byte           { panic("contract") }
func (Offered) EventType() string                       { panic("contract") }
func (Offered) appendEvent(dst []byte) []byte           { panic("contract") }
func (RoomReport) EventType() string                    { panic("contract") }
func (RoomReport) appendEvent(dst []byte) []byte        { panic("contract") }
