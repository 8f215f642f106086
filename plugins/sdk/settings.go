package sdk

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/espcam-bridge/espcam-bridge/plugins/pluginpb"
)

// decode makes a new settings struct (behind a pointer) out of what Configure
// brought. With a problem there is no value to use.
func decode(t reflect.Type, fields []field, settings []byte, secrets map[string]string) (any, []*pluginpb.Problem) {
	given := map[string]json.RawMessage{}
	if len(settings) > 0 {
		if err := json.Unmarshal(settings, &given); err != nil {
			return nil, []*pluginpb.Problem{{Message: "the settings are no JSON object"}}
		}
	}
	problems := strangers(fields, given, secrets)
	value := reflect.New(t)
	for _, f := range fields {
		raw, problem := f.given(given, secrets)
		if problem == "" && raw != nil {
			problem = f.set(value.Elem().Field(f.index), raw)
		}
		if problem == "" && f.GetRequired() && (raw == nil || empty(value.Elem().Field(f.index))) {
			problem = f.missing()
		}
		if problem != "" {
			problems = append(problems, &pluginpb.Problem{Field: f.GetName(), Message: problem})
		}
	}
	return value.Interface(), problems
}

// strangers complains of settings that the plugin does not have.
func strangers(fields []field, given map[string]json.RawMessage, secrets map[string]string) []*pluginpb.Problem {
	var names, unknown []string
	for _, f := range fields {
		names = append(names, f.GetName())
	}
	for key := range given {
		unknown = append(unknown, key)
	}
	for key := range secrets {
		unknown = append(unknown, key)
	}
	slices.Sort(unknown)
	var out []*pluginpb.Problem
	for _, key := range slices.Compact(unknown) {
		if !slices.Contains(names, key) {
			out = append(out, &pluginpb.Problem{Field: key, Message: "is no setting of this plugin" + suggestion(key, names)})
		}
	}
	return out
}

// given returns a field's value as JSON: what was set, else the default, else nil.
func (f field) given(given map[string]json.RawMessage, secrets map[string]string) (json.RawMessage, string) {
	raw, plain := given[f.GetName()]
	secret, hidden := secrets[f.GetName()]
	switch {
	case plain && f.GetSecret():
		return nil, "is a secret and must come as one"
	case hidden && !f.GetSecret():
		return nil, "is no secret"
	case hidden:
		text, err := json.Marshal(secret)
		if err != nil {
			return nil, "is no text"
		}
		return text, ""
	case plain && string(raw) != "null":
		return raw, ""
	case f.GetDefaultJson() != "":
		return json.RawMessage(f.GetDefaultJson()), ""
	}
	return nil, ""
}

// set puts a value into the struct, or says what is wrong with it, never showing
// a secret.
func (f field) set(to reflect.Value, raw json.RawMessage) string {
	if f.GetType() == pluginpb.FieldType_FIELD_TYPE_DURATION {
		return f.setDuration(to, raw)
	}
	if err := json.Unmarshal(raw, to.Addr().Interface()); err != nil {
		return "must be " + f.kind() + f.such()
	}
	switch f.GetType() {
	case pluginpb.FieldType_FIELD_TYPE_STRING:
		return f.choose(to.String())
	case pluginpb.FieldType_FIELD_TYPE_NUMBER:
		return f.within(to.Float(), trimmed)
	case pluginpb.FieldType_FIELD_TYPE_INTEGER:
		if to.CanUint() {
			return f.within(float64(to.Uint()), trimmed)
		}
		return f.within(float64(to.Int()), trimmed)
	}
	return ""
}

func (f field) setDuration(to reflect.Value, raw json.RawMessage) string {
	var text string
	err := json.Unmarshal(raw, &text)
	if err != nil {
		return "must be " + f.kind() + f.such()
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return "must be " + f.kind() + f.such()
	}
	to.SetInt(int64(d))
	return f.within(d.Seconds(), func(s float64) string { return time.Duration(s * float64(time.Second)).String() })
}

func (f field) within(v float64, show func(float64) string) string {
	if f.GetMin() == 0 && f.GetMax() == 0 || v >= f.GetMin() && v <= f.GetMax() {
		return ""
	}
	return fmt.Sprintf("must be between %s and %s, not %s", show(f.GetMin()), show(f.GetMax()), show(v))
}

func (f field) choose(v string) string {
	if len(f.GetChoices()) == 0 || slices.Contains(f.GetChoices(), v) || v == "" && !f.GetRequired() {
		return ""
	}
	text := "must be one of " + strings.Join(f.GetChoices(), ", ")
	if f.GetSecret() {
		return text
	}
	return text + suggestion(v, f.GetChoices())
}

func (f field) missing() string {
	return "is missing" + f.such()
}

// such is the end of a sentence that shows what a value looks like.
func (f field) such() string {
	if f.GetExample() == "" {
		return ""
	}
	return ", such as " + f.GetExample()
}

func (f field) kind() string {
	switch f.GetType() {
	case pluginpb.FieldType_FIELD_TYPE_STRING:
		return "a text"
	case pluginpb.FieldType_FIELD_TYPE_INTEGER:
		return "a whole number"
	case pluginpb.FieldType_FIELD_TYPE_NUMBER:
		return "a number"
	case pluginpb.FieldType_FIELD_TYPE_BOOLEAN:
		return "true or false"
	case pluginpb.FieldType_FIELD_TYPE_STRINGS:
		return "a list of texts"
	case pluginpb.FieldType_FIELD_TYPE_MAP:
		return "texts by name"
	}
	return "a duration like 30s or 1h30m"
}

func trimmed(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

func empty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice, reflect.Map:
		return v.Len() == 0
	case reflect.String:
		return v.Len() == 0
	}
	return false // 0 and false are values
}

// suggestion names the nearest of names, if one is near.
func suggestion(name string, names []string) string {
	best, least := "", len(name)/2+1
	for _, n := range names {
		if d := distance(name, n); d < least {
			best, least = n, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// distance counts the letters to insert, remove or change to get from a to b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
