package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestAncestorSession speaks the ancestor's protocol byte for byte, beside an
// aware client in the same room.
func TestAncestorSession(t *testing.T) {
	dir := t.TempDir()
	startShard(t, dir, "s1")
	router := startRouter(t, dir).addr("client")
	nc, err := net.Dial("tcp", router)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if err := nc.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(nc)
	read := func() string {
		line, err := in.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		return line
	}
	login := regexp.MustCompile(`^\{"_et":"login_successful","s":"[A-Za-z0-9_-]{21}","u":"([a-z0-9]{5})","rs":\[\{"n":"general","d":"[^"]*"\}(,\{"n":"[a-z0-9-]+","d":"[^"]*"\}){23}\]\}` + "\r\n$")
	m := login.FindStringSubmatch(read())
	if m == nil {
		t.Fatal("the greeting is not the ancestor's")
	}
	me := m[1]
	say := func(line string) {
		if _, err := io.WriteString(nc, line+"\n"); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(want string) {
		t.Helper()
		if got := read(); got != want+"\r\n" {
			t.Fatalf("got  %q\nwant %q", got, want+"\r\n")
		}
	}
	say(`{"_ct":"join_room","r":"general"}`)
	expect(`{"_et":"room_participation","r":"general","u":"` + me + `","s":"joined"}`)
	expect(`{"_et":"user_joined_room","r":"general","us":["` + me + `"]}`)
	ada := connectTo(t, "ada", router)
	if err := ada.Join(t.Context(), "general", nil); err != nil {
		t.Fatal(err)
	}
	expect(`{"_et":"room_participation","r":"general","u":"ada","s":"joined"}`)
	if _, err := ada.Send(t.Context(), "general", "hello <you>"); err != nil {
		t.Fatal(err)
	}
	expect(`{"_et":"user_message","r":"general","u":"ada","c":"hello <you>"}`)
	say(`{"_ct":"send_message","r":"general","c":"hello"}`)
	expect(`{"_et":"user_message","r":"general","u":"` + me + `","c":"hello"}`)
	// Its room moves; nothing of that is seen.
	startShard(t, dir, "s2")
	startShard(t, dir, "s3")
	if out, errs, code := px("drain", "--router", router, "--data", dir, "s1"); code != 0 {
		t.Fatalf("drain: %s%s", out, errs)
	}
	if _, err := ada.Send(t.Context(), "general", "moved"); err != nil {
		t.Fatal(err)
	}
	expect(`{"_et":"user_message","r":"general","u":"ada","c":"moved"}`)
	say(`{"_ct":"join_room","r":"general"}`)
	if got := read(); !strings.Contains(got, `"code":"already_joined"`) {
		t.Errorf("a second join: %s", got)
	}
	say(`{"_ct":"leave_room","r":"general"}`)
	say(`{"_ct":"quit"}`)
	if rest, err := io.ReadAll(in); err != nil || len(rest) > 0 {
		t.Errorf("then %q, %v", rest, err)
	}
}

func TestEverythingKilledAndStartedAgain(t *testing.T) {
	dir := t.TempDir()
	shards := []*process{startShard(t, dir, "s1"), startShard(t, dir, "s2")}
	router := startRouter(t, dir)
	lines := strings.Repeat("before\n", 50)
	send := exec.Command(binary, "send", "--router", router.addr("client"), "--room", "go")
	send.Stdin = strings.NewReader(lines)
	if out, err := send.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	all := append(shards, router)
	for _, p := range all {
		p.signal(syscall.SIGKILL)
	}
	for _, p := range all {
		<-p.ended
	}
	start := time.Now()
	startShard(t, dir, "s1")
	second := startShard(t, dir, "s2")
	router = startRouter(t, dir)
	out, errs, code := px("send", "--router", router.addr("client"), "--room", "go", "--json", "after")
	took := time.Since(start)
	t.Logf("a message is stored %s after everything was killed and started again", took)
	if code != 0 || !strings.Contains(out, `"seq":51`) {
		t.Fatalf("%d: %s%s", code, out, errs)
	}
	if took > 2*time.Second && !testing.Short() {
		t.Error("that is more than 2 s")
	}
	out, errs, code = px("tail", "--router", router.addr("client"), "--room", "go", "--since", "0", "--count", "51")
	if code != 0 || strings.Count(out, "before") != 50 || strings.Count(out, "after") != 1 {
		t.Errorf("history %q, %s", out, errs)
	}
	// A second process of a living shard's name is refused, and names who has it.
	_, errs, code = px("shard", "--name", "s2", "--data", dir, "--gossip", "127.0.0.1:0")
	if code != exitFailed || !strings.Contains(errs, `"s2"`) || !strings.Contains(errs, fmt.Sprint(second.cmd.Process.Pid)) {
		t.Errorf("a twin ended with %d: %s", code, errs)
	}
	// The same name at once after a kill -9, several times over.
	for range 3 {
		second.kill()
		start = time.Now()
		second = startShard(t, dir, "s2")
		t.Logf("killed, and ready again under the same name after %s", time.Since(start))
		if _, errs, code := px("send", "--router", router.addr("client"), "--room", "go", "again"); code != 0 {
			t.Fatal(errs)
		}
	}
}
