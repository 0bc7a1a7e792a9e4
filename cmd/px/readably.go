package main

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"

	"github.com/urfave/cli/v2"
)

// badValue is how the library says that a flag's value cannot be read, in words
// of its own language.
const badValue = `^(?:invalid (?:boolean )?value|could not parse) ("(?:[^"\\]|\\.)*")(?: as .* value from environment variable "([^"]*)")? for (?:flag )?-?([a-z-]+): `

// readably says how to write a value that could not be read; other errors stay
// as they are. A value that came by a variable is known by its name.
func readably(command *cli.Command, err error) error {
	m := regexp.MustCompile(badValue).FindStringSubmatch(err.Error())
	if m == nil || command == nil {
		return err
	}
	value, variable, name := m[1], m[2], m[3]
	i := slices.IndexFunc(command.Flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), name) })
	if i < 0 {
		return err
	}
	var how string
	switch command.Flags[i].(type) {
	case *cli.BoolFlag:
		how = "true or false"
	case *cli.DurationFlag:
		how = "a time like 5s, 2m or 1h30m"
	case *cli.IntFlag, *cli.Int64Flag, *cli.IntSliceFlag:
		how = "a whole number"
	case *cli.Float64Flag:
		how = "a number"
	default:
		return err
	}
	return fmt.Errorf("%s %s: use %s", cmp.Or(variable, "--"+name), value, how)
}
