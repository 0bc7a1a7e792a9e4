package profile

import (
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"positivity-exchange/client"
	"positivity-exchange/client/state"
	"positivity-exchange/comms"
)

// Config is what the configuration file says.
type Config struct {
	User    string `toml:"user"`
	Router  string `toml:"router"`
	Room    string `toml:"room"`
	Theme   string `toml:"theme"`   // auto, light, rich or mono
	Mouse   bool   `toml:"mouse"`   // clicking and scrolling
	Bell    bool   `toml:"bell"`    // at a mention
	Desktop string `toml:"desktop"` // none, osc9, osc99 or osc777
	Quiet   string `toml:"quiet"`   // "22:00-07:00": no bell and no notification
	Log     string `toml:"log"`     // file

	Keys     map[string]string   `toml:"keys"`     // key -> action; "none" unbinds
	Profiles map[string]Profiled `toml:"profiles"` // other users, routers
	quiet    [2]int              // minutes of the day
	path     string
	text     string // of the file, to name lines by
}

// Profiled overrides the top of the file where it is named with --profile.
type Profiled struct {
	User   string `toml:"user"`
	Router string `toml:"router"`
	Room   string `toml:"room"`
}

// Sample is the commented configuration with its defaults.
//
//go:embed sample.toml
var Sample string

// ConfigPath is where the configuration is looked for.
func ConfigPath() string { return filepath.Join(Home("XDG_CONFIG_HOME", ".config"), "client.toml") }

// LoadConfig reads path ("" means ConfigPath, where none is no error) over the
// defaults. An error names the file and the line, and comes with the defaults.
func LoadConfig(path string) (Config, error) {
	var defaults Config
	if _, err := toml.Decode(Sample, &defaults); err != nil {
		return defaults, fmt.Errorf("the built-in configuration: %w", err)
	}
	asked := path != ""
	if !asked {
		path = ConfigPath()
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && !asked {
		return defaults, nil
	}
	if err != nil {
		return defaults, fmt.Errorf("configuration: %w", err)
	}
	c := defaults
	c.path, c.text = path, string(b)
	if err := c.checkKinds(); err != nil {
		return defaults, err
	}
	meta, err := toml.Decode(string(b), &c)
	if err != nil {
		var parse toml.ParseError
		if errors.As(err, &parse) {
			return defaults, fmt.Errorf("%s, line %d: %s", path, parse.Position.Line, cmp.Or(parse.Message, parse.Error()))
		}
		return defaults, fmt.Errorf("%s: %w", path, err)
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return defaults, fmt.Errorf("%s: there is no setting %q; px client --print-config shows all", c.Where(unknown[0]...), unknown[0].String())
	}
	if err := c.check(); err != nil {
		return defaults, err
	}
	return c, nil
}

// checkKinds refuses a setting of the wrong kind with what it takes: the library
// would name the types of its own language, or pass over it. The sample shows the
// kinds of all settings.
func (c Config) checkKinds() error {
	var file, like map[string]any
	if _, err := toml.Decode(c.text, &file); err != nil {
		return nil // of what cannot be read at all, more is said elsewhere
	}
	if _, err := toml.Decode(Sample, &like); err != nil {
		return fmt.Errorf("the built-in configuration: %w", err)
	}
	like["keys"] = map[string]any{anyName: ""}
	like["profiles"] = map[string]any{anyName: map[string]any{"user": "", "router": "", "room": ""}}
	return c.checkKind(file, like)
}

// anyName stands for whatever name in a table.
const anyName = "*"

func (c Config) checkKind(value, like any, setting ...string) error {
	takes := ""
	switch like := like.(type) {
	case bool:
		if _, ok := value.(bool); !ok {
			takes = "takes true or false"
		}
	case string:
		if _, ok := value.(string); !ok {
			takes = "takes a text in quotes"
		}
	case map[string]any:
		table, ok := value.(map[string]any)
		if !ok {
			takes = fmt.Sprintf("is a table: write [%s] above what is in it", strings.Join(setting, "."))
		}
		for _, name := range slices.Sorted(maps.Keys(table)) {
			inside, ok := like[name]
			if !ok {
				inside = like[anyName]
			}
			if err := c.checkKind(table[name], inside, append(setting, name)...); err != nil {
				return err
			}
		}
	}
	if takes != "" {
		return fmt.Errorf("%s: %s %s", c.Where(setting...), setting[len(setting)-1], takes)
	}
	return nil
}

// Where names the file and the line of a setting: the tables it is in and its
// name.
func (c Config) Where(setting ...string) string {
	if len(setting) == 0 {
		return c.path
	}
	want, table := strings.Join(setting[:len(setting)-1], "."), ""
	for i, line := range strings.Split(c.text, "\n") {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			table, _, _ = strings.Cut(strings.Trim(line, "["), "]")
			if table = strings.ReplaceAll(table, `"`, ""); table == strings.Join(setting, ".") {
				return fmt.Sprintf("%s, line %d", c.path, i+1)
			}
			continue
		}
		name, _, ok := strings.Cut(line, "=")
		if ok && table == want && strings.Trim(strings.TrimSpace(name), `"'`) == setting[len(setting)-1] {
			return fmt.Sprintf("%s, line %d", c.path, i+1)
		}
	}
	return c.path
}

