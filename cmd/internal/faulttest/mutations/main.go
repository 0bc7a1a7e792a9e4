package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

func main() {
	only := flag.String("only", "", "only mutations whose name has this in it")
	keep := flag.String("keep", "", "keep what the witnesses said in this folder")
	which := flag.String("witness", "", "only this witness: fault or twin")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	uncaught, err := run(ctx, *only, *which, *keep)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if uncaught > 0 {
		fmt.Printf("%d mutations were not caught\n", uncaught)
		os.Exit(1)
	}
}

// moduleRoot is the folder with go.mod.
func moduleRoot() (string, error) {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	return filepath.Dir(strings.TrimSpace(string(out))), err
}

// unmutated is the control: under all the nemeses to come nothing may be caught.
func unmutated(only string) mutation {
	var nemeses []string
	for _, m := range mutations {
		for _, n := range strings.Split(m.nemeses, ",") {
			if strings.Contains(m.name, only) && !slices.Contains(nemeses, n) {
				nemeses = append(nemeses, n)
			}
		}
	}
	return mutation{name: "none", nemeses: strings.Join(nemeses, ",")}
}

// run puts every mutation before every witness and prints the table as it
// grows. The first witness must catch them all.
func run(ctx context.Context, only, which, keep string) (uncaught int, err error) {
	root, err := moduleRoot()
	if err != nil {
		return 0, err
	}
	dir := keep
	if dir == "" {
		if dir, err = os.MkdirTemp("", "px-mutations-"); err != nil {
			return 0, err
		}
		defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return 0, err
	}
	var chosen []witness
	header := "| Mutation |"
	for _, w := range witnesses {
		if _, err := os.Stat(filepath.Join(root, w.folder)); err == nil && strings.HasPrefix(w.name, which) {
			chosen = append(chosen, w)
			header += " " + w.name + " |"
		}
	}
	fmt.Println(header + "\n" + strings.Repeat("|---", len(chosen)+1) + "|")
	for i, m := range append([]mutation{unmutated(only)}, mutations...) {
		if i > 0 && !strings.Contains(m.name, only) {
			continue
		}
		c := &copies{root: root, text: map[string]string{}}
		if err := c.apply(m); err != nil {
			return uncaught, err
		}
		of := filepath.Join(dir, fmt.Sprint(i))
		if err := os.MkdirAll(of, 0o700); err != nil {
			return uncaught, err
		}
		overlay, err := c.write(of)
		if err != nil {
			return uncaught, err
		}
		fmt.Printf("| %s |", m.name)
		for n, w := range chosen {
			v, err := w.ask(ctx, root, of, overlay, m)
			if err != nil {
				fmt.Println()
				return uncaught, err
			}
			switch {
			case i == 0 && v.failed:
				fmt.Println()
				return uncaught, fmt.Errorf("the %s fails without a mutation: %s (-keep shows what it said)", w.name, v)
			case i == 0:
				fmt.Printf(" nothing, %.0f s |", v.took.Seconds())
				continue
			}
			fmt.Printf(" %s |", v)
			if !v.caught && n == 0 {
				uncaught++
			}
		}
		fmt.Println()
	}
	return uncaught, nil
}
