//go:build failpoint && linux

package failpoint

import (
	"os"
	"testing"
)

func TestParse(t *testing.T) {
	points, err := parse("a=stop;b=kill*3@/nowhere/at/all")
	if err != nil || len(points) != 2 || points["b"].left != 3 {
		t.Fatalf("%+v, %v", points, err)
	}
	for _, bad := range []string{"a", "a=fly", "=stop", "a=stop*0", "a=stop*x"} {
		if _, err := parse(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestDueOnceAtItsPassageWhileTheFileIsThere(t *testing.T) {
	file := t.TempDir() + "/armed"
	p := &point{left: 2, file: file}
	if p.due() || p.left != 2 {
		t.Error("it counted without its file")
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if p.due() || !p.due() || p.due() {
		t.Error("want the second passage, once")
	}
}
