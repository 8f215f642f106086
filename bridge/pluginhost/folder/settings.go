package folder

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

const (
	maxText   = 64 << 10 // bytes of one value
	maxValues = 1000     // in one list or map
)

// Problem is one mistake in settings: a sentence after the setting's name that
// says what is expected. It never repeats a secret.
type Problem struct {
	Field      string // "" for the whole
	Message    string
	Suggestion string // the nearest name that there is; "" if none is near
}

// String is the one-line form.
func (p Problem) String() string {
	s := p.Message
	if p.Field != "" {
		s = p.Field + ": " + s
	}
	if p.Suggestion != "" {
		s += "; did you mean " + p.Suggestion + "?"
	}
	return s
}

// Check holds all settings of an instance against the fields of its plugin.
// Values may be what YAML and JSON decode to; a number or boolean may also be
// text, which is what ${NAME}, env: and file: give. clean is the JSON object for
// ConfigureRequest.settings_json, in the declared types and with the defaults;
// secrets are the values of secret fields, those of lists and maps as JSON. Both
// are to be used only if there is no problem. A value null or "" is none.
func Check(fields []bridge.PluginField, settings map[string]any) (clean json.RawMessage, secrets map[string]string, problems []Problem) {
	values, secrets := map[string]any{}, map[string]string{}
	problems = unknown(fields, settings)
	for _, f := range fields {
		v, err := value(f, settings[f.Name])
		switch {
		case err != nil:
			problems = append(problems, Problem{Field: f.Name, Message: err.Error()})
		case v == nil && f.Required:
			problems = append(problems, Problem{Field: f.Name, Message: missing(f)})
		case v == nil:
		case f.Secret:
			secrets[f.Name] = secretText(v)
		default:
			values[f.Name] = v
		}
	}
	clean, err := json.Marshal(values)
	if err != nil {
		problems = append(problems, Problem{Message: err.Error()})
	}
	return clean, secrets, problems
}

// CheckRemote judges a change of settings that arrived over a network, before
// it is laid over those of the file: what it names must exist and fit, and a
// field that only the file may set is refused. A null value takes a setting
// back to the file's. Whether all that is required is there, Check says of the
// whole.
func CheckRemote(fields []bridge.PluginField, change map[string]any) []Problem {
	problems := unknown(fields, change)
	for _, f := range fields {
		v, given := change[f.Name]
		if !given {
			continue
		}
		if f.FileOnly {
			problems = append(problems, Problem{Field: f.Name, Message: "can only be set in the bridge's own file, by somebody at that computer: it names a program or path"})
			continue
		}
		if _, err := value(f, v); err != nil {
			problems = append(problems, Problem{Field: f.Name, Message: err.Error()})
		}
	}
	return problems
}

func unknown(fields []bridge.PluginField, settings map[string]any) (problems []Problem) {
	known := make([]string, len(fields))
	for i, f := range fields {
		known[i] = f.Name
	}
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		if !slices.Contains(known, name) {
			problems = append(problems, Problem{Field: printable(name), Message: "is not a setting of this plugin" + has(known), Suggestion: bridge.Nearest(name, known)})
		}
	}
	return problems
}

func has(known []string) string {
	if len(known) == 0 {
		return ", which has none"
	}
	return ", which has " + strings.Join(known, ", ")
}

func missing(f bridge.PluginField) string {
	s := "is required"
	if f.Help != "" {
		s += ": " + strings.TrimSuffix(f.Help, ".")
	}
	if f.Example != "" && !f.Secret {
		s += ", such as " + f.Example
	}
	return s
}

// value returns v in f's type, its default in the place of none, or nil.
func value(f bridge.PluginField, v any) (any, error) {
	if v == nil || v == "" {
		if len(f.Default) == 0 || string(f.Default) == "null" {
			return nil, nil
		}
		if err := json.Unmarshal(f.Default, &v); err != nil {
			return nil, fmt.Errorf("has a default that is not JSON: that is a mistake of the plugin")
		}
	}
	switch f.Type {
	case "string":
		return text(f, v)
	case "integer", "number":
		return number(f, v)
	case "boolean":
		return boolean(f, v)
	case "strings":
		return list(f, v)
	case "map":
		return table(f, v)
	case "duration":
		return duration(f, v)
	}
	return nil, fmt.Errorf("has a type that this bridge does not know (%s): a newer bridge may", f.Type)
}

// shown is v for a message: short, and never that of a secret.
func shown(f bridge.PluginField, v any) string {
	switch v := v.(type) {
	case string:
		if !f.Secret {
			return ", not " + printable(v)
		}
	case bool, int, int64, float64, json.Number:
		if !f.Secret {
			return fmt.Sprintf(", not %v", v)
		}
	case []any, []string:
		return ", not a list"
	case map[string]any, map[string]string:
		return ", not a map"
	}
	return ""
}

