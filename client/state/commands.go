package state

import (
	"fmt"
	"slices"
	"strings"
)

// Command is a slash command.
type Command struct {
	Name string
	Args string // as the help shows them
	Does string
	Also []string // other names of it
}

// Commands are all slash commands, in the order of the help.
var Commands = []Command{
	{"join", "ROOM", "open a room", []string{"j", "go", "buffer"}},
	{"part", "[ROOM]", "leave a room", []string{"leave", "close"}},
	{"create", "ROOM [DESCRIPTION]", "make a room and open it", nil},
	{"list", "[PREFIX]", "find rooms", nil},
	{"topic", "[TEXT]", "show or set the description", []string{"t"}},
	{"names", "[ROOM]", "who is in a room", []string{"n", "who"}},
	{"me", "TEXT", "say what you do", nil},
	{"msg", "#ROOM TEXT", "speak in another room", nil},
	{"search", "[TEXT]", "mark a text and go to the newest place; again: the one before", nil},
	{"goto", "NUMBER or YYYY-MM-DD", "go to a message or a day", nil},
	{"notify", "all, mentions or none", "what of this room to be told of", nil},
	{"copy", "[COUNT]", "copy the last messages to the clipboard", nil},
	{"bare", "", "messages alone, to select with the mouse", nil},
	{"retry", "", "send failed messages again", nil},
	{"discard", "", "forget failed messages", nil},
	{"where", "[ROOM]", "which shard serves a room", nil},
	{"whoami", "", "name, time online, usage", nil},
	{"help", "", "keys and commands", nil},
	{"quit", "", "end the client; what is written stays", []string{"q", "exit"}},
}

// Parsed is what a line of input means: either text to send, or a command.
type Parsed struct {
	Command string // canonical name; empty: Text is to be sent
	Args    string // all that stands behind the command
	Room    string // that the arguments name, or the prefix of some; empty: none
	Text    string // what a command with a room has behind it, or the line's text
}

// RoomName is a room as people name it: with or without the '#' that it is shown with.
func RoomName(typed string) string { return strings.TrimPrefix(typed, "#") }

// Parse reads a line of input. "//x" sends "/x"; a command that there is not is
// an error, never text.
func Parse(line string) (Parsed, error) {
	if rest, ok := strings.CutPrefix(line, "//"); ok {
		return Parsed{Text: "/" + rest}, nil
	}
	rest, ok := strings.CutPrefix(line, "/")
	if !ok {
		return Parsed{Text: line}, nil
	}
	word, args, _ := strings.Cut(rest, " ")
	c := Parsed{Command: canonical(word), Args: strings.TrimSpace(args)}
	switch c.Command {
	case "":
		return Parsed{}, fmt.Errorf("there is no command /%s; ? lists them, // sends a slash", word)
	case "me":
		if c.Args == "" {
			return Parsed{}, fmt.Errorf("/me what?")
		}
		return Parsed{Text: "/me " + c.Args}, nil
	case "join", "part", "names", "where", "list":
		c.Room = RoomName(c.Args)
	case "create":
		room, about, _ := strings.Cut(c.Args, " ")
		c.Room, c.Text = RoomName(room), strings.TrimSpace(about)
	case "msg": // what stands before its text may belong to it
		room, text, _ := strings.Cut(c.Args, " ")
		c.Room, c.Text = RoomName(room), text
	}
	return c, nil
}

// canonical is the name of a command that is known by a word, "" if none is.
func canonical(word string) string {
	for _, c := range Commands {
		if c.Name == word || slices.Contains(c.Also, word) {
			return c.Name
		}
	}
	return ""
}

// WhoAmI is the answer to /whoami.
func (s State) WhoAmI(session bool) string {
	if !session {
		return fmt.Sprintf("you are %s; not connected yet", s.User)
	}
	rooms := 0
	for _, r := range s.Rooms {
		if r.Joined {
			rooms++
		}
	}
	router := "no router answers just now"
	if s.Router.Up {
		router = "router " + s.Router.Addr
	}
	return fmt.Sprintf("you are %s, online for %s, in %s; %s", s.User, s.Online(), count(rooms, "room"), router)
}
