package plugintest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

// State is what became of a point. The set is fixed.
type State string

// The states.
const (
	Pass State = "pass"
	Fail State = "fail"
	None State = "-"         // it does not apply to this plugin; Detail says why
	Left State = "not tried" // the plugin never came so far that it could be
)

// Result is one point.
type Result struct {
	Point  int           `json:"point"` // 1 to 22
	Name   string        `json:"name"`
	State  State         `json:"state"`
	Detail string        `json:"detail,omitempty"` // one sentence
	Took   time.Duration `json:"took_ns"`
}

// The tiers, after what an author may put into a README.
const (
	Silver = "silver" // all points that apply
	Bronze = "bronze" // those of 1 to 11 that apply
)

const lastBronze = 11

// Report is what Check found.
type Report struct {
	Plugin  string   `json:"plugin"`
	Version string   `json:"version"`
	SDK     string   `json:"sdk"`
	Roles   []string `json:"roles"`
	Points  []Result `json:"points"` // in order
	Tier    string   `json:"tier"`   // silver, bronze, or "" for neither
}

// Failed reports whether a point failed.
func (r Report) Failed() bool {
	return slices.ContainsFunc(r.Points, func(p Result) bool { return p.State == Fail })
}

// tier needs all points.
func tier(points []Result) string {
	fails := func(last int) bool {
		return slices.ContainsFunc(points, func(p Result) bool { return p.Point <= last && p.State == Fail })
	}
	switch {
	case !fails(len(points)):
		return Silver
	case !fails(lastBronze):
		return Bronze
	}
	return ""
}

// Table is the report for people.
func (r Report) Table() string {
	var b strings.Builder
	if r.Plugin == "" {
		b.WriteString("a plugin that did not say what it is\n")
	} else {
		fmt.Fprintf(&b, "%s %s (%s, %s)\n", r.Plugin, r.Version, strings.Join(r.Roles, " "), r.SDK)
	}
	more, left := "", 0
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, p := range r.Points {
		if p.State == Left {
			left++
			continue
		}
		detail, rest, _ := strings.Cut(strings.TrimSpace(p.Detail), "\n")
		fmt.Fprintf(w, "%2d\t%s\t%s\t%s\n", p.Point, p.Name, p.State, detail)
		if rest != "" {
			more += fmt.Sprintf("\n%d, further:\n    %s\n\n", p.Point, strings.ReplaceAll(rest, "\n", "\n    "))
		}
	}
	_ = w.Flush() // a Builder takes everything
	b.WriteString(more)
	if left > 0 {
		fmt.Fprintf(&b, "the other %d were not tried\n", left)
	}
	switch r.Tier {
	case "":
		b.WriteString("no tier: a point of 1 to 11 failed\n")
	default:
		b.WriteString("tier: " + r.Tier + "\n")
	}
	return b.String()
}

// Check tries all points and tells report, which may be nil, of each as it is
// done. A plugin that does not start or say what it is fails the first point, and
// the others are left. The error is about the target itself: there is nothing to start, or
// settings that cannot be. It ends early with ctx. It takes some 5 to 60 s.
func Check(ctx context.Context, t Target, report func(Result)) (Report, error) {
	k, err := newKit(ctx, t)
	if err != nil {
		return Report{}, err
	}
	defer k.close()
	var points []Result
	for _, p := range order() {
		if ctx.Err() != nil {
			return Report{}, ctx.Err()
		}
		if k.hopeless() {
			points = append(points, Result{Point: p.number, Name: p.name, State: Left})
			continue
		}
		r := k.try(ctx, p)
		points = append(points, r)
		if report != nil {
			report(r)
		}
	}
	slices.SortFunc(points, func(a, b Result) int { return a.Point - b.Point })
	d := k.desc
	return Report{Plugin: d.GetName(), Version: d.GetVersion(), SDK: d.GetSdk(), Roles: roles(d), Points: points, Tier: tier(points)}, nil
}

// ReportsKey is the environment variable with a directory in which Run leaves its
// reports as JSON.
const ReportsKey = "PLUGINTEST_REPORTS"

// Run tries all points, each as a subtest.
func Run(t *testing.T, target Target) Report {
	t.Helper()
	report, err := Check(t.Context(), target, nil)
	if err == nil && os.Getenv(ReportsKey) != "" {
		err = report.save(os.Getenv(ReportsKey), t.Name())
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range report.Points {
		t.Run(fmt.Sprintf("%02d %s", p.Point, p.Name), func(t *testing.T) {
			switch p.State {
			case Fail:
				t.Error(p.Detail)
			case None, Left:
				t.Skip(p.Detail)
			}
		})
	}
	return report
}

// save writes the report into a directory, under the names of plugin and test.
func (r Report) save(dir, test string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	name := r.Plugin + "-" + strings.ReplaceAll(test, "/", "_") + ".json"
	return os.WriteFile(filepath.Join(dir, name), append(text, '\n'), 0o644)
}
