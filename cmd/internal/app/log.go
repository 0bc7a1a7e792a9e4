package app

import (
	"cmp"

	"positivity-exchange/membership"
	"positivity-exchange/shard/roomlog"
	"positivity-exchange/shard/roomlog/jetstreamlog"
	"positivity-exchange/shard/roomlog/sqlitelog"
)

// place names where the rooms are, for people's eyes.
func (c Config) place() string {
	if c.Log == "" {
		return c.Data
	}
	return jetstreamlog.Redacted(c.Log)
}

// OpenLog opens the room log that cfg.Log names; the embedded one below
// cfg.Data if it names none.
func OpenLog(cfg Config) (roomlog.Log, error) {
	cluster := cmp.Or(cfg.Cluster, membership.DefaultCluster)
	if cfg.Log == "" {
		if cfg.AnyCluster {
			cluster = ""
		}
		return sqlitelog.Open(cfg.Data, sqlitelog.Options{Cluster: cluster, Partitions: membership.Partitions, Sync: cfg.Sync, Logger: cfg.Logger})
	}
	n := cfg.NATS
	return jetstreamlog.Open(jetstreamlog.Options{
		URL: cfg.Log, Cluster: cluster, Partitions: membership.Partitions,
		Replicas: n.Replicas, Existing: n.Existing, Sync: cfg.Sync, Monitor: n.Monitor,
		Creds: n.Creds, NKey: n.NKey, CA: n.CA, Cert: n.Cert, Key: n.Key, Logger: cfg.Logger,
	})
}
