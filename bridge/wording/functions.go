package wording

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"text/template"
)

// maxValue bounds in bytes what a function returns.
const maxValue = 4 * MaxText

// functions are those of our own. print and printf take the place of the
// language's, whose results have no bound.
func functions() template.FuncMap {
	return template.FuncMap{
		"capital": capital,
		"list":    list,
		"lower":   strings.ToLower,
		"percent": func(share float64) string { return fmt.Sprintf("%.0f %%", math.Round(100*share)) },
		"print":   func(args ...any) string { return cut(fmt.Sprint(args...)) },
		"printf":  printf,
		"upper":   strings.ToUpper,
	}
}

// language are the functions of text/template that may be used.
var language = []string{"and", "eq", "ge", "gt", "index", "le", "len", "lt", "ne", "not", "or"}

// Functions lists all functions, sorted.
func Functions() []string {
	return slices.Sorted(slices.Values(slices.AppendSeq(slices.Clone(language), maps.Keys(functions()))))
}

// list is "door", "door and street" or "door, street and garden".
func list(words []string) string {
	if len(words) < 2 {
		return cut(strings.Join(words, ""))
	}
	last := len(words) - 1
	return cut(strings.Join(words[:last], ", ") + " and " + words[last])
}

var large = regexp.MustCompile(`%[^a-zA-Z%]*(\*|[0-9]{3})`)

func printf(format string, args ...any) (string, error) {
	if large.MatchString(format) {
		return "", errors.New("printf has a width above 99")
	}
	return cut(fmt.Sprintf(format, args...)), nil
}

func cut(s string) string {
	if len(s) > maxValue {
		return strings.ToValidUTF8(s[:maxValue], "")
	}
	return s
}
