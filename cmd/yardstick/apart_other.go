//go:build !linux

package main

import "errors"

func keepApart() error { return errors.New("--apart is for Linux") }

func onServers(start func()) error {
	start()
	return nil
}
