package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// Node's test runner writes TAP or, newer and on terminals, its own form. Both
// end with the same numbers behind "#" or "ℹ", and mark skipped tests alike.
var (
	number  = regexp.MustCompile(`^(?:#|ℹ) (tests|pass|fail|cancelled|skipped|todo) (\d+)$`)
	skipped = regexp.MustCompile(`^\s*(?:ok \d+ - |﹣ )(.*?)(?: \([0-9.]+ms\))? # SKIP ?(.*)$`)
	failing = regexp.MustCompile(`^not ok \d+ - (.*)$`)
	passing = regexp.MustCompile(`^\s*(?:ok \d+ - |✔ )`)
)

// pageTests reads the page's test run. A run that ends without its numbers is a
// failure; so is one in which nothing ran.
func (t *tally) pageTests(r io.Reader) error {
	const suite = "page"
	count := map[string]int{}
	var said, failed []string
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		line = strings.TrimRight(line, "\n")
		said = append(said, line)
		if m := number.FindStringSubmatch(line); m != nil {
			n, _ := strconv.Atoi(m[2]) // digits only
			count[m[1]] += n
		}
		if m := skipped.FindStringSubmatch(line); m != nil {
			t.row("skip", suite, m[1], m[2])
		}
		if m := failing.FindStringSubmatch(line); m != nil {
			failed = append(failed, m[1])
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	for i := range count["pass"] {
		t.row("pass", suite, strconv.Itoa(i+1), "")
	}
	for i := range count["fail"] + count["cancelled"] {
		t.row("fail", suite, append(failed, make([]string, i+1)...)[i], "")
	}
	if count["tests"] == 0 {
		t.row("fail", suite, "(no tests ran)", "")
	}
	if t.failed > 0 {
		t.showPage(said)
	}
	verdict := "ok   "
	if t.failed > 0 {
		verdict = "FAIL "
	}
	fmt.Fprintf(t.out, "%s page: %d tests\n", verdict, count["tests"])
	return nil
}

// showPage prints the run without the tests that passed and their numbers.
func (t *tally) showPage(said []string) {
	detail := false // inside the lines that follow a passing TAP test
	for _, line := range said {
		switch trimmed := strings.TrimSpace(line); {
		case passing.MatchString(line):
			detail = true
		case detail && (trimmed == "---" || strings.HasPrefix(trimmed, "duration_ms") || strings.HasPrefix(trimmed, "type:")):
		case detail && trimmed == "...":
			detail = false
		case trimmed == "" || strings.HasPrefix(trimmed, "# Subtest") || number.MatchString(line):
		default:
			detail = false
			fmt.Fprintln(t.out, "    "+line)
		}
	}
}