func printable(s string) string {
	const most = 40
	if len(s) > most {
		cut := most
		for !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut] + "…"
	}
	return strings.Trim(strconv.Quote(s), `"`)
}

func text(f bridge.PluginField, v any) (any, error) {
	s, ok := v.(string)
	switch {
	case !ok:
		return nil, fmt.Errorf("must be text%s: put it into quotes", shown(f, v))
	case len(s) > maxText:
		return nil, fmt.Errorf("is longer than %d KiB", maxText>>10)
	case !utf8.ValidString(s) || strings.ContainsRune(s, 0):
		return nil, fmt.Errorf("must be text in UTF-8")
	case len(f.Choices) > 0 && !slices.Contains(f.Choices, s):
		msg := fmt.Sprintf("must be one of %s%s", strings.Join(f.Choices, ", "), shown(f, v))
		if near := bridge.Nearest(s, f.Choices); near != "" {
			msg += "; did you mean " + near + "?"
		}
		return nil, fmt.Errorf("%s", msg)
	}
	return s, nil
}

func number(f bridge.PluginField, v any) (any, error) {
	n, ok := asNumber(v)
	whole := f.Type == "integer"
	limited := f.Min != 0 || f.Max != 0
	if !ok || whole && (n != math.Trunc(n) || math.Abs(n) > 1<<53) || limited && (n < f.Min || n > f.Max) {
		kind := "a number"
		if whole {
			kind = "a whole number"
		}
		if limited {
			kind += fmt.Sprintf(" from %v to %v", f.Min, f.Max)
		}
		return nil, fmt.Errorf("must be %s%s", kind, shown(f, v))
	}
	if whole {
		return int64(n), nil
	}
	return n, nil
}

func asNumber(v any) (n float64, ok bool) {
	var err error
	switch v := v.(type) {
	case int:
		n = float64(v)
	case int64:
		n = float64(v)
	case uint64:
		n = float64(v)
	case float64:
		n = v
	case json.Number:
		n, err = v.Float64()
	case string:
		n, err = strconv.ParseFloat(v, 64)
	default:
		return 0, false
	}
	return n, err == nil && !math.IsNaN(n) && !math.IsInf(n, 0)
}

func boolean(f bridge.PluginField, v any) (any, error) {
	switch v {
	case true, "true":
		return true, nil
	case false, "false":
		return false, nil
	}
	return nil, fmt.Errorf("must be true or false%s", shown(f, v))
}

func duration(f bridge.PluginField, v any) (any, error) {
	s, ok := v.(string)
	d, err := time.ParseDuration(s)
	limited := f.Min != 0 || f.Max != 0
	if !ok || err != nil || d < 0 || limited && (d.Seconds() < f.Min || d.Seconds() > f.Max) {
		kind := "with a unit, such as 30s, 5m or 1h30m"
		if limited {
			kind = fmt.Sprintf("from %v to %v", time.Duration(f.Min*1e9), time.Duration(f.Max*1e9))
		}
		return nil, fmt.Errorf("must be a duration %s%s", kind, shown(f, v))
	}
	return s, nil
}

func list(f bridge.PluginField, v any) (any, error) {
	var items []any
	switch v := v.(type) {
	case []any:
		items = v
	case []string:
		for _, s := range v {
			items = append(items, s)
		}
	default:
		return nil, fmt.Errorf("must be a list of texts, such as [a, b]%s", shown(f, v))
	}
	if len(items) > maxValues {
		return nil, fmt.Errorf("has more than %d entries", maxValues)
	}
	out := make([]string, len(items))
	for i, item := range items {
		s, err := text(f, item)
		if err != nil {
			return nil, fmt.Errorf("entry %d %w", i+1, err)
		}
		out[i] = s.(string)
	}
	return out, nil
}

func table(f bridge.PluginField, v any) (any, error) {
	items := map[string]any{}
	switch v := v.(type) {
	case map[string]any:
		items = v
	case map[string]string:
		for k, s := range v {
			items[k] = s
		}
	default:
		return nil, fmt.Errorf("must be a map of texts, such as {name: text}%s", shown(f, v))
	}
	if len(items) > maxValues {
		return nil, fmt.Errorf("has more than %d entries", maxValues)
	}
	out := map[string]string{}
	for _, k := range slices.Sorted(maps.Keys(items)) {
		s, err := text(f, items[k])
		if err != nil {
			return nil, fmt.Errorf("entry %s %w", printable(k), err)
		}
		out[k] = s.(string)
	}
	return out, nil
}

// secretText is a checked value as ConfigureRequest.secrets carries it.
func secretText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return "" // cannot be: v is a number, a boolean, texts or a map of texts
	}
	return string(b)
}
