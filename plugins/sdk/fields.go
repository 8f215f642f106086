package sdk

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/espcam-bridge/espcam-bridge/plugins/pluginpb"
)

// field is one setting: what people are told of it, and where it is in the struct.
type field struct {
	*pluginpb.Field
	index int
}

// fieldsOf reads the settings out of a struct's tags. Its errors are for the
// plugin's author.
func fieldsOf(t reflect.Type) ([]field, error) {
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("settings must be a struct, not %s", t)
	}
	var out []field
	for i := range t.NumField() {
		sf := t.Field(i)
		if !sf.IsExported() || sf.Tag.Get("json") == "-" {
			continue
		}
		f, err := fieldOf(sf)
		if err != nil {
			return nil, fmt.Errorf("field %s of the settings: %w", sf.Name, err)
		}
		f.index = i
		if slices.ContainsFunc(out, func(o field) bool { return o.GetName() == f.GetName() }) {
			return nil, fmt.Errorf("two fields of the settings have the name %q", f.GetName())
		}
		out = append(out, f)
	}
	return out, nil
}

func fieldOf(sf reflect.StructField) (field, error) {
	name, _, _ := strings.Cut(sf.Tag.Get("json"), ",")
	if !regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`).MatchString(name) {
		return field{}, fmt.Errorf("it needs a tag such as `json:%q`, with a name of [a-z][a-z0-9_]{0,31}", "topic")
	}
	f := field{Field: &pluginpb.Field{Name: name, Type: typeOf(sf.Type), Help: sf.Tag.Get("help"), Example: sf.Tag.Get("example")}}
	if f.GetType() == pluginpb.FieldType_FIELD_TYPE_UNSPECIFIED {
		return field{}, fmt.Errorf("%s is no type that a setting can have", sf.Type)
	}
	for _, steps := range []func(*field, reflect.StructField) error{readFlags, readLimits, readDefault} {
		if err := steps(&f, sf); err != nil {
			return field{}, err
		}
	}
	return f, nil
}

func typeOf(t reflect.Type) pluginpb.FieldType {
	if t == reflect.TypeFor[time.Duration]() {
		return pluginpb.FieldType_FIELD_TYPE_DURATION
	}
	switch t.Kind() {
	case reflect.String:
		return pluginpb.FieldType_FIELD_TYPE_STRING
	case reflect.Bool:
		return pluginpb.FieldType_FIELD_TYPE_BOOLEAN
	case reflect.Float32, reflect.Float64:
		return pluginpb.FieldType_FIELD_TYPE_NUMBER
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return pluginpb.FieldType_FIELD_TYPE_INTEGER
	case reflect.Slice:
		if t.Elem().Kind() == reflect.String {
			return pluginpb.FieldType_FIELD_TYPE_STRINGS
		}
	case reflect.Map:
		if t.Key().Kind() == reflect.String && t.Elem().Kind() == reflect.String {
			return pluginpb.FieldType_FIELD_TYPE_MAP
		}
	}
	return pluginpb.FieldType_FIELD_TYPE_UNSPECIFIED
}

func readFlags(f *field, sf reflect.StructField) error {
	for flag := range strings.SplitSeq(sf.Tag.Get("sdk"), ",") {
		switch flag {
		case "":
		case "required":
			f.Required = true
		case "secret":
			f.Secret = true
		case "file":
			f.FileOnly = true
		default:
			return fmt.Errorf("%q in its sdk tag is none of required, secret, file", flag)
		}
	}
	if f.Secret && f.GetType() != pluginpb.FieldType_FIELD_TYPE_STRING {
		return fmt.Errorf("a secret must be a string")
	}
	return nil
}

func readLimits(f *field, sf reflect.StructField) error {
	if choices := sf.Tag.Get("choices"); choices != "" {
		if f.GetType() != pluginpb.FieldType_FIELD_TYPE_STRING {
			return fmt.Errorf("only a string can have choices")
		}
		f.Choices = strings.Split(choices, ",")
	}
	for tag, to := range map[string]*float64{"min": &f.Min, "max": &f.Max} {
		text := sf.Tag.Get(tag)
		if text == "" {
			continue
		}
		v, err := limit(f.GetType(), text)
		if err != nil {
			return fmt.Errorf("its tag %s: %w", tag, err)
		}
		*to = v
	}
	if f.Min > f.Max {
		return fmt.Errorf("its min is above its max")
	}
	return nil
}

// limit reads a min or max: a number, of a duration in seconds.
func limit(t pluginpb.FieldType, text string) (float64, error) {
	switch t {
	case pluginpb.FieldType_FIELD_TYPE_DURATION:
		d, err := time.ParseDuration(text)
		return d.Seconds(), err
	case pluginpb.FieldType_FIELD_TYPE_INTEGER, pluginpb.FieldType_FIELD_TYPE_NUMBER:
		return strconv.ParseFloat(text, 64)
	}
	return 0, fmt.Errorf("only numbers and durations have limits")
}

// readDefault takes the default as people write it: a string as it is, a list
// with commas, everything else as in JSON.
func readDefault(f *field, sf reflect.StructField) error {
	text, ok := sf.Tag.Lookup("default")
	if !ok {
		return nil
	}
	if f.Required || f.Secret {
		return fmt.Errorf("what is required or secret has no default")
	}
	var value any = json.RawMessage(text)
	switch f.GetType() {
	case pluginpb.FieldType_FIELD_TYPE_STRING, pluginpb.FieldType_FIELD_TYPE_DURATION:
		value = text
	case pluginpb.FieldType_FIELD_TYPE_STRINGS:
		value = strings.Split(text, ",")
	}
	raw, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("its default: %w", err)
	}
	if problem := f.set(reflect.New(sf.Type).Elem(), raw); problem != "" {
		return fmt.Errorf("its default %s", problem)
	}
	f.DefaultJson = string(raw)
	return nil
}
