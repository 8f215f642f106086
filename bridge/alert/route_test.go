package alert

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// TestConditions tells one event to routes that differ in one condition each.
func TestConditions(t *testing.T) {
	person := []bridge.Detection{{Label: "dog", Score: 0.9}, {Label: "person", Score: 0.6}}
	for _, tt := range []struct {
		name  string
		route Route
		told  bool
		why   string // it is suppressed
	}{
		{"all", Route{}, true, ""},
		{"camera", Route{Cameras: []string{"yard", "porch"}}, true, ""},
		{"other camera", Route{Cameras: []string{"yard"}}, false, ""},
		{"no camera", Route{Cameras: []string{}}, false, ""},
		{"label", Route{Labels: []string{"cat", "person"}}, true, ""},
		{"other label", Route{Labels: []string{"cat"}}, false, "labels"},
		{"label and score", Route{Labels: []string{"person"}, MinScore: 0.6}, true, ""},
		{"label too weak", Route{Labels: []string{"person"}, MinScore: 0.61}, false, "labels"},
		{"zone", Route{Zones: []string{"door"}}, true, ""},
		{"other zone", Route{Zones: []string{"street"}}, false, "zones"},
		{"source", Route{Sources: []string{"pir", "pixels"}}, true, ""},
		{"other source", Route{Sources: []string{"pir"}}, false, "sources"},
		{"score", Route{MinScore: 0.5}, true, ""},
		{"too weak", Route{MinScore: 0.51}, false, "min_score"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := begin(t, "", phones(tt.route))
				e := happens("porch")
				e.Labels, e.Zones = person, []string{"door"}
				r.hear(e)
				time.Sleep(time.Second)
				r.hear(over(e))
				if tt.told {
					r.wantTold("phone begin porch")
				} else {
					r.wantTold()
				}
				got := r.alerts.Stats().Suppressed
				if tt.why == "" && len(got) > 0 || tt.why != "" && got[tt.why] != 1 {
					t.Errorf("suppressed %v, want %q", got, tt.why)
				}
			})
		})
	}
}

// TestGrows: conditions may be fulfilled while the event goes on.
func TestGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := begin(t, "", phones(Route{Zones: []string{"door"}, MinScore: 0.8, Phases: allPhases}))
		e := happens("porch")
		r.hear(e)
		time.Sleep(40 * time.Second)
		e.Zones = []string{"door"}
		r.hear(e)
		r.wantTold()
		e.Score = 0.8
		r.hear(e)
		r.wantTold("phone begin porch")
		if got := r.post.last(t).Event; got.Score != 0.8 || got.Zones[0] != "door" {
			t.Errorf("told of %+v", got)
		}
	})
}

func TestPhases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := begin(t, "", Config{Routes: []Route{
			{Name: "all", To: []string{"phone"}, Phases: allPhases, Picture: true},
			{Name: "end", To: []string{"mail"}, Phases: []bridge.Phase{"end"}},
		}})
		e := happens("porch")
		r.hear(e, e) // the second has nothing new
		e.Score = 0.9
		r.hear(e) // nothing that a person could see
		e.Picture = picture("porch", 2)
		r.hear(e)
		e.Labels = []bridge.Detection{{Label: "cat", Score: 0.5}}
		r.hear(e)
		e.Zones = []string{"door"}
		r.hear(e)
		r.hear(over(e))
		want := []string{"phone begin porch", "phone update porch", "phone update porch", "phone update porch"}
		if got := r.post.told(); !slices.Equal(got[:4], want) || !sameSet(got[4:], []string{"phone end porch", "mail end porch"}) {
			t.Errorf("told %q", got)
		}
		last := r.post.last(t)
		if !last.Event.Over() || len(r.alerts.stories) != 0 {
			t.Errorf("the end is %+v, and %d stories go on", last.Event, len(r.alerts.stories))
		}
	})
}

// TestAtOnce: a slow reader may hear of an event when it is over already.
func TestAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := begin(t, "", phones(Route{Phases: allPhases, HoldOff: time.Minute}))
		r.hear(over(happens("porch")))
		r.wantTold("phone begin porch", "phone end porch")
	})
}

func TestWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		berlin := zone(t, "Europe/Berlin")
		r := begin(t, "", Config{Routes: []Route{{
			Name: "r", To: []string{"phone", "mail"}, TimeZone: berlin, Labels: []string{"person"}, Picture: true, Priority: 5,
			Text:    `{{.Camera.ID}} {{.Label}} {{.Time}} {{percent .Score}} {{.URL}}`,
			Actions: []bridge.AlertAction{{Label: "Gate", URL: "https://gate"}},
		}, {Name: "usual", To: []string{"phone"}}}})
		e := happens("porch")
		e.Labels = []bridge.Detection{{Label: "dog", Score: 0.9}, {Label: "person", Score: 0.6}}
		r.hear(e)
		if n := len(r.post.told()); n != 3 {
			t.Fatalf("%d messages", n)
		}
		for _, c := range r.post.all() {
			if c.Priority == 3 {
				if c.Title != "Dog at Camera porch" || c.Text != "00:00" || !c.Event.Picture.IsZero() {
					t.Errorf("the usual is %+v", c)
				}
				continue
			}
			if c.Title != "Person at Camera porch" || c.Text != "porch person 01:00 60 % http://bridge/#/porch/"+e.ID || c.URL != "http://bridge/#/porch/"+e.ID {
				t.Errorf("said %q, %q, %q", c.Title, c.Text, c.URL)
			}
			if c.Priority != 5 || len(c.Actions) != 1 || c.Name != "Camera porch" || c.Attempt != 1 || string(c.Event.Picture.JPEG()) != string(e.Picture.JPEG()) {
				t.Errorf("sent %+v", c)
			}
		}
	})
}

