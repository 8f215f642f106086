package folder

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/plugins/pluginpb"
)

func fields() []bridge.PluginField {
	return []bridge.PluginField{
		{Name: "topic", Type: "string", Required: true, Help: "Where to send to.", Example: "porch"},
		{Name: "token", Type: "string", Secret: true},
		{Name: "level", Type: "string", Choices: []string{"low", "high"}, Default: json.RawMessage(`"low"`)},
		{Name: "priority", Type: "integer", Min: 1, Max: 5},
		{Name: "ratio", Type: "number"},
		{Name: "tls", Type: "boolean"},
		{Name: "tags", Type: "strings"},
		{Name: "headers", Type: "map", Secret: true},
		{Name: "timeout", Type: "duration"},
		{Name: "every", Type: "duration", Min: 1, Max: 3600},
		{Name: "command", Type: "strings", FileOnly: true},
	}
}

func TestCheck(t *testing.T) {
	clean, secrets, problems := Check(fields(), map[string]any{
		"topic": "porch", "token": "s3cret", "priority": 3, "ratio": "0.5", "tls": "true",
		"tags": []any{"a", "b"}, "headers": map[string]any{"X": "y"}, "timeout": "30s", "command": nil,
	})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	var got map[string]any
	must(t, json.Unmarshal(clean, &got))
	want := map[string]any{"topic": "porch", "level": "low", "priority": 3.0, "ratio": 0.5, "tls": true, "tags": []any{"a", "b"}, "timeout": "30s"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
	if !reflect.DeepEqual(secrets, map[string]string{"token": "s3cret", "headers": `{"X":"y"}`}) {
		t.Errorf("secrets %v", secrets)
	}
}

func TestCheckProblems(t *testing.T) {
	tests := map[string]struct {
		name string
		v    any
		want string
	}{
		"unknown":            {"tokn", "x", "tokn: is not a setting of this plugin, which has topic, token, level, priority, ratio, tls, tags, headers, timeout, every, command; did you mean token?"},
		"far from all":       {"elephant", "x", "elephant: is not a setting of this plugin, which has"},
		"required":           {"topic", nil, "topic: is required: Where to send to, such as porch"},
		"empty":              {"topic", "", "topic: is required: Where to send to"},
		"not text":           {"topic", 5, "topic: must be text, not 5: put it into quotes"},
		"a list as text":     {"topic", []any{"x"}, "topic: must be text, not a list"},
		"too long":           {"topic", strings.Repeat("x", 65537), "topic: is longer than 64 KiB"},
		"not UTF-8":          {"topic", "\xff", "topic: must be text in UTF-8"},
		"choice":             {"level", "hihg", "level: must be one of low, high, not hihg; did you mean high?"},
		"out of range":       {"priority", 6, "priority: must be a whole number from 1 to 5, not 6"},
		"a fraction":         {"priority", 1.5, "priority: must be a whole number from 1 to 5, not 1.5"},
		"no number":          {"ratio", "NaN", "ratio: must be a number, not NaN"},
		"boolean":            {"tls", "yes", "tls: must be true or false, not yes"},
		"boolean list":       {"tls", []any{}, "tls: must be true or false, not a list"},
		"no list":            {"tags", "a", "tags: must be a list of texts, such as [a, b], not a"},
		"entry":              {"tags", []any{"a", 2}, "tags: entry 2 must be text, not 2"},
		"no map":             {"headers", []any{}, "headers: must be a map of texts"},
		"no unit":            {"timeout", 30, "timeout: must be a duration with a unit, such as 30s, 5m or 1h30m, not 30"},
		"too short":          {"every", "10ms", "every: must be a duration from 1s to 1h0m0s, not 10ms"},
		"negative":           {"timeout", "-1s", "timeout: must be a duration"},
		"secret of bad type": {"token", 123456, "token: must be text: put it into quotes"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			settings := map[string]any{"topic": "porch", tt.name: tt.v}
			_, _, problems := Check(fields(), settings)
			if len(problems) != 1 || !strings.HasPrefix(problems[0].String(), tt.want) {
				t.Errorf("got %v\nwant %q", problems, tt.want)
			}
		})
	}
}

func TestSecretsAreNotRepeated(t *testing.T) {
	for _, v := range []any{424242, true, []any{"424242"}, map[string]any{"a": 424242}} {
		for _, field := range []string{"token", "headers"} {
			_, _, problems := Check(fields(), map[string]any{"topic": "x", field: v})
			for _, p := range problems {
				if strings.Contains(p.String(), "424242") || strings.Contains(p.String(), "true") {
					t.Errorf("%v is repeated in %q", v, p)
				}
			}
		}
	}
}

