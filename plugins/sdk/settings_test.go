package sdk

import (
	"context"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/plugins/pluginpb"
)

type everything struct {
	Topic   string            `json:"topic" sdk:"required" help:"Where to." example:"home"`
	Token   string            `json:"token" sdk:"secret"`
	Level   string            `json:"level" choices:"low,high" default:"low"`
	Tries   uint8             `json:"tries" default:"3" min:"1" max:"9"`
	Offset  int               `json:"offset"`
	Weight  float32           `json:"weight" min:"0" max:"1"`
	Loud    bool              `json:"loud" default:"true"`
	Every   time.Duration     `json:"every" default:"30s" min:"1s" max:"1h"`
	Tags    []string          `json:"tags" default:"camera,home"`
	Headers map[string]string `json:"headers" default:"{\"a\":\"b\"}"`
	Command string            `json:"command" sdk:"file"`
	Ignored chan int          `json:"-"`
	_       int
}

func everythingFields(t *testing.T) []field {
	t.Helper()
	fields, err := fieldsOf(reflect.TypeFor[everything]())
	if err != nil {
		t.Fatal(err)
	}
	return fields
}

func TestDecode(t *testing.T) {
	got, problems := decode(reflect.TypeFor[everything](), everythingFields(t), []byte(
		`{"topic":"home","level":"high","tries":9,"offset":-4,"weight":0.5,"loud":false,"every":"1m","tags":["x"],"headers":{"k":"v"},"command":"/bin/true"}`),
		map[string]string{"token": `se"cret`})
	want := &everything{
		Topic: "home", Token: `se"cret`, Level: "high", Tries: 9, Offset: -4, Weight: 0.5, Every: time.Minute,
		Tags: []string{"x"}, Headers: map[string]string{"k": "v"}, Command: "/bin/true",
	}
	if len(problems) > 0 || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v %v", got, problems)
	}
}

func TestDecodeDefaults(t *testing.T) {
	got, problems := decode(reflect.TypeFor[everything](), everythingFields(t), []byte(`{"topic":"home","tries":null}`), nil)
	want := &everything{
		Topic: "home", Level: "low", Tries: 3, Loud: true, Every: 30 * time.Second,
		Tags: []string{"camera", "home"}, Headers: map[string]string{"a": "b"},
	}
	if len(problems) > 0 || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v %v", got, problems)
	}
}

func TestDecodeProblems(t *testing.T) {
	for _, c := range []struct{ settings, field, message string }{
		{`[]`, "", "the settings are no JSON object"},
		{`{`, "", "the settings are no JSON object"},
		{`{"topic":"x","topci":"y"}`, "topci", `is no setting of this plugin; did you mean "topic"?`},
		{`{"topic":"x","zzzzz":"y"}`, "zzzzz", `is no setting of this plugin`},
		{`{}`, "topic", "is missing, such as home"},
		{`{"topic":""}`, "topic", "is missing, such as home"},
		{`{"topic":null}`, "topic", "is missing, such as home"},
		{`{"topic":5}`, "topic", "must be a text, such as home"},
		{`{"topic":"x","token":"y"}`, "token", "is a secret and must come as one"},
		{`{"topic":"x","level":"hihg"}`, "level", `must be one of low, high; did you mean "high"?`},
		{`{"topic":"x","tries":0}`, "tries", "must be between 1 and 9, not 0"},
		{`{"topic":"x","tries":10}`, "tries", "must be between 1 and 9, not 10"},
		{`{"topic":"x","tries":1.5}`, "tries", "must be a whole number"},
		{`{"topic":"x","tries":300}`, "tries", "must be a whole number"},
		{`{"topic":"x","tries":"3"}`, "tries", "must be a whole number"},
		{`{"topic":"x","weight":-0.5}`, "weight", "must be between 0 and 1, not -0.5"},
		{`{"topic":"x","weight":"1"}`, "weight", "must be a number"},
		{`{"topic":"x","loud":"yes"}`, "loud", "must be true or false"},
		{`{"topic":"x","every":30}`, "every", "must be a duration like 30s or 1h30m"},
		{`{"topic":"x","every":"soon"}`, "every", "must be a duration like 30s or 1h30m"},
		{`{"topic":"x","every":"2h"}`, "every", "must be between 1s and 1h0m0s, not 2h0m0s"},
		{`{"topic":"x","tags":"a"}`, "tags", "must be a list of texts"},
		{`{"topic":"x","tags":[1]}`, "tags", "must be a list of texts"},
		{`{"topic":"x","headers":{"a":1}}`, "headers", "must be texts by name"},
	} {
		_, problems := decode(reflect.TypeFor[everything](), everythingFields(t), []byte(c.settings), nil)
		if len(problems) != 1 || problems[0].GetField() != c.field || problems[0].GetMessage() != c.message {
			t.Errorf("%s: %v", c.settings, problems)
		}
	}
}

