package main

// mutation is one defect to be put into the source.
type mutation struct {
	name    string
	edits   []edit
	nemeses string // of package faulttest under which it shows, separated by commas
}

// edit replaces old, which is in the file exactly once.
type edit struct{ file, old, new string }

// mutations are the defects that a fault test of a chat cluster must catch.
var mutations = []mutation{
	{
		name: "ack before append",
		edits: []edit{{
			"shard/commit.go",
			"err = p.server.opts.Log.Append(context.Background(), p.partition, epoch, records)",
			"defer p.server.opts.Log.Append(context.Background(), p.partition, epoch, slices.Clone(records))",
		}},
		nemeses: "kill-before,zombie-before",
	},
	{
		name: "a sender's second message accepted after its first was refused",
		edits: []edit{{
			"shard/order.go",
			`return s.refused != "" && s.refused != id`,
			`return false`,
		}},
		nemeses: "refuse",
	},
	{
		name: "dedup off",
		edits: []edit{{
			"shard/say.go",
			"if old := r.window[key]; old != nil {",
			"if old := r.window[key]; old != nil && old.looking {",
		}},
		nemeses: "kill-after",
	},
	{
		name: "dedup lost at take-over",
		edits: []edit{{
			"shard/room.go",
			"for _, rec := range tail {",
			"for _, rec := range tail[:0] {",
		}},
		nemeses: "kill-after",
	},
	{
		name: "fence check skipped",
		edits: []edit{{
			"shard/roomlog/sqlitelog/records.go",
			"if now != epoch || released {",
			"if now < epoch && !released {",
		}, {
			"shard/roomlog/memlog/memlog.go",
			"if p == nil || p.owner.Epoch != epoch || p.owner.Released {\n\t\treturn roomlog.ErrFenced\n\t}\n\t// Looked at first",
			"if p == nil || p.owner.Epoch < epoch {\n\t\treturn roomlog.ErrFenced\n\t}\n\t// Looked at first",
		}},
		nemeses: "zombie-before",
	},
	{
		name: "epoch not increased",
		edits: []edit{{
			"shard/roomlog/sqlitelog/owner.go",
			"= from.Epoch+1, false,",
			"= max(from.Epoch, 1), false,",
		}, {
			"shard/roomlog/memlog/memlog.go",
			"Epoch: now.Epoch + 1,",
			"Epoch: max(now.Epoch, 1),",
		}},
		nemeses: "kill",
	},
	{
		name: "history read off by one",
		edits: []edit{{
			"shard/commands.go",
			"c.Room, max(c.From, 1), c.Limit",
			"c.Room, max(c.From, 1)+1, c.Limit",
		}},
		nemeses: "join",
	},
	{
		name: "redirect without resume",
		edits: []edit{{
			"shard/commands.go",
			"after = min(at, r.head.Seq)",
			"after = max(at, r.head.Seq)",
		}},
		nemeses: "kill",
	},
	{
		name: "two rooms swapped",
		edits: []edit{{
			"shard/say.go",
			"\tp := s.joined[string(name)]\n",
			"\tp := s.joined[string(name)]\n\tfor other, q := range s.joined {\n\t\tif other != string(name) {\n\t\t\tname, p = []byte(other), q\n\t\t}\n\t}\n",
		}},
		nemeses: "join",
	},
	{
		name: "sequence reused after an error",
		edits: []edit{{
			"shard/commit.go",
			"if errors.Is(err, roomlog.ErrUnknown) {\n\t\t\tstored = p.resolve(records, epoch)\n\t\t}",
			"stored = nil",
		}},
		nemeses: "lose-answer",
	},
}
