package bridge_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

var full = bridge.Capabilities{
	FrameSizes: []string{"QVGA", "VGA", "SVGA"}, LED: 255,
	Pan: &bridge.Range{0, 180}, Motor: true, PIR: true,
	Settings: map[string]bridge.Limit{
		"brightness": {Range: &bridge.Range{-2, 2}}, "special_effect": {Options: []string{"Normal", "Negative"}},
		"hmirror": {}, "label": {}, "made_up": {}, "contrast": {Range: &bridge.Range{2, -2}}, "wb_mode": {},
	},
}

func names(o bridge.Offer) string {
	var n []string
	for _, p := range o.Properties {
		n = append(n, p.Name)
	}
	return strings.Join(n, " ")
}

func TestOfferIsWhatTheCameraHas(t *testing.T) {
	tests := []struct {
		name     string
		dialect  bridge.Dialect
		caps     bridge.Capabilities
		settings string
		actions  string
	}{
		{"streamhub", bridge.StreamHub, full, "fps", "snapshot"},
		{"never seen", "", full, "fps", "snapshot"},
		{"bare native", bridge.Native, bridge.Capabilities{}, "quality fps", "snapshot restart"},
		{"full native", bridge.Native, full, "framesize quality fps led brightness hmirror special_effect label", "snapshot identify restart pan drive stop"},
	}
	for _, tt := range tests {
		o := bridge.NewOffer(tt.dialect, tt.caps, 15)
		if names(o) != tt.settings || strings.Join(o.Actions, " ") != tt.actions {
			t.Errorf("%s: settings %q, actions %q", tt.name, names(o), o.Actions)
		}
		if p, _ := o.Property("fps"); p.Max != 15 {
			t.Errorf("%s: fps up to %d with a limit of 15", tt.name, p.Max)
		}
	}
}

func TestCheckSettings(t *testing.T) {
	o := bridge.NewOffer(bridge.Native, full, 15)
	good := bridge.Settings{"framesize": "VGA", "quality": 12.0, "fps": json.Number("5"), "led": int64(3), "led_ms": 500, "hmirror": true, "label": "Tür"}
	want := bridge.Settings{"framesize": "VGA", "quality": 12, "fps": 5, "led": 3, "led_ms": 500, "hmirror": true, "label": "Tür"}
	if got, err := o.Check(good); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Check = %v, %v", got, err)
	}
	bad := []struct {
		s     bridge.Settings
		code  bridge.Code
		field string
		text  string
	}{
		{bridge.Settings{"quality": 64}, bridge.CodeInvalid, "settings.quality", "from 4 to 63"},
		{bridge.Settings{"quality": 12.5}, bridge.CodeInvalid, "settings.quality", "whole number"},
		{bridge.Settings{"quality": nil}, bridge.CodeInvalid, "settings.quality", "whole number"},
		{bridge.Settings{"quality": 1e300}, bridge.CodeInvalid, "settings.quality", "whole number"},
		{bridge.Settings{"quality": json.Number("1e2")}, bridge.CodeInvalid, "settings.quality", "whole number"},
		{bridge.Settings{"framesize": "UXGA"}, bridge.CodeInvalid, "settings.framesize", "QVGA, VGA, SVGA"},
		{bridge.Settings{"framesize": 3}, bridge.CodeInvalid, "settings.framesize", "QVGA"},
		{bridge.Settings{"hmirror": "yes"}, bridge.CodeInvalid, "settings.hmirror", "true or false"},
		{bridge.Settings{"label": strings.Repeat("x", 33)}, bridge.CodeInvalid, "settings.label", "32 characters"},
		{bridge.Settings{"label": "\xff"}, bridge.CodeInvalid, "settings.label", "text"},
		{bridge.Settings{"contrast": 1}, bridge.CodeUnsupported, "settings.contrast", "no setting"},
		{bridge.Settings{"led_ms": 500}, bridge.CodeInvalid, "settings.led_ms", "together with led"},
		{bridge.Settings{"led": 1, "led_ms": 1}, bridge.CodeInvalid, "settings.led_ms", "100 to 600000"},
	}
	for _, tt := range bad {
		_, err := o.Check(tt.s)
		var e *bridge.Error
		if !errors.As(err, &e) || e.Code != tt.code || e.Field != tt.field || !strings.Contains(e.Message, tt.text) {
			t.Errorf("Check(%v) = %#v", tt.s, err)
		}
	}
}

