package wording_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/wording"
)

var begin = time.Date(2026, 11, 28, 22, 4, 5, 0, time.UTC)

func event() bridge.Event {
	return bridge.Event{
		ID: bridge.NewEventID(begin, 0), Camera: "porch", Begin: begin, Score: 0.61,
		Sources: []string{"pixels", "pir"}, Zones: []string{"door", "street"},
		Labels: []bridge.Detection{{Label: "dog", Score: 0.9}, {Label: "person", Score: 0.874}},
	}
}

func fields(t *testing.T, e bridge.Event, phase bridge.Phase, asked ...string) wording.Fields {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return wording.New(e, "Front porch", phase, begin.Add(3*time.Second), zone, asked, "http://bridge/#/porch")
}

// TestFields shows every field in a text.
func TestFields(t *testing.T) {
	over := event()
	over.End, over.Ending = begin.Add(72*time.Second), bridge.EndQuiet
	tests := []struct{ source, begin, end string }{
		{"{{.Camera.ID}}", "porch", "porch"},
		{"{{.Camera.Name}}", "Front porch", "Front porch"},
		{"{{.Event}}", event().ID, event().ID},
		{"{{.Phase}}", "begin", "end"},
		{"{{.Time}}", "23:04", "23:04"},
		{`{{.Time.Format "Mon 2 Jan 15:04:05 MST"}}`, "Sat 28 Nov 23:04:05 CET", "Sat 28 Nov 23:04:05 CET"},
		{"{{.Duration}}", "3 s", "1 min 12 s"},
		{"{{.Duration.Seconds}}", "3", "72"},
		{"{{.Label}}", "person", "dog"},
		{"{{.Labels}}", "[dog person]", "[dog person]"},
		{"{{.Zone}}", "door", "door"},
		{"{{list .Zones}}", "door and street", "door and street"},
		{"{{range .Zones}}{{.}};{{end}}", "door;street;", "door;street;"},
		{"{{range $i, $z := .Zones}}{{$i}}{{$z}}{{$.Phase}} {{end}}", "0doorbegin 1streetbegin", "0doorend 1streetend"},
		{"{{list .Sources}}", "pixels and pir", "pixels and pir"},
		{"{{percent .Score}}", "87 %", "90 %"},
		{`{{printf "%.1f" .Score}}`, "0.9", "0.9"},
		{"{{.Ending}}", "", "quiet"},
		{"{{.URL}}", "http://bridge/#/porch", "http://bridge/#/porch"},
		{`{{if and .Label (gt .Score 0.5)}}{{capital .Label | upper}}{{else}}no{{end}}`, "PERSON", "DOG"},
		{`{{with .Label}}{{.}}{{end}}`, "person", "dog"},
		{`{{$l := .Label}}{{$l = print $l "!"}}{{$l}}`, "person!", "dog!"},
		{"two\n{{.Camera.ID}}\x07", "two\nporch", "two\nporch"},
		{wording.DefaultTitle, "Person at Front porch", "Dog at Front porch"},
		{wording.DefaultText, "23:04, in door and street", "23:04, in door and street. It is over after 1 min 12 s."},
	}
	for _, tt := range tests {
		tmpl, err := wording.ParseText(tt.source)
		if err != nil {
			t.Errorf("%s: %v", tt.source, err)
			continue
		}
		for _, as := range []struct {
			fields wording.Fields
			want   string
		}{{fields(t, event(), bridge.PhaseBegin, "person"), tt.begin}, {fields(t, over, bridge.PhaseEnd), tt.end}} {
			if got, err := tmpl.Render(as.fields); err != nil || got != as.want {
				t.Errorf("%s is %q, %v, want %q", tt.source, got, err, as.want)
			}
		}
	}
	shown := ""
	for _, tt := range tests {
		shown += tt.source
	}
	for _, name := range wording.Names() {
		if !strings.Contains(shown, name) {
			t.Errorf("no example has %s", name)
		}
	}
}

