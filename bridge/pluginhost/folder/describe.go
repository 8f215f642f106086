package folder

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/plugins/pluginpb"
)

// Permissions returns the names of all that a plugin may ask to be allowed, with
// what each allows.
func Permissions() map[string]string {
	return map[string]string{
		"snapshot": "look at the newest picture of its cameras at any time",
		"frames":   "watch all pictures of its cameras",
		"command":  "change settings of its cameras and make them act",
		"publish":  "put messages and states on MQTT",
	}
}

var fieldPattern = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)

const maxFields = 64

// Fields returns the settings that a plugin declares. The error says what is
// wrong with a declaration: only its author can mend it.
func Fields(d *pluginpb.Description) ([]bridge.PluginField, error) {
	if len(d.Fields) > maxFields {
		return nil, mistake("declares more than %d settings", maxFields)
	}
	var out []bridge.PluginField
	for _, f := range d.Fields {
		field := bridge.PluginField{
			Name: f.Name, Type: FieldType(f.Type), Required: f.Required, Secret: f.Secret, FileOnly: f.FileOnly,
			Choices: f.Choices, Help: f.Help, Example: f.Example, Min: f.Min, Max: f.Max,
		}
		if f.DefaultJson != "" {
			field.Default = json.RawMessage(f.DefaultJson)
		}
		if slices.ContainsFunc(out, func(o bridge.PluginField) bool { return o.Name == f.Name }) {
			return nil, mistake("declares the setting %q twice", f.Name)
		}
		if err := checkField(field); err != nil {
			return nil, err
		}
		out = append(out, field)
	}
	return out, nil
}

func checkField(f bridge.PluginField) error {
	switch {
	case !fieldPattern.MatchString(f.Name):
		return mistake("declares a setting %q: a name has up to 32 small letters, digits and _", f.Name)
	case f.Type == "":
		return mistake("declares the setting %s without a type that this bridge knows", f.Name)
	case f.Secret && len(f.Default) > 0:
		return mistake("declares a default for the secret %s", f.Name)
	}
	if len(f.Default) > 0 {
		if _, err := value(f, nil); err != nil {
			return mistake("declares the default %s of %s, which %w", f.Default, f.Name, err)
		}
	}
	return nil
}

func mistake(format string, args ...any) error {
	return bridge.Errorf(bridge.CodeInvalid, "the plugin %w: its author can mend that", fmt.Errorf(format, args...))
}

// FieldType is the name of a type on the page and in messages, or "".
func FieldType(t pluginpb.FieldType) string {
	switch t {
	case pluginpb.FieldType_FIELD_TYPE_STRING, pluginpb.FieldType_FIELD_TYPE_INTEGER, pluginpb.FieldType_FIELD_TYPE_NUMBER,
		pluginpb.FieldType_FIELD_TYPE_BOOLEAN, pluginpb.FieldType_FIELD_TYPE_STRINGS, pluginpb.FieldType_FIELD_TYPE_MAP,
		pluginpb.FieldType_FIELD_TYPE_DURATION:
		return strings.ToLower(strings.TrimPrefix(t.String(), "FIELD_TYPE_"))
	}
	return ""
}

// Roles returns the names of the roles that a plugin has: notifier, detector, sink.
func Roles(d *pluginpb.Description) ([]string, error) {
	var out []string
	for _, r := range d.Roles {
		switch r {
		case pluginpb.Role_ROLE_NOTIFIER, pluginpb.Role_ROLE_DETECTOR, pluginpb.Role_ROLE_SINK:
			out = append(out, strings.ToLower(strings.TrimPrefix(r.String(), "ROLE_")))
		default:
			// A newer plugin's role: this bridge has no work of that kind.
		}
	}
	if len(out) == 0 {
		return nil, mistake("names no role that this bridge knows (notifier, detector, sink)")
	}
	return out, nil
}

// CheckDescription says what is wrong with what a plugin of the type says of
// itself, or nil.
func CheckDescription(kind string, d *pluginpb.Description) error {
	if d.Name != kind {
		return mistake("in %s%s calls itself %q", Prefix, kind, printable(d.Name))
	}
	if d.Version == "" || len(d.Version) > 64 {
		return mistake("names no version, such as 1.0.0")
	}
	known := Permissions()
	for _, p := range d.Permissions {
		if known[p] == "" {
			return mistake("asks for the permission %q, which there is not", printable(p))
		}
	}
	if _, err := Roles(d); err != nil {
		return err
	}
	_, err := Fields(d)
	return err
}
