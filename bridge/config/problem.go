package config

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// Problem is one mistake in the configuration, or one warning.
type Problem struct {
	File       string // as it was given; "$NAME" if an environment variable is meant
	Line       int    // from 1; 0 if the whole file is meant
	Column     int    // in characters from 1; 0 with Line 0
	Key        string // path of the key, such as http.tokens[0].role; "" if none is meant
	Message    string // what was expected and what is there; never a secret
	Suggestion string // the nearest known name; "" if none is near
}

// String is the one-line form: file:line:column: key: message.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	b.WriteString(": ")
	if p.Key != "" {
		b.WriteString(p.Key + ": ")
	}
	b.WriteString(p.Message)
	if p.Suggestion != "" {
		b.WriteString("; did you mean " + p.Suggestion + "?")
	}
	return b.String()
}

// Problems is the error of a configuration that cannot be used. It is never
// empty, and sorted by place.
type Problems []Problem

// Error has one line for each problem.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, one := range p {
		lines[i] = one.String()
	}
	return strings.Join(lines, "\n")
}

func sortProblems(p []Problem) {
	slices.SortStableFunc(p, func(a, b Problem) int {
		return cmp.Or(strings.Compare(a.File, b.File), a.Line-b.Line, a.Column-b.Column, strings.Compare(a.Key, b.Key))
	})
}

// maxQuoted bounds, in characters, what a message repeats of the file.
const maxQuoted = 40

// quote shows text in a message: short, on one line, without control characters.
func quote(text string) string { return strconv.Quote(shorten(text)) }

func shorten(text string) string {
	if len(text) <= maxQuoted {
		return text
	}
	end := 0
	for i := range text {
		if i > maxQuoted {
			break
		}
		end = i
	}
	return text[:end] + "…"
}

// nearest returns the known name that somebody may have meant by name, or "".
func nearest(name string, known []string) string { return bridge.Nearest(name, known) }
