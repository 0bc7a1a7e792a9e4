package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// flagsFirst moves the flags that a command knows in front of its arguments:
// the library looks for none behind the first argument, people write them
// there. What a command does not know stays where it is. The text of a message
// is taken as it is: nothing behind its first word is a flag. Who asks for help
// gets the command's, whatever else is there: the library would look for a
// command named like the first argument.
func flagsFirst(app *cli.App, args []string) []string {
	if len(args) < 3 {
		return args
	}
	command := app.Command(args[1])
	if command == nil {
		return args
	}
	head, flags, rest := args[:2:2], []string{}, []string{}
	for i := 2; i < len(args); i++ {
		known, takesValue := knownFlag(command, args[i])
		switch {
		case args[i] == "--" || len(rest) > 0 && command.Name == "send":
			rest = append(rest, args[i:]...)
			i = len(args)
		case isHelp(args[i]):
			return append(head, "--help")
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
	return slices.Concat(head, flags, rest)
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