func TestBadTemplate(t *testing.T) {
	for _, r := range []Route{{Name: "r", Title: "{{.No}}"}, {Name: "r", Text: "{{"}} {
		if _, err := New(Config{Routes: []Route{r}}, Deps{}); bridge.CodeOf(err) != bridge.CodeInvalid {
			t.Errorf("got %v", err)
		}
	}
}

// TestFailingTemplate: what fails only now gives way to usual words.
func TestFailingTemplate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := begin(t, "", phones(Route{Title: `{{if eq .Camera.ID "odd"}}{{index .Labels 5}}{{end}}x`, Text: "fine"}))
		r.hear(happens("odd"))
		if last := r.post.last(t); last.Title != "Motion at Camera odd" || last.Text != "fine" {
			t.Errorf("said %q, %q", last.Title, last.Text)
		}
	})
}

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestQuietTimes(t *testing.T) {
	berlin, sydney := zone(t, "Europe/Berlin"), zone(t, "Australia/Sydney")
	night := Quiet{From: 22 * time.Hour, To: 7 * time.Hour, Zone: berlin}
	weekend := Quiet{From: 22 * time.Hour, To: 7 * time.Hour, Zone: berlin, Days: []time.Weekday{time.Friday, time.Saturday}}
	noon := Quiet{From: 12 * time.Hour, To: 13*time.Hour + 30*time.Minute, Zone: berlin}
	gap := Quiet{From: 2*time.Hour + 15*time.Minute, To: 2*time.Hour + 45*time.Minute, Zone: berlin}
	for _, tt := range []struct {
		name  string
		quiet Quiet
		at    string // UTC
		want  bool
	}{
		{"before", night, "2026-11-27T20:59:59Z", false},
		{"begins", night, "2026-11-27T21:00:00Z", true},
		{"midnight", night, "2026-11-27T23:00:00Z", true},
		{"nearly over", night, "2026-11-28T05:59:59Z", true},
		{"over", night, "2026-11-28T06:00:00Z", false},
		{"an hour earlier in summer", night, "2026-07-01T20:00:00Z", true},
		{"over in summer", night, "2026-07-01T05:00:00Z", false},

		{"Friday night", weekend, "2026-11-27T22:00:00Z", true},
		{"that night on Saturday", weekend, "2026-11-28T03:00:00Z", true},
		{"the night from Saturday on Sunday", weekend, "2026-11-29T03:00:00Z", true},
		{"Sunday night", weekend, "2026-11-29T22:00:00Z", false},
		{"Monday morning", weekend, "2026-11-30T03:00:00Z", false},
		{"Thursday night on Friday", weekend, "2026-11-27T03:00:00Z", false},

		{"noon", noon, "2026-11-27T11:30:00Z", true},
		{"to is not quiet", noon, "2026-11-27T12:30:00Z", false},

		// In spring 2:00 to 3:00 is left out, in autumn it comes twice.
		{"before the gap", gap, "2026-03-29T00:59:00Z", false},
		{"after the gap", gap, "2026-03-29T01:00:00Z", false},
		{"first time", gap, "2026-10-25T00:20:00Z", true},
		{"between", gap, "2026-10-25T00:50:00Z", false},
		{"second time", gap, "2026-10-25T01:20:00Z", true},
		{"night of spring, long over", night, "2026-03-29T05:00:00Z", false},
		{"night of spring", night, "2026-03-29T04:59:00Z", true},
		{"night of autumn", night, "2026-10-25T05:59:00Z", true},

		{"southern summer", Quiet{From: 22 * time.Hour, To: 7 * time.Hour, Zone: sydney}, "2026-12-01T11:00:00Z", true},
		{"all day", Quiet{Zone: berlin}, "2026-11-27T11:30:00Z", true},
		{"all of Sunday", Quiet{Zone: berlin, Days: []time.Weekday{time.Sunday}}, "2026-11-29T11:30:00Z", true},
		{"not on Monday", Quiet{Zone: berlin, Days: []time.Weekday{time.Sunday}}, "2026-11-30T11:30:00Z", false},
	} {
		at, err := time.Parse(time.RFC3339, tt.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := tt.quiet.covers(at); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// TestQuiet: an event that begins while it is quiet is never told; one that was
// told is not told of while it is quiet.
func TestQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := phones(Route{Phases: allPhases, TimeZone: time.UTC, Quiet: []Quiet{{From: 0, To: time.Hour}, {From: 2 * time.Hour, To: 3 * time.Hour}}})
		r := begin(t, "", cfg)
		e := happens("porch") // at midnight
		r.hear(e)
		time.Sleep(61 * time.Minute)
		r.hear(over(e))
		r.wantTold()
		e = happens("yard")
		r.hear(e)
		time.Sleep(time.Hour)
		r.hear(over(e))
		r.wantTold("phone begin yard")
		if got := r.alerts.Stats().Suppressed["quiet"]; got != 2 {
			t.Errorf("%d suppressed, want 2", got)
		}
	})
}

