package app

import (
	"cmp"

	"positivity-exchange/membership"
	"positivity-exchange/shard/roomlog"
	"positivity-exchange/shard/roomlog/jetstreamlog"
	"positivity-exchange/shard/roomlog/sqlitelog"
)

// OpenLog opens the room log that cfg.Log names; the embedded one below
// cfg.Data if it names none.
func OpenLog(cfg Config) (roomlog.Log, error) {
	if cfg.Log == "" {
		return sqlitelog.Open(cfg.Data, sqlitelog.Options{Sync: cfg.Sync, Logger: cfg.Logger})
	}
	n := cfg.NATS
	return jetstreamlog.Open(jetstreamlog.Options{
		URL: cfg.Log, Cluster: cmp.Or(cfg.Cluster, membership.DefaultCluster), Partitions: membership.Partitions,
		Replicas: n.Replicas, Existing: n.Existing, Sync: cfg.Sync, Monitor: n.Monitor,
		Creds: n.Creds, NKey: n.NKey, CA: n.CA, Cert: n.Cert, Key: n.Key, Logger: cfg.Logger,
	})
}
