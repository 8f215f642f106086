package wire

import (
	"encoding/json"
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// Why a text is not a message. The set is fixed, so that it may be a metric's
// label.
const (
	TooLong = "too_long"
	NotUTF8 = "not_utf8"
	TooDeep = "too_deep"
	NotJSON = "not_json" // no JSON, or JSON that is not an object
	NoType  = "no_type"
	Missing = "missing" // a required member is absent or malformed
)

// Fault is the error of a malformed text.
type Fault struct {
	Reason string // one of the constants
	Member string // what is Missing, such as "id"
}

func (f *Fault) Error() string {
	if f.Member != "" {
		return "text message: " + f.Reason + " " + f.Member
	}
	return "text message: " + f.Reason
}

func missing(member string) error { return &Fault{Reason: Missing, Member: member} }

// maxWhole is the largest integer that every JSON parser reads exactly.
const maxWhole = 1<<53 - 1

// object is a JSON object whose members are looked at one by one: the readers
// below answer "absent" for what is missing, of another type or out of range.
type object map[string]json.RawMessage

// open checks a text and returns its type and members.
func open(text []byte, limit int) (string, object, error) {
	switch {
	case len(text) > limit:
		return "", nil, &Fault{Reason: TooLong}
	case !utf8.Valid(text):
		return "", nil, &Fault{Reason: NotUTF8}
	case tooDeep(text):
		return "", nil, &Fault{Reason: TooDeep}
	}
	var o object
	if json.Unmarshal(text, &o) != nil || o == nil {
		return "", nil, &Fault{Reason: NotJSON}
	}
	kind, ok := asText(o["type"])
	if !ok {
		return "", nil, &Fault{Reason: NoType}
	}
	return kind, o, nil
}

// tooDeep counts brackets outside strings, before a parser recurses into them.
func tooDeep(text []byte) bool {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > MaxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

// text returns a string without control characters, cut to limit characters.
func (o object) text(name string, limit int) string {
	s, _ := asText(o[name])
	return clean(s, limit)
}

func asText(raw json.RawMessage) (string, bool) {
	var s string
	if len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &s) != nil {
		return "", false
	}
	return s, true
}

// clean removes what could break a log line or turn text around on a page.
func clean(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' {
			return -1
		}
		return r
	}, s)
	for i := range s {
		if limit--; limit < 0 {
			return s[:i]
		}
	}
	return s
}

// namePattern is the form of ids, actions, events and settings' names.
var namePattern = regexp.MustCompile(`^[A-Za-z0-9_.:-]{1,32}$`)

func (o object) name(member string) string {
	if s, ok := asText(o[member]); ok && namePattern.MatchString(s) {
		return s
	}
	return ""
}

func asNumber(raw json.RawMessage) (float64, bool) {
	if len(raw) == 0 || raw[0] != '-' && (raw[0] < '0' || raw[0] > '9') {
		return 0, false
	}
	f, err := strconv.ParseFloat(string(raw), 64)
	return f, err == nil
}

func (o object) number(name string, lo, hi float64) *float64 {
	if f, ok := asNumber(o[name]); ok && f >= lo && f <= hi {
		return &f
	}
	return nil
}

func (o object) whole(name string, lo, hi int64) *int64 {
	f := o.number(name, float64(lo), float64(hi))
	if f == nil || *f != math.Trunc(*f) {
		return nil
	}
	n := int64(*f)
	return &n
}

// count is whole for values that are 0 when absent.
func (o object) count(name string, hi int64) int64 {
	if n := o.whole(name, 0, hi); n != nil {
		return *n
	}
	return 0
}

// flag returns a bool, and whether it is there.
func (o object) flag(name string) (value, ok bool) {
	raw := string(o[name])
	return raw == "true", raw == "true" || raw == "false"
}

// object returns a nested object, or nil.
func (o object) object(name string) object {
	var sub object
	if json.Unmarshal(o[name], &sub) != nil {
		return nil
	}
	return sub
}

// list returns a list's members, at most limit of them.
func (o object) list(name string, limit int) []json.RawMessage {
	var l []json.RawMessage
	if json.Unmarshal(o[name], &l) != nil {
		return nil
	}
	return l[:min(len(l), limit)]
}

// scalars returns the members as int, float64, bool or string. Whatever else
// stands there is kept as nil, so that the receiver refuses it by name.
func (o object) scalars() map[string]any {
	out := make(map[string]any, len(o))
	for name, raw := range o {
		if namePattern.MatchString(name) {
			out[name] = asScalar(raw)
		}
	}
	return out
}

func asScalar(raw json.RawMessage) any {
	if s, ok := asText(raw); ok {
		return clean(s, maxValue)
	}
	if f, ok := asNumber(raw); ok {
		return scalar(f)
	}
	if b, ok := (object{"": raw}).flag(""); ok {
		return b
	}
	return nil
}

// scalar returns v as int, float64, bool or string, or nil.
func scalar(v any) any {
	switch x := v.(type) {
	case int, bool:
		return x
	case string:
		return clean(strings.ToValidUTF8(x, ""), maxValue)
	case int64:
		return scalar(float64(x))
	case float64:
		switch {
		case math.IsNaN(x) || math.IsInf(x, 0):
			return nil
		case x == math.Trunc(x) && math.Abs(x) <= maxWhole:
			return int(x)
		}
		return x
	}
	return nil
}

// scalars makes a map that JSON can always write.
func scalars[M ~map[string]any](m M) map[string]any {
	out := make(map[string]any, len(m))
	for k, v := range m {
		out[k] = scalar(v)
	}
	return out
}

// settings returns what of an object a camera can have in force.
func (o object) settings(name string) bridge.Settings {
	return bridge.Known(o.object(name).scalars())
}
