package mqtt

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// A setting has one form on the wire and one for Home Assistant. show and parse
// are the two directions, describe is what the document says of it. "None" as a
// state means "not known yet" to Home Assistant, so no option may be called so.

const (
	unknown = "None"
	normal  = "Normal"
)

// describe is the part of a component that the camera's Offer decides.
func describe(platform string, p bridge.Property) map[string]any {
	switch platform {
	case "light":
		out := map[string]any{"schema": "json", "flash": false, "transition": false, "supported_color_modes": []string{"onoff"}}
		if p.Max > 1 {
			out["supported_color_modes"] = []string{"brightness"}
			out["brightness_scale"] = p.Max
		}
		return out
	case "switch":
		if lamp(platform, p) {
			return map[string]any{"value_template": "{{ value_json.state }}"}
		}
	case "number":
		out := map[string]any{"min": p.Min, "max": p.Max, "step": 1, "mode": "slider"}
		if p.Unit != "" {
			out["unit_of_measurement"] = p.Unit
		}
		return out
	case "select":
		return map[string]any{"options": options(p)}
	case "text":
		// An empty text is an empty message, and that is none: so it is a blank on
		// the way out, and wrapped in JSON on the way in.
		return map[string]any{
			"min": 0, "max": p.Max, "value_template": "{{ value | trim }}",
			"command_template": `{"text": {{ value | tojson }}}`,
		}
	}
	return nil
}

// lamp reports whether a setting is the brightness of a lamp. Its state is JSON
// also where it is only on or off, a switch: when another board makes a light of
// the switch, the new entity reads what the old one left.
func lamp(platform string, p bridge.Property) bool {
	return platform == "light" || platform == "switch" && p.Kind == bridge.Number
}

// options are a choice's names without None.
func options(p bridge.Property) []string {
	out := slices.Clone(p.Options)
	for i, name := range out {
		if name == unknown {
			out[i] = normal
		}
	}
	// Twice the same would be refused; the first stays.
	seen := map[string]bool{}
	return slices.DeleteFunc(out, func(name string) bool {
		twice := seen[name] || name == ""
		seen[name] = true
		return twice
	})
}

// show is the state of a setting. What is out of range or no option is unknown:
// Home Assistant logs an error for each such message.
func show(platform string, p bridge.Property, v any, known bool) []byte {
	text := unknown
	switch v := v.(type) {
	case int:
		switch {
		case lamp(platform, p):
			return showLight(p, v)
		case v >= p.Min && v <= p.Max:
			text = strconv.Itoa(v)
		}
	case bool:
		text = onOff(v)
	case string:
		text = showText(p, v)
	}
	switch {
	case !known && lamp(platform, p):
		return []byte(`{"state":null}`)
	case !known && platform == "text":
		text = " "
	}
	return []byte(text)
}

func showText(p bridge.Property, v string) string {
	if p.Kind == bridge.Text {
		if strings.TrimSpace(v) == "" {
			return " "
		}
		return v
	}
	if v == unknown {
		v = normal
	}
	if !slices.Contains(options(p), v) {
		return unknown
	}
	return v
}

func showLight(p bridge.Property, v int) []byte {
	switch {
	case v <= 0:
		return []byte(`{"state":"OFF"}`)
	case p.Max > 1:
		return encode(map[string]any{"state": "ON", "color_mode": "brightness", "brightness": min(v, p.Max)})
	}
	return []byte(`{"state":"ON","color_mode":"onoff"}`)
}

// parse reads a command for a setting. bright is the light's last brightness, 0
// if there was none. Its errors are *bridge.Error; ranges are left to the fleet,
// which knows the camera as it is at that moment.
func parse(platform string, p bridge.Property, payload []byte, bright int) (any, error) {
	text := strings.TrimSpace(string(payload))
	switch platform {
	case "light":
		return parseLight(p, text, bright)
	case "number":
		n, ok := parseWhole(text)
		if !ok {
			return nil, bridge.Errorf(bridge.CodeInvalid, "%s takes a whole number from %d to %d", p.Title, p.Min, p.Max)
		}
		return n, nil
	case "switch":
		on, err := parseSwitch(text)
		switch {
		case err != nil:
			return nil, bridge.Errorf(bridge.CodeInvalid, "%s takes ON or OFF", p.Title)
		case p.Kind == bridge.Bool:
			return on, nil
		case on:
			return 1, nil
		}
		return 0, nil
	case "text":
		return parseText(payload)
	}
	if text == normal && !slices.Contains(p.Options, normal) {
		text = unknown
	}
	return text, nil
}

// parseWhole reads a whole number, which Home Assistant may write as 20.0.
func parseWhole(text string) (int, bool) {
	f, err := strconv.ParseFloat(text, 64)
	return int(f), err == nil && f == math.Trunc(f) && math.Abs(f) <= 1<<30
}

func parseSwitch(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "on":
		return true, nil
	case "off":
		return false, nil
	}
	return strconv.ParseBool(strings.ToLower(text))
}

// parseText takes the text as it is, or wrapped as the document's template does.
func parseText(payload []byte) (any, error) {
	var wrapped struct {
		Text *string `json:"text"`
	}
	if bytes.HasPrefix(payload, []byte("{")) && json.Unmarshal(payload, &wrapped) == nil && wrapped.Text != nil {
		return *wrapped.Text, nil
	}
	return strings.TrimSpace(string(payload)), nil
}

// parseLight takes Home Assistant's JSON, or plain ON and OFF. ON alone is the
// brightness that the light has or last had.
func parseLight(p bridge.Property, text string, bright int) (any, error) {
	var cmd struct {
		State      string   `json:"state"`
		Brightness *float64 `json:"brightness"`
	}
	bad := bridge.Errorf(bridge.CodeInvalid, `%s takes {"state":"ON","brightness":1 to %d} or OFF`, p.Title, p.Max)
	if !strings.HasPrefix(text, "{") {
		cmd.State = text
	} else if json.Unmarshal([]byte(text), &cmd) != nil {
		return nil, bad
	}
	on, err := parseSwitch(cmd.State)
	switch {
	case err != nil:
		return nil, bad
	case !on:
		return 0, nil
	case cmd.Brightness == nil && bright > 0:
		return min(bright, p.Max), nil
	case cmd.Brightness == nil:
		return p.Max, nil
	}
	b := math.Round(*cmd.Brightness)
	if b < 0 || b > float64(p.Max) {
		return nil, bad
	}
	return int(b), nil
}
