package bridge

import (
	"encoding/json"
	"fmt"
	"slices"
)

// Dialect is the protocol that a camera speaks.
type Dialect string

// The dialects. A camera is StreamHub until it sends a hello.
const (
	Native    Dialect = "native"
	StreamHub Dialect = "streamhub"
)

// Capabilities is what a device says of itself in its hello (DESIGN: native
// dialect). It is kept in the store, so that a camera that is away still has
// its entities. The JSON form is the wire form.
type Capabilities struct {
	FrameSizes []string         `json:"framesizes,omitempty"` // names, smallest first
	LED        int              `json:"led,omitempty"`        // 0 none, 1 on/off, else the brightness maximum (to 255)
	Pan        *Range           `json:"pan,omitempty"`        // degrees
	Tilt       *Range           `json:"tilt,omitempty"`       // degrees
	Motor      bool             `json:"motor,omitempty"`      // takes "drive" and "stop"
	PIR        bool             `json:"pir,omitempty"`        // has a motion sensor of its own
	OTA        bool             `json:"ota,omitempty"`        // takes "ota"
	Settings   map[string]Limit `json:"settings,omitempty"`   // each further setting
}

// Range is a closed range of whole numbers, [min, max] in JSON.
type Range [2]int

// Limit is what one further setting accepts: a range, options, or (for a bool)
// just that it is there. In JSON [-2,2], ["Normal","Negative"] or true.
type Limit struct {
	Range   *Range
	Options []string
}

// MarshalJSON writes the wire form.
func (l Limit) MarshalJSON() ([]byte, error) {
	switch {
	case l.Range != nil:
		return json.Marshal(l.Range)
	case l.Options != nil:
		return json.Marshal(l.Options)
	}
	return []byte("true"), nil
}

// UnmarshalJSON reads the wire form.
func (l *Limit) UnmarshalJSON(b []byte) error {
	*l = Limit{}
	var r Range
	var n []int
	if json.Unmarshal(b, &n) == nil && len(n) == 2 {
		r = Range(n)
		l.Range = &r
		return nil
	}
	if json.Unmarshal(b, &l.Options) == nil && len(l.Options) > 0 {
		return nil
	}
	if string(b) == "true" {
		return nil
	}
	return fmt.Errorf("a setting's capability must be [min,max], a list of names or true, not %.40s", b)
}

// actions lists every action in the order in which people see them.
var actions = []string{"snapshot", "identify", "restart", "pan", "tilt", "drive", "stop", "ota"}

// actionsOf returns what a native camera can be told to do.
func actionsOf(c Capabilities) []string {
	has := map[string]bool{
		"snapshot": true, "identify": c.LED > 0, "restart": true,
		"pan": c.Pan != nil, "tilt": c.Tilt != nil,
		"drive": c.Motor, "stop": c.Motor, "ota": c.OTA,
	}
	return slices.DeleteFunc(slices.Clone(actions), func(a string) bool { return !has[a] })
}

// Offer is what one camera can be asked: the only answer to "what can it do".
// The page, MQTT discovery and the API read it and offer exactly that.
type Offer struct {
	Properties []Property `json:"settings"` // in the order of Properties()
	Actions    []string   `json:"actions"`  // names of actions, in the order of Actions
	LED        int        `json:"led"`      // 0 none, 1 on/off, else the brightness maximum
	Pan        *Range     `json:"pan,omitempty"`
	Tilt       *Range     `json:"tilt,omitempty"`
	PIR        bool       `json:"pir,omitempty"`
}

// NewOffer says what a camera of dialect d with capabilities c can do. maxFPS
// is the bridge's own limit, at which frames are dropped whatever the camera
// does; so every camera has "fps", and every camera has "snapshot", because the
// bridge can answer both by itself.
func NewOffer(d Dialect, c Capabilities, maxFPS int) Offer {
	o := Offer{Actions: []string{"snapshot"}}
	if d != Native {
		o.add("fps", 1, min(30, maxFPS), nil)
		return o
	}
	if len(c.FrameSizes) > 0 {
		o.add("framesize", 0, 0, c.FrameSizes)
	}
	o.add("quality", 4, 63, nil)
	o.add("fps", 1, min(30, maxFPS), nil)
	if o.LED = min(max(c.LED, 0), 255); o.LED > 0 {
		o.add("led", 0, o.LED, nil)
	}
	o.addFurther(c.Settings)
	o.Pan, o.Tilt, o.PIR = c.Pan, c.Tilt, c.PIR
	o.Actions = actionsOf(c)
	return o
}

// addFurther adds what the camera listed beside the settings that every native
// camera has.
func (o *Offer) addFurther(limits map[string]Limit) {
	for _, p := range properties {
		l, ok := limits[p.Name]
		if _, have := o.Property(p.Name); !ok || have {
			continue
		}
		switch {
		case p.Kind == Number && l.Range != nil && l.Range[0] < l.Range[1]:
			o.add(p.Name, max(p.Min, l.Range[0]), min(p.Max, l.Range[1]), nil)
		case p.Kind == Choice && len(l.Options) > 0:
			o.add(p.Name, 0, 0, l.Options)
		case p.Kind == Bool, p.Kind == Text:
			o.add(p.Name, p.Min, p.Max, nil)
		}
	}
}

func (o *Offer) add(name string, lo, hi int, options []string) {
	for _, p := range properties {
		if p.Name == name {
			p.Min, p.Max, p.Options = lo, hi, options
			o.Properties = append(o.Properties, p)
		}
	}
}

// Property returns the setting of that wire name, if the camera has it.
func (o Offer) Property(name string) (Property, bool) {
	for _, p := range o.Properties {
		if p.Name == name {
			return p, true
		}
	}
	return Property{}, false
}

// Can reports whether the camera takes the action.
func (o Offer) Can(action string) bool { return slices.Contains(o.Actions, action) }

// Check returns s with normalised values, or an *Error that names the first
// setting (in order of name) that this camera does not have or cannot take.
func (o Offer) Check(s Settings) (Settings, error) {
	out := make(Settings, len(s))
	for _, name := range s.Names() {
		if name == TimedLED {
			n, ok := asInt(s[name])
			if _, with := s["led"]; !with || !ok || n < 100 || n > 600_000 {
				return nil, Errorf(CodeInvalid, "led_ms takes 100 to 600000 milliseconds, together with led").At("settings.led_ms")
			}
			out[name] = n
			continue
		}
		p, ok := o.Property(name)
		if !ok {
			return nil, o.missing(name)
		}
		v, err := p.normalise(s[name])
		if err != nil {
			return nil, Errorf(CodeInvalid, "%w", err).At("settings." + name)
		}
		out[name] = v
	}
	return out, nil
}

func (o Offer) missing(name string) error {
	names := make([]string, len(o.Properties))
	for i, p := range o.Properties {
		names[i] = p.Name
	}
	return Errorf(CodeUnsupported, "this camera has no setting %q; it has %v", name, names).At("settings." + name)
}
