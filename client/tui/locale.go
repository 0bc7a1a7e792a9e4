package tui

import (
	"cmp"
	"errors"
	"fmt"
	"os"

	"github.com/gdamore/tcell/v2"
)

// initScreen takes over the terminal. A bare container or a service has the locale
// C, which speaks of no terminal: taken at its word, the screen's library would make
// question marks of what is typed before anybody has it.
func initScreen(s tcell.Screen) error {
	if locale := cmp.Or(os.Getenv("LC_ALL"), os.Getenv("LC_CTYPE"), os.Getenv("LANG")); locale == "C" || locale == "POSIX" {
		before, was := os.LookupEnv("LC_ALL")
		os.Setenv("LC_ALL", "C.UTF-8") //nolint:errcheck // fails for no name that is one
		defer func() {
			if os.Unsetenv("LC_ALL"); was { //nolint:errcheck // the same
				os.Setenv("LC_ALL", before) //nolint:errcheck // the same
			}
		}()
	}
	err := s.Init()
	if errors.Is(err, tcell.ErrNoCharset) {
		err = fmt.Errorf("%w: set a locale of UTF-8, for example LC_ALL=C.UTF-8", err)
	}
	return err
}
