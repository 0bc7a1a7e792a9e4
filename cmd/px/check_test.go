package main

import (
	"strings"
	"testing"
)

func TestRightValuesAreTaken(t *testing.T) {
	for _, c := range []string{
		"listen 127.0.0.1:0", "listen :8080", "listen [::1]:0", "http localhost:http", "gossip 0.0.0.0:7946", "gossip ",
		"advertise 10.0.0.1", "advertise chat.example.org:7000", "advertise ::1", "advertise fe80::1%eth0", "advertise ",
		"join 10.0.0.1:7946", "join s1.local", "join [::1]:7946", "join [::1]", "join ", "name s-1", "name ", "user ada", "user ",
		"sync full", "log nats://a,b", "log tls://ada:x@a:4222", "log ", "router whatever",
	} {
		name, value, _ := strings.Cut(c, " ")
		if why := wrongValue(name, value); why != "" {
			t.Errorf("--%s %q: %s", name, value, why)
		}
	}
}

// TestWrongValuesAreErrorsOfUsage, where a member would refuse them later on.
func TestWrongValuesAreErrorsOfUsage(t *testing.T) {
	for _, c := range []string{
		"join s1:http", "join s1:0", "join ::zz", "join [s1", "join a/b", "advertise [::1]", "advertise a:b:c", "name S 1", "sync maybe",
		"log nats://", "log nats://a/b", "log nats://a,,b", "log a,nats://b", "data ",
	} {
		name, value, _ := strings.Cut(c, " ")
		if why := wrongValue(name, value); why == "" {
			t.Errorf("--%s %q was taken", name, value)
		}
	}
}

// TestNATSInTheEnvironmentIsForOthers: the nats command has the same variables.
func TestNATSInTheEnvironmentIsForOthers(t *testing.T) {
	t.Setenv("NATS_CREDS", "creds")
	if _, errs, code := px("export", "--data", t.TempDir(), "x"); code != exitFailed || !strings.Contains(errs, "holds no rooms") {
		t.Errorf("%d, %s", code, errs)
	}
}
