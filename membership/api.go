package membership

// The constants of a cluster. Members whose constants differ refuse each other.
const (
	Partitions        = 271
	ReplicationFactor = 200
	LoadFactor        = 1.25
	MaxName           = 32 // bytes of a stable name: a-z, 0-9 and '-'
	MaxAddr           = 64 // bytes of host:port
)

// Role is what a member does.
type Role string

// Roles of members.
const (
	RoleShard  Role = "shard"
	RoleRouter Role = "router"
)

// State is where a member is in its life, as it says itself.
type State string

// States of a member. Only an active shard that is not cut is in the table.
const (
	StateJoining  State = "joining"  // not yet in the table
	StateActive   State = "active"   // serves
	StateDraining State = "draining" // out of the table, serves what it still holds
	StateLeaving  State = "leaving"  // about to end
)

// Member is one process as gossip has it. A value, safe to copy.
type Member struct {
	Name   string // stable name, the same after a restart
	Boot   string // boot id, new at every start; sorts by start time
	Role   Role
	State  State
	Cut    bool   // says that it cannot reach the room log
	Client string // host:port for clients
	Gossip string // host:port of gossip
}
