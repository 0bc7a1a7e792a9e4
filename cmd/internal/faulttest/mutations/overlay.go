package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// copies are changed copies of source files, by their path in the module.
type copies struct {
	root string
	text map[string]string
}

// apply puts a mutation into the copies, all of it or nothing.
func (c *copies) apply(m mutation) error {
	changed := map[string]string{}
	for _, e := range m.edits {
		text, known := changed[e.file]
		if !known {
			text, known = c.text[e.file]
		}
		if !known {
			b, err := os.ReadFile(filepath.Join(c.root, e.file))
			if err != nil {
				return fmt.Errorf("mutation %q: %w", m.name, err)
			}
			text = string(b)
		}
		if n := strings.Count(text, e.old); n != 1 {
			return fmt.Errorf("mutation %q does not apply any more: %s has this %d times, not once:\n%s", m.name, e.file, n, e.old)
		}
		changed[e.file] = strings.Replace(text, e.old, e.new, 1)
	}
	for file, text := range changed {
		c.text[file] = text
	}
	return nil
}

// write puts the copies into dir and returns the file that tells the go command
// to take them for what they are copies of.
func (c *copies) write(dir string) (overlay string, err error) {
	replace := map[string]string{}
	for file, text := range c.text {
		path := filepath.Join(dir, strings.ReplaceAll(file, "/", "_"))
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return "", err
		}
		replace[filepath.Join(c.root, file)] = path
	}
	b, err := json.Marshal(map[string]any{"Replace": replace})
	overlay = filepath.Join(dir, "overlay.json")
	return overlay, errors.Join(err, os.WriteFile(overlay, b, 0o600))
}
