package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestPlainClient talks by lines alone, through pipes.
func TestPlainClient(t *testing.T) {
	dir := t.TempDir()
	startShard(t, dir, "s1")
	router := startRouter(t, dir).addr("client")
	client := exec.Command(binary, "client", "--plain", "--router", router, "--user", "ada", "--room", "go")
	client.Stdin = strings.NewReader("hello\n/fly\n//slash\n/me waves\n/where\n/list gen\n/goto 1\n/goto 2020-01-01\n/goto yesterday\n/msg #tea hi\n/create our-room All of us\n/msg #go from afar\n")
	out, err := client.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, want := range []string{"* you are in #go, 1 here", "#go ada: hello\n", "there is no command /fly", "#go ada: /slash\n", "#go * ada waves\n", "* #go is served by s1 at ", "* #general: Everything", "#go 1 ada: hello\n#go 2 ada: /slash\n#go 3 * ada waves\n#go 1 ada: hello\n", "* /goto takes a message's number or a day", "* /msg #ROOM TEXT", "* you are in #our-room, 1 here: All of us\n", "#go ada: from afar\n"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
	stored, _, code := px("tail", "--router", router, "--room", "go", "--since", "0", "--count", "4", "--json")
	if code != 0 || strings.Count(stored, `"kind":"message"`) != 4 || strings.Contains(stored, "fly") {
		t.Errorf("stored: %s", stored)
	}
}

// TestPlainClientSaysThatItConnects while a router is silent.
func TestPlainClientSaysThatItConnects(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	cmd := exec.Command(binary, "client", "--plain", "--router", ln.Addr().String())
	client, _, err := spawn(t, cmd)
	if err != nil {
		t.Fatal(err)
	}
	awaitLog(t, client, "px: connecting to "+ln.Addr().String()+"\n")
	client.signal(syscall.SIGINT)
	<-client.ended
}

func TestConfigurationCommands(t *testing.T) {
	path := filepath.Join(t.TempDir(), "client.toml")
	sample, _, code := px("client", "--print-config")
	if code != 0 || !strings.Contains(sample, "router = ") {
		t.Fatalf("print: %d, %s", code, sample)
	}
	if err := os.WriteFile(path, []byte(sample), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, errs, code := px("client", "--check-config", "--config", path); code != 0 {
		t.Errorf("what is printed does not pass the check: %s%s", out, errs)
	}
	if out, errs, code := px("client", "--check-config", "--config", path, "--profile", "nope"); code != exitFailed || out != "" || !strings.Contains(errs, "no [profiles.nope]") {
		t.Errorf("a profile that there is not: %d, %s%s", code, out, errs)
	}
	none := exec.Command(binary, "client", "--check-config")
	none.Env = append(os.Environ(), "XDG_CONFIG_HOME="+t.TempDir())
	if out, err := none.CombinedOutput(); err != nil || !strings.HasPrefix(string(out), "there is none at ") {
		t.Errorf("none: %v, %s", err, out)
	}
	for text, want := range map[string]string{
		"router = 7":                    "router",
		"# there\nrouter = \"a:b:c\"":   "client.toml, line 2: \"a:b:c\" is no router's address; use host:port",
		"colour = true":                 `"colour"`,
		"[keys]\n\"Alt-J\" = \"dance\"": "dance",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, errs, code := px("client", "--check-config", "--config", path)
		if code != exitFailed || !strings.Contains(errs, want) || strings.Count(errs, "\n") != 1 {
			t.Errorf("%q: %d, %q", text, code, errs)
		}
	}
}
