package main

import (
	"encoding/json"
	"runtime"
	"strings"
	"testing"
)

// TestVersion is told however it is asked for: an error may say that a newer px is
// needed.
func TestVersion(t *testing.T) {
	out, errs, code := px("version")
	if code != 0 || errs != "" || !strings.HasPrefix(out, "px ") || !strings.Contains(out, runtime.Version()+" "+runtime.GOOS+"/"+runtime.GOARCH+"\n") || !strings.Contains(out, "\nspeaks: clients 1, members 1\nstores: SQLite schema 1, JetStream schema 1\n") {
		t.Errorf("%d, %s%s", code, out, errs)
	}
	for _, flag := range []string{"--version", "-v"} {
		if again, errs, code := px(flag); code != 0 || again != out || errs != "" {
			t.Errorf("%s: %d, %s%s", flag, code, again, errs)
		}
	}
	text, _, _ := px("version", "--json")
	var got versionReport
	if err := json.Unmarshal([]byte(text), &got); err != nil || got.Wire != 1 || got.Members != 1 || got.SQLite != 1 || got.JetStream != 1 || got.Go != runtime.Version() || got.Version == "" {
		t.Errorf("%s: %+v, %v", text, got, err)
	}
	if _, errs, code := px("version", "x"); code != exitUsage {
		t.Errorf("an argument: %d, %s", code, errs)
	}
}
