// Package shard serves rooms: sessions, order, the ring and fan-out.
package shard
