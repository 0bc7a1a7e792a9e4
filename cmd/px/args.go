package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"positivity-exchange/comms"
)

// flagsFirst moves the flags that a command knows in front of its arguments:
// the library looks for none behind the first argument, people write them
// there. What a command does not know stays where it is. In the text of a
// message nothing is a flag, and what looks like one of the command's is refused:
// it may be meant either way. Who asks for help gets the command's, whatever else
// is there: the library would look for a command named like the first argument.
func flagsFirst(app *cli.App, args []string) ([]string, error) {
	if len(args) < 3 {
		return args, nil
	}
	command := app.Command(args[1])
	if command == nil {
		return args, nil
	}
	head, flags, rest := args[:2:2], []string{}, []string{}
	for i := 2; i < len(args); i++ {
		known, takesValue := knownFlag(command, args[i])
		text := command.Name == "send" && len(rest) > 0
		switch {
		case args[i] == "--":
			rest = append(rest, args[i:]...)
			i = len(args)
		case text && known:
			return nil, usagef("%s stands in the text of the message: flags go before it; a text that has one goes behind a --", args[i])
		case text:
			rest = append(rest, args[i])
		case isHelp(args[i]):
			return append(head, "--help"), nil
		case known || len(rest) == 0 && strings.HasPrefix(args[i], "-"):
			flags = append(flags, args[i])
			if takesValue && i+1 < len(args) {
				i++
				flags = append(flags, args[i])
			}
		default:
			rest = append(rest, args[i])
		}
	}
	return slices.Concat(head, flags, rest), nil
}

// knownFlag tells whether arg is a flag of the command, and whether its value
// is the next argument.
func knownFlag(command *cli.Command, arg string) (known, takesValue bool) {
	name, ok := strings.CutPrefix(arg, "-")
	if !ok {
		return false, false
	}
	name, _, assigned := strings.Cut(strings.TrimPrefix(name, "-"), "=")
	for _, f := range command.Flags {
		if slices.Contains(f.Names(), name) {
			_, isBool := f.(*cli.BoolFlag)
			return true, !isBool && !assigned
		}
	}
	return false, false
}

func isHelp(arg string) bool {
	name, ok := strings.CutPrefix(arg, "-")
	return ok && slices.Contains(cli.HelpFlag.Names(), strings.TrimPrefix(name, "-"))
}

func noArgs(c *cli.Context) error {
	if c.Args().Present() {
		return usagef("%q is not expected; px %s --help shows what is", c.Args().First(), c.Command.Name)
	}
	return nil
}

// needs refuses a command line without a flag. The library's own check prints
// the help on standard output, and its error is none of usage.
func needs(c *cli.Context, name string) error {
	if c.String(name) == "" {
		return usagef("px %s needs --%s; px %s --help shows an example", c.Command.Name, name, c.Command.Name)
	}
	return nil
}

// oneArg refuses a command line without the one thing that the command is about.
// Flags may stand behind it.
func oneArg(c *cli.Context) error {
	if c.Args().Len() != 1 {
		return usagef("px %s takes one argument; px %s --help shows an example", c.Command.Name, c.Command.Name)
	}
	return nil
}

// roomName is a room as people name it: with or without the '#' that px prints.
func roomName(typed string) (string, error) {
	name := strings.TrimPrefix(typed, "#")
	if err := comms.CheckRoomName(name); err != nil {
		return "", usagef("%s", err)
	}
	return name, nil
}

// roomArg is the room that a command is about.
func roomArg(c *cli.Context) (string, error) {
	if err := oneArg(c); err != nil {
		return "", err
	}
	return roomName(c.Args().First())
}
