package client

import (
	"errors"
	"fmt"
	"net"
	"strings"
)

// routerPort is where a router listens unless it is told otherwise.
const routerPort = "8080"

// ParseRouters takes the addresses out of a list with commas, as people type
// it: host:port, or a host alone where the router listens at its usual port.
func ParseRouters(list string) ([]string, error) {
	var addrs []string
	for _, typed := range strings.Split(list, ",") {
		if typed = strings.TrimSpace(typed); typed == "" {
			continue
		}
		addr, err := parseRouter(typed)
		if err != nil {
			return nil, err
		}
		addrs = append(addrs, addr)
	}
	if len(addrs) == 0 {
		return nil, errors.New("no router is named; use host:port")
	}
	return addrs, nil
}

func parseRouter(typed string) (string, error) {
	host, port, err := net.SplitHostPort(typed)
	if err != nil && (!strings.Contains(typed, ":") || net.ParseIP(strings.Trim(typed, "[]")) != nil) {
		host, err = strings.Trim(typed, "[]"), nil
	}
	if port == "" {
		port = routerPort
	}
	if err == nil {
		_, err = net.LookupPort("tcp", port) // of a service's name it has its own list, too
	}
	if err != nil || strings.ContainsAny(host, "/ ") {
		return "", fmt.Errorf("%q is no router's address; use host:port", typed)
	}
	return net.JoinHostPort(host, port), nil
}
