package state

import (
	"testing"

	"pgregory.net/rapid"

	"positivity-exchange/client"
	"positivity-exchange/comms"
)

func TestLinesOfInput(t *testing.T) {
	for line, want := range map[string]Parsed{
		"hello":                        {Text: "hello"},
		"//quit":                       {Text: "/quit"},
		"/quit":                        {Command: "quit"},
		"/q":                           {Command: "quit"},
		"/join  #tea ":                 {Command: "join", Args: "#tea", Room: "tea"},
		"/n tea":                       {Command: "names", Args: "tea", Room: "tea"},
		"/part":                        {Command: "part"},
		"/create #tea  of all leaves ": {Command: "create", Args: "#tea  of all leaves", Room: "tea", Text: "of all leaves"},
		"/msg #tea  of all leaves ":    {Command: "msg", Args: "#tea  of all leaves", Room: "tea", Text: " of all leaves"},
		"/me waves":                    {Text: "/me waves"},
		"/topic a b  c":                {Command: "topic", Args: "a b  c"},
	} {
		if got, err := Parse(line); err != nil || got != want {
			t.Errorf("%q: %+v, %v", line, got, err)
		}
	}
	for _, line := range []string{"/fly", "/", "/me", "/ join"} {
		if got, err := Parse(line); err == nil {
			t.Errorf("%q is %+v", line, got)
		}
	}
}

func TestCompletion(t *testing.T) {
	s := in("general").WithRooms([]comms.Room{{Name: "go"}, {Name: "games"}})
	s = s.Apply(client.Joined{Room: "rust"}).Open("general")
	s = s.Apply(client.Presence{Room: "general", Joined: []string{"bea"}}).Apply(said("general", "bob", "hi", 1))
	for text, want := range map[string][]string{
		"b":         {"bob: ", "bea: ", "bob: "},
		"hi b":      {"hi bob ", "hi bea "},
		"hi @be":    {"hi @bea "},
		"/jo":       {"/join "},
		"see #ga":   {"see #games "},
		":wave":     {"👋 "},
		"zzz":       {"zzz"},
		"/join g":   {"/join general", "/join games", "/join go"},
		"/notify m": {"/notify mentions"},
		"/msg ru":   {"/msg rust "},
		"/msg #ru":  {"/msg #rust "},
		"/msg go":   {"/msg go"}, // which one is not in
		"/leave r":  {"/leave rust"},
		"/n g":      {"/n general"},
		"/where ga": {"/where games"},
		"/msg go b": {"/msg go bob ", "/msg go bea "},
		"B":         {"bob: ", "bea: "},
		"hi @B":     {"hi @bob ", "hi @bea "},
		"/JO":       {"/join "},
		"see #GA":   {"see #games "},
		"":          {""},
	} {
		in := NewInput(text)
		for i, w := range want {
			if in = s.Complete(in, 1); in.String() != w {
				t.Errorf("%q, Tab %d: %q, want %q", text, i+1, in.String(), w)
			}
		}
	}
}

// TestCompletionGoesBack through the same candidates; at first, to the last one.
func TestCompletionGoesBack(t *testing.T) {
	s := in("general").Apply(client.Presence{Room: "general", Joined: []string{"bea", "bill"}})
	in := NewInput("hi b")
	for i, step := range []struct {
		by   int
		want string
	}{{1, "bea"}, {1, "bill"}, {1, "bob"}, {-1, "bill"}, {-1, "bea"}, {-1, "bob"}, {1, "bea"}} {
		if in = s.Complete(in, step.by); in.String() != "hi "+step.want+" " {
			t.Errorf("%d: %q, want %s", i, in.String(), step.want)
		}
	}
	if in = s.Complete(NewInput("hi b"), -1); in.String() != "hi bob " {
		t.Errorf("back at first: %q", in.String())
	}
}

func TestEmojiNamesBecomeSymbols(t *testing.T) {
	for text, want := range map[string]string{
		":wave: hi :nope: 12:30:45": "👋 hi :nope: 12:30:45", "a:b": "a:b", ":": ":", "(:wave:)": "(👋)", ":wave::wave:": "👋👋",
		"x[1:b:2] std::b: :b:2 a:on:": "x[1:b:2] std::b: :b:2 a:on:", "`:wave:` :wave:": "`:wave:` 👋", "```\n:wave:\n```": "```\n:wave:\n```",
	} {
		if got := Emoji(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestAnyEditing does any sequence of edits: the cursor stays inside, at a
// cluster's edge, and undo leads back to where it began.
func TestAnyEditing(t *testing.T) {
	moves := []func(Input) Input{
		Input.Home, Input.End, Input.WordLeft, Input.WordRight, Input.KillLeft, Input.KillRight, Input.KillWord, Input.KillWordLeft, Input.KillWordRight, Input.Yank, Input.Swap, Input.Undo,
		func(in Input) Input { return in.Move(-1) }, func(in Input) Input { return in.Move(1) },
		func(in Input) Input { return in.Delete(-1) }, func(in Input) Input { return in.Delete(1) },
		func(in Input) Input { in, _ = in.Vertical(-1); return in }, func(in Input) Input { in, _ = in.Vertical(1); return in },
		func(in Input) Input { return in.Command("/me ") },
		func(in Input) Input { return in.Recall([]string{"one", "two"}, 1) }, func(in Input) Input { return in.Recall([]string{"one", "two"}, -1) },
	}
	rapid.Check(t, func(t *rapid.T) {
		in := Input{}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "write") {
				in = in.Insert(rapid.SampledFrom([]string{"a", " ", "\n", "é", "👩‍👩‍👧", "日本", "e\u0301", "word"}).Draw(t, "text"))
			} else {
				in = rapid.SampledFrom(moves).Draw(t, "move")(in)
			}
			if in.text == "" && in.aside != "" {
				t.Fatalf("an empty line, and %q stands aside", in.aside)
			}
			if in.cursor < 0 || in.cursor > len(in.text) || in.Before()+in.text[in.cursor:] != in.text {
				t.Fatalf("cursor %d in %q", in.cursor, in.text)
			}
		}
	})
	in := NewInput("")
	for _, w := range []string{"one ", "two ", "three"} {
		in = in.Insert(w)
	}
	in = in.KillWord().Undo().Undo().Undo()
	if in.String() != "one " {
		t.Errorf("undone to %q", in.String())
	}
}

func TestEditingAsReadlineDoes(t *testing.T) {
	s := in("go").Apply(client.Joined{Room: "tea"})
	text := func() string { return s.Current().Draft.String() }
	do := func(f func(Input) Input) { s = s.Edit(f) }
	for _, c := range "one two three" {
		do(func(in Input) Input { return in.Insert(string(c)) })
	}
	do(Input.KillWord)
	do(Input.KillWord)
	if text() != "one " {
		t.Fatalf("%q", text())
	}
	s = s.Open("tea") // what was cut in one room is pasted in another
	if do(Input.Yank); text() != "two three" {
		t.Errorf("pasted %q: cuts in a row are one", text())
	}
	s = s.Open("go")
	do(Input.Undo)
	do(Input.Undo)
	if do(Input.Undo); text() != "one two " {
		t.Errorf("undone to %q: a word is one change", text())
	}
	// An old line, even a changed one, does not cost what was being written.
	do(func(in Input) Input { return in.Set("unsaid") })
	do(func(in Input) Input { return in.Recall([]string{"old"}, 1) })
	do(func(in Input) Input { return in.Insert("er") })
	do(Input.Undo)
	if do(Input.Undo); text() != "unsaid" {
		t.Errorf("undone to %q", text())
	}
}
