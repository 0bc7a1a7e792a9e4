package faulttest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Build builds px with its failpoints below dir and returns its path.
func Build(dir string) (string, error) {
	path := filepath.Join(dir, "px")
	out, err := exec.Command("go", "build", "-tags", "failpoint", "-o", path, "positivity-exchange/cmd/px").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build px: %w: %s", err, out)
	}
	return path, nil
}

// places are the failpoints that every process of a run can be stopped at; see
// package shard/failpoint.
var places = []string{
	"roomlog.append.beforeBegin", "roomlog.append.inTx", "roomlog.append.afterCommit",
	"roomlog.acquire.inTx", "roomlog.acquire.afterCommit", "roomlog.release.inTx", "roomlog.release.afterCommit", "roomlog.beat.inWrite",
}

// failpoints arms all places of a process: each stops it once, when a file of
// the place's name appears in the folder.
func failpoints(folder string) (env string, err error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", err
	}
	env = "PX_FAILPOINTS="
	for _, place := range places {
		env += place + "=stop@" + filepath.Join(folder, place) + ";"
	}
	return env + slowLog(folder) + answers(folder), nil
}