func TestCooldown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := Config{Routes: []Route{
			{Name: "a", To: []string{"phone"}, Phases: allPhases, Cooldown: time.Minute},
			{Name: "b", To: []string{"mail"}, Cooldown: 30 * time.Second},
		}}
		r := begin(t, "", cfg)
		first := happens("porch")
		r.hear(first)
		time.Sleep(40 * time.Second)
		second := happens("porch") // too soon for a, not for b
		r.hear(second, happens("yard"))
		first.Zones, second.Zones = []string{"door"}, []string{"door"}
		r.hear(first, second) // only the first was told
		r.hear(over(second), over(first))
		want := []string{
			"phone begin porch", "mail begin porch", "mail begin porch", "phone begin yard", "mail begin yard",
			"phone update porch", "phone end porch",
		}
		if got := r.post.told(); !sameSet(got, want) {
			t.Errorf("told %q, want %q", got, want)
		}
		if got := r.alerts.Stats().Suppressed["cooldown"]; got != 1 {
			t.Errorf("%d suppressed, want 1", got)
		}

		// A restart does not shorten it.
		time.Sleep(19 * time.Second)
		r.end()
		r = begin(t, r.dir, cfg)
		r.hear(happens("porch"))
		r.wantTold() // a: 59 s; b: 19 s
		time.Sleep(time.Second)
		r.hear(happens("porch"))
		r.wantTold("phone begin porch")
	})
}

func sameSet(a, b []string) bool {
	count := map[string]int{}
	for _, s := range a {
		count[s]++
	}
	for _, s := range b {
		count[s]--
	}
	for _, n := range count {
		if n != 0 {
			return false
		}
	}
	return true
}

func TestHoldOffForPicture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := begin(t, "", phones(Route{HoldOff: 5 * time.Second, Picture: true, Phases: allPhases}))
		e := happens("porch")
		r.hear(e)
		time.Sleep(3 * time.Second)
		e.Picture = picture("porch", 2)
		r.hear(e)
		time.Sleep(1999 * time.Millisecond)
		r.wantTold()
		time.Sleep(time.Millisecond)
		r.wantTold("phone begin porch")
		if got := r.post.last(t).Event.Picture.Seq; got != 2 {
			t.Errorf("sent picture %d, want the better one", got)
		}
		short := happens("yard")
		r.hear(short)
		time.Sleep(time.Second)
		r.hear(over(short)) // nothing better will come
		r.wantTold("phone begin porch", "phone begin yard", "phone end yard")
	})
}

// TestFirstPicture: an event of a sensor has none yet.
func TestFirstPicture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := begin(t, "", Config{Routes: []Route{{Name: "picture", To: []string{"phone"}, Picture: true}, {Name: "none", To: []string{"mail"}}}})
		e := happens("porch")
		e.Picture = bridge.Frame{}
		r.hear(e)
		r.wantTold("mail begin porch")
		time.Sleep(300 * time.Millisecond)
		e.Picture = picture("porch", 4)
		r.hear(e)
		r.wantTold("mail begin porch", "phone begin porch")
		if got := r.post.last(t).Event.Picture.Seq; got != 4 {
			t.Errorf("sent picture %d", got)
		}
		e = happens("yard")
		e.Picture = bridge.Frame{}
		r.hear(e)
		time.Sleep(time.Second)
		r.wantTold("mail begin porch", "phone begin porch", "mail begin yard", "phone begin yard")
	})
}

func TestHoldOffForLabel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := begin(t, "", phones(Route{Labels: []string{"person"}, Zones: []string{"door"}, Phases: allPhases}))
		e := happens("porch")
		r.hear(e)
		time.Sleep(9 * time.Second)
		e.Labels = []bridge.Detection{{Label: "person", Score: 0.5}}
		r.hear(e) // in time, but nobody is at the door
		time.Sleep(20 * time.Second)
		r.wantTold()
		e.Zones = []string{"door"}
		r.hear(e)
		r.wantTold("phone begin porch")

		late := happens("yard")
		late.Zones = []string{"door"}
		r.hear(late)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if got := r.alerts.Stats().Suppressed["labels"]; got != 1 {
			t.Errorf("%d let go, want 1", got)
		}
		late.Labels = e.Labels
		r.hear(late, over(late))
		r.wantTold("phone begin porch")
	})
}
