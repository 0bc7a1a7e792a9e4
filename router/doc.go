// Package router tells a client which shard serves a room, and relays ancestors.
package router