func TestCheckRemote(t *testing.T) {
	tests := map[string]struct {
		change map[string]any
		want   string // of the first problem; "" for none
	}{
		"good":             {map[string]any{"topic": "yard", "token": "new"}, ""},
		"back to the file": {map[string]any{"topic": nil}, ""},
		"a command":        {map[string]any{"command": []any{"sh", "-c", "reboot"}}, "command: can only be set in the bridge's own file"},
		"no command":       {map[string]any{"command": nil}, "command: can only be set in the bridge's own file"},
		"unknown":          {map[string]any{"comand": "x"}, "comand: is not a setting"},
		"wrong":            {map[string]any{"priority": 9}, "priority: must be"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			problems := CheckRemote(fields(), tt.change)
			if tt.want == "" && len(problems) == 0 {
				return
			}
			if len(problems) != 1 || tt.want == "" || !strings.HasPrefix(problems[0].String(), tt.want) {
				t.Errorf("got %v, want %q", problems, tt.want)
			}
		})
	}
}

func TestFields(t *testing.T) {
	text := pluginpb.FieldType_FIELD_TYPE_STRING
	tests := map[string]struct {
		field *pluginpb.Field
		want  string
	}{
		"good":           {&pluginpb.Field{Name: "topic", Type: text, DefaultJson: `"x"`}, ""},
		"bad name":       {&pluginpb.Field{Name: "Topic", Type: text}, `declares a setting "Topic"`},
		"no type":        {&pluginpb.Field{Name: "topic"}, "without a type"},
		"bad default":    {&pluginpb.Field{Name: "topic", Type: text, DefaultJson: "5"}, "declares the default 5 of topic, which must be text"},
		"no JSON":        {&pluginpb.Field{Name: "topic", Type: text, DefaultJson: "x"}, "a default that is not JSON"},
		"secret default": {&pluginpb.Field{Name: "topic", Type: text, Secret: true, DefaultJson: `"x"`}, "a default for the secret topic"},
		"twice":          {&pluginpb.Field{Name: "first", Type: text}, `the setting "first" twice`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := &pluginpb.Description{Fields: []*pluginpb.Field{{Name: "first", Type: pluginpb.FieldType_FIELD_TYPE_MAP}, tt.field}}
			got, err := Fields(d)
			if tt.want == "" {
				if err != nil || len(got) != 2 || got[0].Type != "map" || string(got[1].Default) != `"x"` {
					t.Errorf("%v, %v", got, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestCheckDescription(t *testing.T) {
	good := func() *pluginpb.Description {
		return &pluginpb.Description{Name: "x", Version: "1.0.0", Roles: []pluginpb.Role{pluginpb.Role_ROLE_SINK, 99}, Permissions: []string{"frames"}}
	}
	must(t, CheckDescription("x", good()))
	if roles, err := Roles(good()); err != nil || !slices.Equal(roles, []string{"sink"}) {
		t.Errorf("roles %v, %v", roles, err)
	}
	bad := map[string]func(*pluginpb.Description){
		`calls itself "y"`:            func(d *pluginpb.Description) { d.Name = "y" },
		"names no version":            func(d *pluginpb.Description) { d.Version = "" },
		"names no role":               func(d *pluginpb.Description) { d.Roles = []pluginpb.Role{99} },
		`asks for the permission "a"`: func(d *pluginpb.Description) { d.Permissions = []string{"a"} },
		"without a type":              func(d *pluginpb.Description) { d.Fields = []*pluginpb.Field{{Name: "a"}} },
	}
	for want, spoil := range bad {
		d := good()
		spoil(d)
		if err := CheckDescription("x", d); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// FuzzCheck: whatever settings say, the outcome is problems, or settings that
// are good themselves.
func FuzzCheck(f *testing.F) {
	for _, s := range []string{`{}`, `{"topic":"x","priority":3}`, `{"topic":5,"tags":["a"],"headers":{"a":"b"}}`, `{"topic":"x","timeout":"1h","tls":"true"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var settings map[string]any
		if json.Unmarshal(text, &settings) != nil {
			return
		}
		CheckRemote(fields(), settings)
		clean, secrets, problems := Check(fields(), settings)
		if len(problems) > 0 {
			return
		}
		var again map[string]any
		must(t, json.Unmarshal(clean, &again))
		if s, ok := secrets["token"]; ok {
			again["token"] = s
		}
		twice, _, problems := Check(fields(), again)
		if len(problems) > 0 || string(twice) != string(clean) {
			t.Errorf("%s became %s, which is not good: %v", text, clean, problems)
		}
	})
}
