package main

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestFlagsMayStandBehindArguments(t *testing.T) {
	for in, want := range map[string]string{
		"px":                                         "px",
		"px where tea --json":                        "px where --json tea",
		"px where tea --router a:1 --json":           "px where --router a:1 --json tea",
		"px create tea --description=quiet":          "px create --description=quiet tea",
		"px drain s1 --data /d":                      "px drain --data /d s1",
		"px send --room go use the -v flag":          "px send --room go use the -v flag",
		"px send --room go where is -h":              "px send --room go where is -h",
		"px send --room go -- --json is a flag":      "px send --room go -- --json is a flag",
		"px where tea --help":                        "px where --help",
		"px stress -h fanout --json":                 "px stress --help",
		"px where --router -h tea":                   "px where --router -h tea",
		"px where --fly tea":                         "px where --fly tea",
		"px fly high --router x":                     "px fly high --router x",
		"px send --room go a -- --room rust --fly b": "px send --room go a -- --room rust --fly b",
	} {
		if got, err := flagsFirst(newApp(), strings.Fields(in)); err != nil || !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%s became %s, %v", in, strings.Join(got, " "), err)
		}
	}
	// Neither left out of the text in silence, nor sent.
	for _, in := range []string{"px send --room go try px tail --room rust", "px send --room go hello --router=a:1"} {
		if got, err := flagsFirst(newApp(), strings.Fields(in)); !errors.Is(err, errUsage) {
			t.Errorf("%s became %s, %v", in, strings.Join(got, " "), err)
		}
	}
}