func TestDecodeSecretProblems(t *testing.T) {
	for secret, message := range map[string]string{
		"topic": "is no secret",
		"tokne": `is no setting of this plugin; did you mean "token"?`,
	} {
		_, problems := decode(reflect.TypeFor[everything](), everythingFields(t), []byte(`{"topic":"x"}`), map[string]string{secret: "hunter22"})
		if len(problems) != 1 || problems[0].GetField() != secret || problems[0].GetMessage() != message {
			t.Errorf("%s: %v", secret, problems)
		}
	}
}

func TestDecodeAllProblemsAtOnce(t *testing.T) {
	_, problems := decode(reflect.TypeFor[everything](), everythingFields(t), []byte(`{"tries":0,"nope":1,"every":"x"}`), nil)
	if len(problems) != 4 { // and topic is missing
		t.Errorf("%v", problems)
	}
}

func TestFieldsSayAll(t *testing.T) {
	fields := everythingFields(t)
	if len(fields) != 11 {
		t.Fatalf("%d fields", len(fields))
	}
	for i, want := range map[int]*pluginpb.Field{
		0:  {Name: "topic", Type: pluginpb.FieldType_FIELD_TYPE_STRING, Required: true, Help: "Where to.", Example: "home"},
		1:  {Name: "token", Type: pluginpb.FieldType_FIELD_TYPE_STRING, Secret: true},
		2:  {Name: "level", Type: pluginpb.FieldType_FIELD_TYPE_STRING, Choices: []string{"low", "high"}, DefaultJson: `"low"`},
		3:  {Name: "tries", Type: pluginpb.FieldType_FIELD_TYPE_INTEGER, DefaultJson: "3", Min: 1, Max: 9},
		5:  {Name: "weight", Type: pluginpb.FieldType_FIELD_TYPE_NUMBER, Max: 1},
		6:  {Name: "loud", Type: pluginpb.FieldType_FIELD_TYPE_BOOLEAN, DefaultJson: "true"},
		7:  {Name: "every", Type: pluginpb.FieldType_FIELD_TYPE_DURATION, DefaultJson: `"30s"`, Min: 1, Max: 3600},
		8:  {Name: "tags", Type: pluginpb.FieldType_FIELD_TYPE_STRINGS, DefaultJson: `["camera","home"]`},
		9:  {Name: "headers", Type: pluginpb.FieldType_FIELD_TYPE_MAP, DefaultJson: `{"a":"b"}`},
		10: {Name: "command", Type: pluginpb.FieldType_FIELD_TYPE_STRING, FileOnly: true},
	} {
		if got := fields[i].Field; got.String() != want.String() {
			t.Errorf("%v, want %v", got, want)
		}
	}
}

// TestAuthorMistakes: what is wrong in a struct's tags is told at the start.
func TestAuthorMistakes(t *testing.T) {
	a := reflect.StructField{Name: "A", Type: reflect.TypeFor[string](), Tag: `json:"a"`}
	b := a
	b.Name = "B"
	twice := reflect.StructOf([]reflect.StructField{a, b})
	for want, of := range map[string]reflect.Type{
		"must be a struct": reflect.TypeFor[int](),
		"needs a tag":      reflect.TypeFor[struct{ A string }](),
		"name of [a-z]": reflect.TypeFor[struct {
			A string `json:"A"`
		}](),
		"no type": reflect.TypeFor[struct {
			A []int `json:"a"`
		}](),
		"none of required": reflect.TypeFor[struct {
			A string `json:"a" sdk:"requird"`
		}](),
		"must be a string": reflect.TypeFor[struct {
			A int `json:"a" sdk:"secret"`
		}](),
		"only a string": reflect.TypeFor[struct {
			A int `json:"a" choices:"1,2"`
		}](),
		"its tag min": reflect.TypeFor[struct {
			A int `json:"a" min:"x" max:"2"`
		}](),
		"only numbers": reflect.TypeFor[struct {
			A string `json:"a" max:"2"`
		}](),
		"above its max": reflect.TypeFor[struct {
			A int `json:"a" min:"2"`
		}](),
		"has no default": reflect.TypeFor[struct {
			A string `json:"a" sdk:"required" default:"x"`
		}](),
		"its default must be a": reflect.TypeFor[struct {
			A int `json:"a" default:"1.5"`
		}](),
		"its default:": reflect.TypeFor[struct {
			A int `json:"a" default:"x"`
		}](),
		"must be between": reflect.TypeFor[struct {
			A int `json:"a" default:"5" min:"1" max:"2"`
		}](),
		"must be one of": reflect.TypeFor[struct {
			A string `json:"a" default:"x" choices:"a,b"`
		}](),
		"two fields": twice,
	} {
		if _, err := fieldsOf(of); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestPluginMistakes(t *testing.T) {
	notify := func(context.Context, *everything, Alert) (Receipt, error) { return Receipt{}, nil }
	for want, p := range map[string]Plugin[everything]{
		"Name":         {Name: "No Name", Version: "1", Notify: notify},
		"Version":      {Name: "a", Notify: notify},
		"at least one": {Name: "a", Version: "1"},
		`"snapshot"?`:  {Name: "a", Version: "1", Notify: notify, Permissions: []string{"snapshots"}},
	} {
		if _, err := compile(p); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
