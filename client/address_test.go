package client_test

import (
	"strings"
	"testing"

	"positivity-exchange/client"
)

func TestParseRouters(t *testing.T) {
	for typed, want := range map[string]string{
		"localhost:8080":           "localhost:8080",
		"a:1, b:2 ,":               "a:1 b:2",
		"chat.example.org":         "chat.example.org:8080",
		"chat.example.org:":        "chat.example.org:8080",
		"::1":                      "[::1]:8080",
		"[::1]":                    "[::1]:8080",
		"[::1]:9":                  "[::1]:9",
		":8080":                    ":8080",
		"a:b:c":                    `"a:b:c" is no router's address; use host:port`,
		"a:1,http://b.example:1/x": `"http://b.example:1/x" is no router's address; use host:port`,
		"a:99999":                  `"a:99999" is no router's address; use host:port`,
		"two words":                `"two words" is no router's address; use host:port`,
		" , ":                      "no router is named; use host:port",
	} {
		got, err := client.ParseRouters(typed)
		if err != nil && err.Error() != want || err == nil && strings.Join(got, " ") != want {
			t.Errorf("%q: %q, %v; want %s", typed, got, err, want)
		}
	}
}
