package app

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestFoldersImportWhatTheyMay holds the tree to its architecture: dependencies
// point one way, and each outside library stays in the folder that owns it.
func TestFoldersImportWhatTheyMay(t *testing.T) {
	const module = "positivity-exchange/"
	may := map[string][]string{
		"comms":      {"comms"},
		"membership": {"membership"},
		"router":     {"comms", "membership", "client", "router"},
		"shard":      {"comms", "membership", "shard"},
		"client":     {"comms", "client"},
		"resources":  {},
	}
	owner := map[string]string{
		"github.com/hashicorp/memberlist":  "membership",
		"github.com/buraksezer/consistent": "membership",
		"github.com/cespare/xxhash":        "membership",
		"github.com/gdamore/tcell":         "client/tui",
		"modernc.org/sqlite":               "shard/roomlog/sqlitelog",
		"github.com/nats-io/nats.go":       "shard/roomlog/jetstreamlog",
		"github.com/urfave/cli":            "cmd",
		"github.com/HdrHistogram":          "cmd/internal/stress",
		"github.com/BurntSushi/toml":       "client/profile",
		"github.com/kyokomi/emoji":         "client/state",
		"github.com/sahilm/fuzzy":          "client/state",
		"golang.org/x/term":                "cmd",
		"modernc.org/libc":                 "shard/roomlog/sqlitelog",
	}
	// The client's picture is pure: what happens comes to it as actions.
	pure := "client/state"
	effects := []string{"os", "os/", "net", "net/", "github.com/gdamore/tcell/", module + "client/profile", module + "client/tui"}
	// The server is run by the yardstick and for tests, never by px.
	server := []string{"cmd/yardstick", "shard/roomlog/jetstreamlog/natstest"}
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}}{{range .Imports}} {{.}}{{end}}`, module+"...").Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) < 10 {
		t.Fatalf("only %d packages listed", len(lines))
	}
	for _, line := range lines {
		fields := strings.Fields(line)
		pkg := strings.TrimPrefix(fields[0], module)
		top, _, _ := strings.Cut(pkg, "/")
		for _, imported := range fields[1:] {
			if own, ok := strings.CutPrefix(imported, module); ok && top != "cmd" {
				if folder, _, _ := strings.Cut(own, "/"); !slices.Contains(may[top], folder) {
					t.Errorf("%s may not import %s", pkg, own)
				}
			}
			if strings.HasPrefix(imported, "github.com/nats-io/nats-server") && !slices.Contains(server, pkg) {
				t.Errorf("%s imports %s", pkg, imported)
			}
			if pkg == pure && slices.ContainsFunc(effects, func(e string) bool {
				return imported == e || strings.HasSuffix(e, "/") && strings.HasPrefix(imported, e)
			}) {
				t.Errorf("%s imports %s: it shows what it is told and does nothing itself", pkg, imported)
			}
			for library, folder := range owner {
				if strings.HasPrefix(imported, library) && pkg != folder && !strings.HasPrefix(pkg, folder+"/") {
					t.Errorf("%s imports %s, which %s owns", pkg, library, folder)
				}
			}
		}
	}
}
