// Command conformance runs the conformance tests of the plugins that come with
// the bridge and writes what they found as a table into the file named, between
// the marks <!-- conformance --> and <!-- /conformance -->. What a plugin cannot
// be tried for here (Python without grpcio, a program that is not installed) is
// not in the table, and it says so. It fails if a test does; the table is written
// all the same.
package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/espcam-bridge/espcam-bridge/plugins/plugintest"
)

const (
	begin = "<!-- conformance -->\n"
	end   = "<!-- /conformance -->"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "conformance: name the file that has the marks")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(1)
	}
}

func run(file string) (err error) {
	dir, err := os.MkdirTemp("", "conformance")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	test := exec.Command("go", "test", "-count=1", "-run", "Conform", "./plugins/...")
	test.Env = append(os.Environ(), plugintest.ReportsKey+"="+dir)
	test.Stdout, test.Stderr = os.Stderr, os.Stderr
	failed := test.Run()
	reports, err := read(os.DirFS(dir))
	if err != nil {
		return errors.Join(failed, err)
	}
	reports = slices.DeleteFunc(reports, func(r plugintest.Report) bool { // those of tests
		_, err := os.Stat(filepath.Join("plugins", r.Plugin, "README.md"))
		return err != nil
	})
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	out, err := replace(string(text), table(reports))
	if err != nil {
		return err
	}
	return errors.Join(failed, os.WriteFile(file, []byte(out), 0o644))
}

// read returns the reports, one for each plugin, by name: of a plugin that was
// tried in several ways a point has the worst of its outcomes.
func read(dir fs.FS) ([]plugintest.Report, error) {
	names, err := fs.Glob(dir, "*.json")
	if err != nil {
		return nil, err
	}
	merged := map[string]plugintest.Report{}
	for _, name := range names {
		text, err := fs.ReadFile(dir, name)
		if err != nil {
			return nil, err
		}
		var r plugintest.Report
		if err := json.Unmarshal(text, &r); err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Base(name), err)
		}
		if old, ok := merged[r.Plugin]; ok {
			r = worst(old, r)
		}
		merged[r.Plugin] = r
	}
	var out []plugintest.Report
	for _, r := range merged {
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b plugintest.Report) int { return cmp.Compare(a.Plugin, b.Plugin) })
	return out, nil
}

// worst takes of each point a failure before a success, and that before none.
func worst(a, b plugintest.Report) plugintest.Report {
	rank := []plugintest.State{plugintest.None, plugintest.Pass, plugintest.Left, plugintest.Fail}
	for i, p := range b.Points {
		if i < len(a.Points) && slices.Index(rank, p.State) > slices.Index(rank, a.Points[i].State) {
			a.Points[i] = p
		}
	}
	tiers := []string{"", plugintest.Bronze, plugintest.Silver}
	a.Tier = tiers[min(slices.Index(tiers, a.Tier), slices.Index(tiers, b.Tier))]
	return a
}

// table has a row for each plugin and a column for each point.
func table(reports []plugintest.Report) string {
	if len(reports) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("| plugin | tier |")
	for _, p := range reports[0].Points {
		fmt.Fprintf(&b, " %d |", p.Point)
	}
	b.WriteString("\n|---|---|" + strings.Repeat(":-:|", len(reports[0].Points)) + "\n")
	signs := map[plugintest.State]string{plugintest.Pass: "✓", plugintest.Fail: "**✗**", plugintest.None: "–", plugintest.Left: "**✗**"}
	for _, r := range reports {
		fmt.Fprintf(&b, "| %s %s | %s |", r.Plugin, r.Version, cmp.Or(r.Tier, "none"))
		for _, p := range r.Points {
			fmt.Fprintf(&b, " %s |", signs[p.State])
		}
		b.WriteString("\n")
	}
	return b.String()
}

// replace puts the table between the marks.
func replace(text, table string) (string, error) {
	before, rest, found := strings.Cut(text, begin)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		return "", fmt.Errorf("the file has no %s and %s", strings.TrimSpace(begin), end)
	}
	return before + begin + table + end + after, nil
}
