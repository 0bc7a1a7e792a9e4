package main

import "github.com/urfave/cli/v2"

// flag takes a string; its variable is PX_NAME.
func flag(name, value, usage string) *cli.StringFlag {
	return &cli.StringFlag{Name: name, Value: value, Usage: usage, EnvVars: []string{env(name)}}
}

func boolFlag(name, usage string) *cli.BoolFlag {
	return &cli.BoolFlag{Name: name, Usage: usage, EnvVars: []string{env(name)}}
}

func jsonFlag(usage string) *cli.BoolFlag { return boolFlag("json", usage) }

func routerFlag() cli.Flag {
	return flag("router", "localhost:8080", "`ADDR` of a router, or several with commas between; without a port 8080 is meant")
}

// env is the variable in which a flag is looked for.
func env(name string) string {
	b := []byte("PX_" + name)
	for i, c := range b {
		switch {
		case c >= 'a' && c <= 'z':
			b[i] = c - 'a' + 'A'
		case c == '-':
			b[i] = '_'
		}
	}
	return string(b)
}