func TestNothingFound(t *testing.T) {
	bare := bridge.Event{Camera: "porch", Begin: begin, Score: 0.61}
	for source, want := range map[string]string{
		wording.DefaultTitle: "Motion at Front porch",
		wording.DefaultText:  "23:04",
		"{{.Score}}":         "0.61",
		"a{{.Label}}{{.Zone}}{{list .Zones}}{{range .Labels}}x{{else}}none{{end}}": "anone",
	} {
		tmpl, err := wording.ParseTitle(source)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := tmpl.Render(fields(t, bare, bridge.PhaseBegin, "person")); err != nil || got != want {
			t.Errorf("%s is %q, %v, want %q", source, got, err, want)
		}
	}
}

func TestRefused(t *testing.T) {
	for _, tt := range []struct{ source, want string }{
		{"{{.Camera.Name", "is no template: 1: unclosed action"},
		{"{{nothing}}", "has nothing, which is not known: there are and, capital, eq"},
		{"{{.Camra.Name}}", "has .Camra.Name, which is not known: there are .Camera.ID, .Camera.Name, .Event"},
		{"{{.Camera.Nme}}", "has .Camera.Nme, which is not known"},
		{"{{.Time.Add 5}}", "has .Time.Add, which is not known"},
		{`{{if eq .Phase "never"}}{{.Wrong}}{{end}}`, "has .Wrong, which is not known"},
		{`{{if .Label}}{{else}}{{.Wrong}}{{end}}`, "has .Wrong, which is not known"},
		{`{{range .Labels}}{{.Name}}{{end}}`, "has .Name, which is not known"},
		{`{{range .Labels}}{{else}}{{.Name}}{{end}}`, "has .Name, which is not known"},
		{`{{range $l := .Labels}}{{$l.Name}}{{end}}`, "has $l.Name, which is not known"},
		{`{{range .Labels}}{{$.Wrong}}{{end}}`, "has .Wrong, which is not known"},
		{`{{$c := .Camera}}{{$c.Wrong}}`, "has $c.Wrong, which is not known"},
		{`{{with .Camera}}{{.Wrong}}{{end}}`, "has .Wrong, which is not known"},
		{`{{(.Camera).Wrong}}`, "has .Wrong, which is not known"},
		{`{{upper (lower .Wrong)}}`, "has .Wrong, which is not known"},
		{`{{html .Label}}`, "has html, which is not known: there are and, capital, eq"},
		{`{{call .Label}}`, "has call, which is not known"},
		{"{{index .Labels 0}}", "fails for the begin of an event without labels and zones"},
		{`{{if eq .Phase "end"}}{{index .Labels 7}}{{end}}`, "fails for the end of an event"},
		{`{{.Score.Value}}`, "has .Score.Value, which is not known"},
		{`{{define "x"}}{{template "x"}}{{end}}{{template "x"}}`, "must not define templates"},
		{`{{block "x" .}}{{end}}`, "must not define templates"},
		{`{{template ""}}`, "must not call templates"},
		{`{{range 1000000000}}{{end}}`, "has a range over what is no list: the lists are .Labels, .Zones, .Sources"},
		{`{{range .Label}}{{end}}`, "has a range over what is no list"},
		{`{{$n := 1000000000}}{{range $n}}{{end}}`, "has a range over what is no list"},
		{`{{range .Zones}}{{range $.Zones}}{{end}}{{end}}`, "must not have a range within a range"},
		{`{{printf "%1000000d" 1}}`, "printf has a width above 99"},
		{`{{printf "%*d" 1000000 1}}`, "printf has a width above 99"},
		{`{{.Time.Format "` + strings.Repeat("1", 101) + `"}}`, "the form of a time has 101 characters"},
		{strings.Repeat("x", 4001), "is a template of 4001 bytes: use at most 4000"},
	} {
		if tmpl, err := wording.ParseText(tt.source); err == nil || tmpl != nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.60s: got %v, want %s", tt.source, err, tt.want)
		}
	}
	var unknown *wording.UnknownError
	if _, err := wording.ParseTitle("{{.Zons}}"); !errors.As(err, &unknown) || unknown.Name != ".Zons" || len(unknown.Known) < 10 {
		t.Errorf("got %#v", err)
	}
}

