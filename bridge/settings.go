package bridge

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Settings maps wire names ("framesize", "quality" ...) to values: int, bool or
// string, nothing else. Normalised values may be compared with ==.
type Settings map[string]any

// Kind is the type of a setting's value.
type Kind string

// The kinds of settings.
const (
	Number Kind = "number" // int between Min and Max
	Bool   Kind = "bool"
	Choice Kind = "choice" // string out of Options
	Text   Kind = "text"   // string of at most Max characters
)

// Property describes one setting of one camera: its names and what it accepts.
type Property struct {
	Name    string   `json:"name"`              // wire and API
	Topic   string   `json:"-"`                 // MQTT property; "" is not on MQTT
	Title   string   `json:"title"`             // for people
	Kind    Kind     `json:"type"`              //
	Min     int      `json:"min"`               // Number: range; Text: 0
	Max     int      `json:"max"`               // Number: range; Text: characters
	Options []string `json:"options,omitempty"` // Choice
	Hint    string   `json:"hint,omitempty"`    // what a person should know, such as "lower is better"
	Unit    string   `json:"unit,omitempty"`
}

// properties is the one table that ties the names of a setting together. Wire,
// MQTT, API, page and every dialect read it. The ranges are the widest that any
// sensor has; a camera's capabilities narrow them. Facts: esp32-camera driver
// (OV2640, OV3660, OV5640).
var properties = []Property{
	{Name: "framesize", Topic: "resolution", Title: "Resolution", Kind: Choice},
	{Name: "quality", Topic: "jpeg_quality", Title: "JPEG quality", Kind: Number, Min: 4, Max: 63, Hint: "lower is better and larger"},
	{Name: "fps", Topic: "max_fps", Title: "Max frame rate", Kind: Number, Min: 1, Max: 30, Unit: "fps"},
	{Name: "led", Topic: "flash", Title: "Flash", Kind: Number, Min: 0, Max: 255},
	{Name: "brightness", Topic: "brightness", Title: "Brightness", Kind: Number, Min: -3, Max: 3},
	{Name: "contrast", Topic: "contrast", Title: "Contrast", Kind: Number, Min: -3, Max: 3},
	{Name: "saturation", Topic: "saturation", Title: "Saturation", Kind: Number, Min: -4, Max: 4},
	{Name: "hmirror", Topic: "mirror", Title: "Mirror", Kind: Bool},
	{Name: "vflip", Topic: "flip", Title: "Flip", Kind: Bool},
	{Name: "stream", Title: "Send pictures", Kind: Bool},
	{Name: "special_effect", Topic: "special_effect", Title: "Special effect", Kind: Choice},
	{Name: "wb_mode", Topic: "white_balance", Title: "White balance", Kind: Choice},
	{Name: "label", Topic: "label", Title: "Overlay text", Kind: Text, Max: 32},
	{Name: "awb", Title: "Automatic white balance", Kind: Bool},
	{Name: "awb_gain", Title: "White balance gain", Kind: Bool},
	{Name: "aec", Title: "Automatic exposure", Kind: Bool},
	{Name: "aec2", Title: "Night exposure", Kind: Bool},
	{Name: "aec_value", Title: "Exposure", Kind: Number, Min: 0, Max: 65535},
	{Name: "ae_level", Title: "Exposure level", Kind: Number, Min: -5, Max: 5},
	{Name: "agc", Title: "Automatic gain", Kind: Bool},
	{Name: "agc_gain", Title: "Gain", Kind: Number, Min: 0, Max: 64},
	{Name: "gainceiling", Title: "Gain ceiling", Kind: Number, Min: 0, Max: 511},
	{Name: "bpc", Title: "Black pixel correction", Kind: Bool},
	{Name: "wpc", Title: "White pixel correction", Kind: Bool},
	{Name: "raw_gma", Title: "Gamma", Kind: Bool},
	{Name: "lenc", Title: "Lens correction", Kind: Bool},
	{Name: "dcw", Title: "Downsize", Kind: Bool},
	{Name: "colorbar", Title: "Test bars", Kind: Bool},
	{Name: "sharpness", Title: "Sharpness", Kind: Number, Min: -3, Max: 3},
	{Name: "denoise", Title: "Noise reduction", Kind: Number, Min: 0, Max: 8},
}

// Properties returns a copy of the table of all settings.
func Properties() []Property { return slices.Clone(properties) }

// TimedLED is the companion of the setting "led": after that many milliseconds
// (100 to 600,000) the camera switches the LED off by itself. It is accepted
// only together with led and is never kept as desired.
const TimedLED = "led_ms"

// normalise returns v as p's own type, or a sentence that says what p accepts.
func (p Property) normalise(v any) (any, error) {
	switch p.Kind {
	case Number:
		n, ok := asInt(v)
		if !ok {
			return nil, fmt.Errorf("%s takes a whole number from %d to %d, not %v", p.Name, p.Min, p.Max, v)
		}
		if n < p.Min || n > p.Max {
			return nil, fmt.Errorf("%s is %d: it must be from %d to %d", p.Name, n, p.Min, p.Max)
		}
		return n, nil
	case Bool:
		if b, ok := v.(bool); ok {
			return b, nil
		}
		return nil, fmt.Errorf("%s takes true or false, not %v", p.Name, v)
	case Choice:
		if s, ok := v.(string); ok && slices.Contains(p.Options, s) {
			return s, nil
		}
		return nil, fmt.Errorf("%s is %v: this camera has %s", p.Name, v, strings.Join(p.Options, ", "))
	default:
		s, ok := v.(string)
		if !ok || !utf8.ValidString(s) {
			return nil, fmt.Errorf("%s takes text", p.Name)
		}
		if utf8.RuneCountInString(s) > p.Max {
			return nil, fmt.Errorf("%s is longer than %d characters", p.Name, p.Max)
		}
		return s, nil
	}
}

func asInt(v any) (int, bool) {
	switch n := v.(type) {
	case int:
		return n, true
	case int64:
		return int(n), int64(int(n)) == n
	case float64:
		return int(n), n == math.Trunc(n) && math.Abs(n) < 1<<31
	case json.Number:
		i, err := strconv.Atoi(n.String())
		return i, err == nil
	}
	return 0, false
}

// Known returns s without names that no camera has and with each value in the
// type of its property, dropping what does not fit. It is for what cameras
// report, which the bridge must bear; what people ask for goes through
// Offer.Check instead.
func Known(s Settings) Settings {
	out := make(Settings, len(s))
	for _, p := range properties {
		v, ok := s[p.Name]
		if !ok {
			continue
		}
		if p.Kind == Choice {
			p.Options = []string{fmt.Sprint(v)}
		}
		if n, err := p.normalise(v); err == nil {
			out[p.Name] = n
		}
	}
	return out
}

// Diff returns the entries of want that have another value in have or are not
// in it.
func Diff(want, have Settings) Settings {
	out := Settings{}
	for k, v := range want {
		if h, ok := have[k]; !ok || h != v {
			out[k] = v
		}
	}
	return out
}

// With returns a copy of s in which the entries of more were set.
func (s Settings) With(more Settings) Settings {
	out := make(Settings, len(s)+len(more))
	maps.Copy(out, s)
	maps.Copy(out, more)
	return out
}

// Names returns the names in s in order.
func (s Settings) Names() []string { return slices.Sorted(maps.Keys(s)) }
