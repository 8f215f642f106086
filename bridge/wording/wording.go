// Package wording puts an event into the words of an alert: templates that
// people write in the configuration, and the fields that they may use.
//
// Config checks templates with it, alert renders with it. A template is text
// with Go's text/template in it, in a subset that ends soon and stays small
// whatever stands in it: no templates in templates, a range only over a list and
// not within another, functions whose results are bounded, output that is cut.
// What Parse accepts has run against sample events, so that a wrong name is
// found when the file is read, never when somebody stands at the door. It does
// no I/O and starts no goroutine.
package wording

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"text/template"
	"unicode"
)

const (
	// MaxTitle and MaxText bound what is rendered, in characters. Longer words
	// are cut and end with an ellipsis.
	MaxTitle = 250
	MaxText  = 1000

	maxSource = 4000 // bytes of a template
)

// DefaultTitle and DefaultText are the templates of a route that has none.
const (
	DefaultTitle = `{{if .Label}}{{capital .Label}}{{else}}Motion{{end}} at {{.Camera.Name}}`
	DefaultText  = `{{.Time}}{{if .Zones}}, in {{list .Zones}}{{end}}{{if eq .Phase "end"}}. It is over after {{.Duration}}.{{end}}`
)

// Template is a checked template.
type Template struct {
	tmpl  *template.Template
	limit int  // characters
	lines bool // more than one is allowed
}

// ParseTitle reads the template of a title, which has one line of at most
// MaxTitle characters. The error is a sentence that follows the name of a key;
// an *UnknownError if a name is not known.
func ParseTitle(source string) (*Template, error) { return read(source, MaxTitle, false) }

// ParseText does the same for a text of at most MaxText characters.
func ParseText(source string) (*Template, error) { return read(source, MaxText, true) }

func read(source string, limit int, lines bool) (*Template, error) {
	if len(source) > maxSource {
		return nil, fmt.Errorf("is a template of %d bytes: use at most %d", len(source), maxSource)
	}
	tmpl, err := template.New("").Funcs(functions()).Parse(source)
	if err != nil {
		if m := noFunction.FindStringSubmatch(err.Error()); m != nil {
			return nil, &UnknownError{Name: m[1], Known: Functions()}
		}
		return nil, fmt.Errorf("is no template: %s", reason(err))
	}
	if err := check(tmpl); err != nil {
		return nil, err
	}
	t := &Template{tmpl: tmpl, limit: limit, lines: lines}
	if err := t.try(); err != nil {
		return nil, err
	}
	return t, nil
}

// noFunction is how text/template says it.
var noFunction = regexp.MustCompile(`function "([^"]*)" not defined$`)

// try renders the samples.
func (t *Template) try() error {
	for _, s := range samples() {
		if _, err := t.Render(s.fields); err != nil {
			return fmt.Errorf("fails for %s: %s", s.what, reason(err))
		}
	}
	return nil
}

// Render returns the words for one event. They have no control characters, and
// no more characters than their limit.
func (t *Template) Render(f Fields) (string, error) {
	out := &bounded{limit: 4 * (t.limit + 1)} // bytes of the longest characters
	if err := t.tmpl.Execute(out, f); err != nil && !errors.Is(err, errFull) {
		return "", err
	}
	return shorten(t.clean(out.String()), t.limit), nil
}

// clean leaves what every message can carry.
func (t *Template) clean(words string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && !(t.lines && r == '\n') {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(words, "?")))
}

func shorten(words string, limit int) string {
	n := 0
	for i := range words {
		if n++; n == limit {
			if rest := []rune(words[i:]); len(rest) > 1 {
				return words[:i] + "…"
			}
		}
	}
	return words
}

var errFull = errors.New("it is long enough")

// bounded keeps the first bytes and ends the template that goes on.
type bounded struct {
	strings.Builder
	limit int
}

func (b *bounded) Write(p []byte) (int, error) {
	if room := b.limit - b.Len(); len(p) > room {
		b.Builder.Write(p[:room])
		return room, errFull
	}
	return b.Builder.Write(p)
}

// reason is what text/template says without its own name in front.
func reason(err error) string {
	return strings.Replace(strings.TrimPrefix(err.Error(), "template: :"), `executing "" `, "", 1)
}
