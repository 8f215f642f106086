package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// event is one line of go test -json (see "go doc test2json").
type event struct {
	Action      string
	Package     string
	ImportPath  string // of build output
	Test        string
	Output      string
	Elapsed     float64 // s
	FailedBuild string
}

// goRun is one run of go test: what each test said, until it is known to have
// passed.
type goRun struct {
	*tally
	said   map[string][]string // package and test -> output
	failed map[string]int      // package -> tests that failed
	passed map[string]int
	parent map[string]bool // tests that have subtests: these are counted, not it
}

func (t *tally) goTests(r io.Reader) error {
	run := &goRun{tally: t, said: map[string][]string{}, failed: map[string]int{}, passed: map[string]int{}, parent: map[string]bool{}}
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		var e event
		if strings.HasPrefix(line, "{") && json.Unmarshal([]byte(line), &e) == nil {
			e.Package = strings.TrimSpace(e.Package + " " + t.build)
			run.event(e)
		} else if strings.TrimSpace(line) != "" {
			fmt.Fprint(t.out, line)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (g *goRun) event(e event) {
	key := e.Package + " " + e.Test
	if i := strings.LastIndex(e.Test, "/"); i > 0 {
		g.parent[e.Package+" "+e.Test[:i]] = true
	}
	switch e.Action {
	case "build-output":
		g.said["build "+e.ImportPath] = append(g.said["build "+e.ImportPath], e.Output)
	case "output":
		g.said[key] = append(g.said[key], e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" {
			g.packageEnds(e)
		} else {
			g.testEnds(e, key)
		}
		delete(g.said, key)
	}
}

func (g *goRun) testEnds(e event, key string) {
	switch {
	case e.Action == "skip":
		g.row("skip", e.Package, e.Test, reason(g.said[key]))
	case e.Action == "fail":
		// A parent fails because of a subtest, which was counted, or by itself.
		if !g.parent[key] || g.failed[key] == 0 {
			g.failed[e.Package]++
			g.row("fail", e.Package, e.Test, "")
		}
		for i, b := range []byte(e.Test) {
			if b == '/' {
				g.failed[e.Package+" "+e.Test[:i]]++
			}
		}
		g.show(key)
	case !g.parent[key]:
		g.passed[e.Package]++
		g.row("pass", e.Package, e.Test, "")
	}
}

// packageEnds says how a package did. One that fails although none of its tests
// did (it does not build, panicked, ran out of time) is a failure of its own.
func (g *goRun) packageEnds(e event) {
	key := e.Package + " "
	if e.Action == "fail" && g.failed[e.Package] == 0 {
		g.row("fail", e.Package, "(whole package)", "")
		g.show("build " + e.FailedBuild)
		g.showUnfinished(e.Package)
		g.show(key)
	}
	if n := g.passed[e.Package]; n > 0 || e.Action == "fail" {
		verdict := map[string]string{"pass": "ok   ", "fail": "FAIL ", "skip": "skip "}[e.Action]
		fmt.Fprintf(g.out, "%s %s: %d tests in %.1f s\n", verdict, e.Package, n+g.failed[e.Package], e.Elapsed)
	}
}

// showUnfinished shows the tests that were running when the package ended.
func (g *goRun) showUnfinished(pkg string) {
	for key := range g.said {
		if strings.HasPrefix(key, pkg+" ") && key != pkg+" " {
			g.show(key)
		}
	}
}

func (g *goRun) show(key string) {
	for _, line := range g.said[key] {
		if !strings.HasPrefix(line, "=== ") { // RUN, PAUSE, CONT: noise here
			fmt.Fprintln(g.out, "    "+strings.TrimSuffix(line, "\n"))
		}
	}
	delete(g.said, key)
}

// reason finds why a test was skipped: its last words before the verdict, which
// begin with a place ("    a_test.go:12: why").
func reason(output []string) string {
	why := "no reason given"
	for _, line := range output {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "===") || strings.HasPrefix(line, "---") {
			continue
		}
		if _, after, ok := strings.Cut(line, ".go:"); ok {
			_, after, _ = strings.Cut(after, ": ")
			line = after
		}
		why = line
	}
	return why
}
