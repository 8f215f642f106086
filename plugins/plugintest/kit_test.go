package plugintest

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/espcam-bridge/espcam-bridge/plugins/sdk"
)

// check tries the twin with that fault, with fewer repetitions than for others.
func check(t *testing.T, fault int) Report {
	t.Helper()
	report, err := Check(t.Context(), Target{
		Command: []string{os.Args[0]}, Env: []string{fmt.Sprintf("%s=%d", faultKey, fault)},
		restarts: 2, events: 40,
	}, nil)
	if err != nil {
		t.Error(err)
	}
	return report
}

// TestEachPointNotices: the plugin without a fault passes everything; one with
// the fault of a point fails that and no other.
func TestEachPointNotices(t *testing.T) {
	// Most of the time is spent waiting: more at once than there are processors.
	var wg sync.WaitGroup
	slots := make(chan struct{}, 6)
	reports := make([]Report, len(points())+1)
	for fault := range reports {
		wg.Go(func() {
			slots <- struct{}{}
			reports[fault] = check(t, fault)
			<-slots
		})
	}
	wg.Wait()
	for fault, report := range reports {
		t.Run(fmt.Sprint(fault), func(t *testing.T) {
			if len(report.Points) != 22 {
				t.Fatalf("%d points", len(report.Points))
			}
			for n, p := range report.Points {
				want := Pass
				if p.Point == fault {
					want = Fail
				}
				if p.State != want || p.Point != n+1 {
					t.Errorf("%d %s: %s, want %s: %s", p.Point, p.Name, p.State, want, p.Detail)
				}
			}
			want := Silver
			if fault > lastBronze {
				want = Bronze
			} else if fault > 0 {
				want = ""
			}
			if report.Tier != want {
				t.Errorf("tier %q, want %q", report.Tier, want)
			}
			t.Log("\n" + report.Table())
		})
	}
}

// TestSinkOnly: what does not apply to a plugin is neither passed nor failed.
func TestSinkOnly(t *testing.T) {
	report, err := Check(t.Context(), Target{
		Command: []string{os.Args[0]}, Env: []string{faultKey + "=" + sinkOnly}, Skip: map[int]string{20: "to see it"}, restarts: 1,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	none := map[int]string{4: "nothing is required", 10: "no setting leads", 11: "no notifier", 12: "neither", 13: "no notifier",
		14: "no detector", 15: "no detector", 20: "to see it", 21: "no secrets"}
	for _, p := range report.Points {
		why, isNone := none[p.Point]
		if isNone != (p.State == None) || p.State == Fail || !strings.Contains(p.Detail, why) {
			t.Errorf("%d %s: %s %s", p.Point, p.Name, p.State, p.Detail)
		}
	}
	if report.Tier != Silver || report.SDK != "go/"+sdk.Version {
		t.Error(report.Tier, report.SDK)
	}
}

// TestNeverStarts: the first point fails with the reason, and the others are not
// tried.
func TestNeverStarts(t *testing.T) {
	var told []int
	report, err := Check(t.Context(), Target{Command: []string{os.Args[0]}, Env: []string{faultKey + "=" + broken}},
		func(r Result) { told = append(told, r.Point) })
	if err != nil {
		t.Fatal(err)
	}
	if p := report.Points[0]; p.State != Fail || !strings.Contains(p.Detail, "no handshake") {
		t.Errorf("%s: %s", p.State, p.Detail)
	}
	for _, p := range report.Points[1:] {
		if p.State != Left || p.Detail != "" {
			t.Errorf("%d %s: %s %s", p.Point, p.Name, p.State, p.Detail)
		}
	}
	if report.Tier != "" || len(report.Points) != 22 || !slices.Equal(told, []int{1}) || !report.Failed() {
		t.Error(report.Tier, told)
	}
}
