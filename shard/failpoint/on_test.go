//go:build failpoint && linux

package failpoint

import (
	"os"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	points, err := parse("a=stop;b=delay:1ms;b=kill*3@/nowhere/at/all")
	if err != nil || len(points) != 2 || len(points["b"]) != 2 || points["b"][1].left != 3 {
		t.Fatalf("%+v, %v", points, err)
	}
	for _, bad := range []string{"a", "a=fly", "=stop", "a=stop*0", "a=stop*x", "a=fail*2", "a=delay", "a=delay:5", "a=delay:5ms-1ms", "a=delay:-1ms", "a=delay:1ms*2", "a=delay:1ms-"} {
		if _, err := parse(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestDueOnceAtItsPassageEachTimeTheFileIsThere(t *testing.T) {
	file := t.TempDir() + "/armed"
	p := &point{count: 2, left: 2, file: file}
	if p.due() || p.left != 2 {
		t.Error("it counted without its file")
	}
	for range 2 {
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if p.due() || !p.due() || p.due() {
			t.Error("want the second passage, once")
		}
	}
}

func TestDelayIsInItsRangeEachTimeWhileTheFileIsThere(t *testing.T) {
	file := t.TempDir() + "/armed"
	t.Setenv("PX_FAILPOINTS", "slow=delay:20ms-40ms@"+file+";slow=fail@"+file)
	took := func() time.Duration {
		start := time.Now()
		Hit("slow")
		return time.Since(start)
	}
	if d := took(); d > 10*time.Millisecond {
		t.Errorf("%s without its file", d)
	}
	if Fails("slow") || Fails("elsewhere") {
		t.Error("it fails without its file")
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if d := took(); d < 20*time.Millisecond || d > time.Second {
			t.Errorf("it took %s", d)
		}
		if !Fails("slow") || Fails("elsewhere") {
			t.Error("with its file the one place fails, and no other")
		}
	}
}