// TestBounded gives templates that grow as far as the language lets them.
func TestBounded(t *testing.T) {
	double := `{{$a := "xxxxxxxxxx"}}` + strings.Repeat(`{{$a = printf "%s%[1]s%[1]s%[1]s" $a}}`, 60) + `{{$a}}`
	for _, source := range []string{
		double,
		strings.Repeat("ü", 1900),
		`{{range .Zones}}{{printf "%99d" 1}}{{printf "%99d" 1}}{{end}}` + strings.Repeat("x", 3000),
		`{{$t := "1111111111"}}` + strings.Repeat(`{{$t = .Time.Format "1111111111"}}`, 60) + `{{$t}}`,
	} {
		for _, p := range []struct {
			parse func(string) (*wording.Template, error)
			limit int
		}{{wording.ParseTitle, wording.MaxTitle}, {wording.ParseText, wording.MaxText}} {
			tmpl, err := p.parse(source)
			if err != nil {
				t.Fatal(err)
			}
			words, err := tmpl.Render(fields(t, event(), bridge.PhaseBegin))
			n := utf8.RuneCountInString(words)
			if err != nil || n == 0 || n > p.limit || !utf8.ValidString(words) || n == p.limit && !strings.HasSuffix(words, "…") {
				t.Errorf("%.40s: %d characters, %v", source, n, err)
			}
		}
	}
	exact, err := wording.ParseTitle(strings.Repeat("x", wording.MaxTitle))
	if err != nil {
		t.Fatal(err)
	}
	if words, err := exact.Render(wording.Fields{}); err != nil || words != strings.Repeat("x", wording.MaxTitle) {
		t.Errorf("a title that fits is %q, %v", words, err)
	}
}

func TestTitleIsOneLine(t *testing.T) {
	e := event()
	e.Zones = []string{"a\r\nb\x00\xff"}
	tmpl, err := wording.ParseTitle("one\n{{.Zone}}\n")
	if err != nil {
		t.Fatal(err)
	}
	if words, err := tmpl.Render(fields(t, e, bridge.PhaseBegin)); err != nil || words != "one a  b ?" {
		t.Errorf("got %q, %v", words, err)
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0 s", 1499 * time.Millisecond: "1 s", 59600 * time.Millisecond: "1 min 0 s", 125 * time.Second: "2 min 5 s", 62 * time.Minute: "1 h 2 min",
	} {
		if got := wording.Span(d).String(); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}

// FuzzParse wants of any template: an answer soon, and words within bounds from
// what is accepted.
func FuzzParse(f *testing.F) {
	for _, s := range []string{wording.DefaultTitle, wording.DefaultText, `{{range $i, $l := .Labels}}{{$l}}{{end}}`, `{{printf "%5.2f" .Score}}`, `{{define "x"}}{{end}}`, `{{with $x := .Camera}}{{$x.Name}}{{end}}`} {
		f.Add(s, "door")
	}
	f.Fuzz(func(t *testing.T, source, zone string) {
		start := time.Now()
		tmpl, err := wording.ParseText(source)
		if err == nil {
			e := event()
			e.Zones = []string{zone}
			if words, err := tmpl.Render(fields(t, e, bridge.PhaseEnd)); err == nil && (utf8.RuneCountInString(words) > wording.MaxText || !utf8.ValidString(words)) {
				t.Errorf("%q became %q", source, words)
			}
		} else if err.Error() == "" {
			t.Error("an error without words")
		}
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("took %v", d)
		}
	})
}

// TestReadme keeps the table of fields and functions true.
func TestReadme(t *testing.T) {
	b, err := os.ReadFile("../alert/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(wording.Names(), wording.Functions()...) {
		if !strings.Contains(string(b), "`"+name) {
			t.Errorf("the page does not have %s", name)
		}
	}
}