func TestLimitJSON(t *testing.T) {
	const text = `{"framesizes":["QVGA"],"led":255,"pan":[0,180],"settings":{"brightness":[-2,2],"hmirror":true,"special_effect":["Normal","Negative"]}}`
	var c bridge.Capabilities
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		t.Fatal(err)
	}
	if b, err := json.Marshal(c); err != nil || string(b) != text {
		t.Errorf("round trip:\n%s\nwant\n%s\n%v", b, text, err)
	}
	for _, bad := range []string{`false`, `"x"`, `[]`, `[1]`, `[1,2,3]`, `{}`, `null`} {
		var l bridge.Limit
		if err := json.Unmarshal([]byte(bad), &l); err == nil && bad != "null" {
			t.Errorf("limit %s was accepted as %+v", bad, l)
		}
	}
}

func TestKnownBearsWhatCamerasReport(t *testing.T) {
	got := bridge.Known(bridge.Settings{"quality": 12.0, "framesize": "P_3MP", "led": 999, "hmirror": 1, "vflip": true, "foo": "bar"})
	want := bridge.Settings{"quality": 12, "framesize": "P_3MP", "vflip": true}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Known = %v, want %v", got, want)
	}
}

func TestErrors(t *testing.T) {
	cause := errors.New("disk full")
	err := fmt.Errorf("saving: %w", bridge.Errorf(bridge.CodeUnavailable, "cannot save: %w", cause).At("name"))
	if bridge.CodeOf(err) != bridge.CodeUnavailable || !errors.Is(err, cause) {
		t.Errorf("code %s, cause lost in %v", bridge.CodeOf(err), err)
	}
	if bridge.CodeOf(nil) != "" || bridge.CodeOf(cause) != bridge.CodeInternal {
		t.Error("codes of nil and of a foreign error")
	}
}

func TestRoles(t *testing.T) {
	limited := bridge.Principal{Role: bridge.Operator, Cameras: []string{"porch"}}
	tests := []struct {
		p      bridge.Principal
		need   bridge.Role
		camera string
		want   bool
	}{
		{bridge.Principal{}, bridge.Viewer, "", false},
		{bridge.Principal{Role: "root"}, bridge.Public, "", false},
		{bridge.Principal{Role: bridge.Admin}, "nonsense", "", false},
		{bridge.Principal{Role: bridge.Admin}, bridge.Operator, "any", true},
		{bridge.Principal{Role: bridge.Viewer}, bridge.Operator, "", false},
		{limited, bridge.Viewer, "porch", true},
		{limited, bridge.Viewer, "yard", false},
		{limited, bridge.Admin, "porch", false},
	}
	for _, tt := range tests {
		if got := tt.p.May(tt.need, tt.camera); got != tt.want {
			t.Errorf("%+v.May(%s, %q) = %v", tt.p, tt.need, tt.camera, got)
		}
	}
}

func TestListenerMergesAndDropsTheOldest(t *testing.T) {
	l := bridge.NewListener()
	for i := range 100 {
		l.Changed("porch")
		l.Changed("yard")
		l.Notify(bridge.Notice{Message: fmt.Sprint(i)})
	}
	n, err := l.Next(t.Context())
	if err != nil || !reflect.DeepEqual(n.Cameras, []string{"porch", "yard"}) {
		t.Fatalf("news %v, %v", n.Cameras, err)
	}
	if len(n.Notices) != 64 || n.Notices[63].Message != "99" || n.Lost != 36 {
		t.Errorf("%d notices, newest %q, %d lost", len(n.Notices), n.Notices[63].Message, n.Lost)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Next of an ended context: %v", err)
	}
}

func TestIDs(t *testing.T) {
	for id, ok := range map[string]bool{"porch": true, "a": true, "0-_": true, strings.Repeat("a", 32): true, strings.Repeat("a", 33): false,
		"": false, "-a": false, "A": false, "a/b": false, "a+": false, "ü": false, "bridge": false, "plugin": false, "all": false} {
		if err := bridge.CheckID(id); (err == nil) != ok {
			t.Errorf("CheckID(%q) = %v", id, err)
		}
	}
}