func (c *Config) check() error {
	oneOf := func(name, value string, allowed ...string) error {
		for _, a := range allowed {
			if value == a {
				return nil
			}
		}
		return fmt.Errorf("%s: %s = %q: use %s", c.Where(name), name, value, strings.Join(allowed, ", "))
	}
	names := func(user, router, room string, table ...string) error {
		if err := comms.CheckUserName(user); err != nil && user != "" {
			return fmt.Errorf("%s: %w", c.Where(append(table, "user")...), err)
		}
		if _, err := client.ParseRouters(router); err != nil && router != "" {
			return fmt.Errorf("%s: %w", c.Where(append(table, "router")...), err)
		}
		if err := comms.CheckRoomName(room); err != nil && room != "" {
			return fmt.Errorf("%s: %w", c.Where(append(table, "room")...), err)
		}
		return nil
	}
	c.Room = state.RoomName(c.Room)
	for name, p := range c.Profiles {
		p.Room = state.RoomName(p.Room)
		c.Profiles[name] = p
		if err := names(p.User, p.Router, p.Room, "profiles", name); err != nil {
			return err
		}
	}
	if err := errors.Join(
		names(c.User, c.Router, c.Room),
		oneOf("theme", c.Theme, "auto", "light", "rich", "mono"),
		oneOf("desktop", c.Desktop, "none", "osc9", "osc99", "osc777"),
	); err != nil {
		return err
	}
	if c.Quiet == "" {
		return nil
	}
	from, to, ok := strings.Cut(c.Quiet, "-")
	for i, text := range []string{from, to} {
		at, err := time.Parse("15:04", strings.TrimSpace(text))
		if err != nil || !ok {
			return fmt.Errorf("%s: quiet = %q: write it as 22:00-07:00", c.Where("quiet"), c.Quiet)
		}
		c.quiet[i] = at.Hour()*60 + at.Minute()
	}
	return nil
}

// With takes the settings of a named profile; "" means none.
func (c Config) With(name string) (Config, error) {
	if name == "" {
		return c, nil
	}
	p, ok := c.Profiles[name]
	if !ok {
		return c, fmt.Errorf("the configuration has no [profiles.%s]", name)
	}
	if p.User != "" {
		c.User = p.User
	}
	if p.Router != "" {
		c.Router = p.Router
	}
	if p.Room != "" {
		c.Room = p.Room
	}
	return c, nil
}

// IsQuiet reports whether a time lies in the quiet hours.
func (c Config) IsQuiet(at time.Time) bool {
	if c.Quiet == "" {
		return false
	}
	minute := at.Hour()*60 + at.Minute()
	if c.quiet[0] <= c.quiet[1] {
		return minute >= c.quiet[0] && minute < c.quiet[1]
	}
	return minute >= c.quiet[0] || minute < c.quiet[1]
}
