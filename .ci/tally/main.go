// Command tally reads what a test runner says, shows it briefly, and adds a row
// for each test to a file: verdict (pass, fail or skip), suite, name, reason,
// separated by tabs. "tally sum FILE" prints the end of make test from it.
//
//	go test -json ./... | tally go RESULTS [BUILD]
//	npm test            | tally page RESULTS
//	                      tally sum RESULTS
//
// BUILD, such as "with OpenCV", is put behind the packages' names and tells one
// build's rows from another's. A test that passed says nothing; one that failed is shown whole. sum exits
// with 1 if any row failed or there is none.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
)

func main() {
	args := append(os.Args[1:], "") // no BUILD
	if len(args) != 3 && len(args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: tally go|page|sum FILE [BUILD]")
		os.Exit(2)
	}
	ok, err := run(args[0], args[1], args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, "tally:", err)
		os.Exit(2)
	}
	if !ok {
		os.Exit(1)
	}
}

func run(what, path, build string) (ok bool, err error) {
	if what == "sum" {
		f, err := os.Open(path)
		if err != nil {
			return false, err
		}
		defer f.Close()
		return sum(f, os.Stdout)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return false, err
	}
	t := &tally{out: os.Stdout, rows: f, build: build}
	switch what {
	case "go":
		err = t.goTests(os.Stdin)
	case "page":
		err = t.pageTests(os.Stdin)
	default:
		err = fmt.Errorf("there is no runner %q", what)
	}
	if err == nil {
		err = t.err
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return t.failed == 0, err
}

// tally gathers rows; its first failure to write one is kept in err.
type tally struct {
	out    io.Writer
	rows   io.Writer
	build  string // stands behind each Go package's name
	failed int
	err    error
}

func (t *tally) row(verdict, suite, name, reason string) {
	if verdict == "fail" {
		t.failed++
	}
	line := strings.Join([]string{verdict, oneLine(suite), oneLine(name), oneLine(reason)}, "\t")
	if _, err := fmt.Fprintln(t.rows, line); t.err == nil {
		t.err = err
	}
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// sum prints the skipped and failed tests and, as its last line, the numbers.
func sum(r io.Reader, w io.Writer) (ok bool, err error) {
	count := map[string]int{}
	var skipped, failed []string
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		cells := strings.Split(lines.Text(), "\t")
		if len(cells) != 4 {
			return false, fmt.Errorf("not a row of results: %q", lines.Text())
		}
		count[cells[0]]++
		name := strings.TrimSpace(cells[1] + " " + cells[2])
		switch cells[0] {
		case "skip":
			skipped = append(skipped, name+": "+cells[3])
		case "fail":
			failed = append(failed, name)
		}
	}
	list(w, "skipped:", skipped)
	list(w, "failed:", failed)
	fmt.Fprintf(w, "%d passed, %d failed", count["pass"], count["fail"])
	if n := count["skip"]; n > 0 {
		fmt.Fprintf(w, ", %d skipped", n)
	}
	fmt.Fprintln(w)
	return count["fail"] == 0 && count["pass"] > 0, lines.Err()
}

func list(w io.Writer, title string, names []string) {
	if len(names) == 0 {
		return
	}
	fmt.Fprintln(w, title)
	for _, n := range names {
		fmt.Fprintln(w, "  "+n)
	}
}
