package wire

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// Lengths of a device's strings, in characters.
const (
	maxWord     = 32  // firmware, board, sensor, reset, an option
	maxValue    = 256 // a setting's or argument's text, as received
	maxSentence = 200 // a message for people
	maxOptions  = 32  // entries of a list
)

// Hello is a native camera's first text, once per connection, after a ready
// with proto.
//
//	{"type":"hello","proto":1,"mac":"24:0a:c4:00:00:01","firmware":"1.0.0",
//	 "board":"ai-thinker","sensor":"OV2640","psram":4194304,"reset":"poweron",
//	 "caps":{"framesizes":["QVGA","VGA"],"led":255,"pan":[0,180],"tilt":[0,180],
//	         "motor":true,"pir":true,"ota":true,
//	         "settings":{"brightness":[-2,2],"special_effect":["Normal","Negative"],"hmirror":true}},
//	 "settings":{"framesize":"VGA","quality":12}}
//
// Required: proto (1 or more). mac is six bytes in hexadecimal with or without
// separators; strings have at most 32 characters; psram is 0 to 2^53-1 bytes.
// caps: lists have at most 32 entries, led is 0 to 255, pan and tilt are rising
// pairs within -360 to 360, settings hold only names of bridge.Properties.
type Hello struct {
	Proto    int
	Device   bridge.Device
	Caps     bridge.Capabilities
	Settings bridge.Settings // in force; through bridge.Known
}

// Result answers a Set or Do.
//
//	{"type":"result","id":"7","ok":true,"settings":{"framesize":"SVGA"}}
//	{"type":"result","id":"8","ok":false,"code":"busy","message":"the motor is moving"}
//
// Required: id, ok. settings (all in force) comes with the success of a set. An
// unknown code is read as "failed"; message has at most 200 characters.
type Result struct {
	ID       string
	OK       bool
	Settings bridge.Settings // nil if there were none
	Code     string          // if not OK: one of the constants below
	Message  string
}

// The codes of a refused Set or Do.
const (
	Unsupported = "unsupported" // this camera has no such setting or action
	Invalid     = "invalid"     // the value or argument is out of range
	Busy        = "busy"        // not now
	Failed      = "failed"      // tried, and the hardware did not
)

// State tells all settings in force after one changed on the device itself (a
// button, a timer, another master).
//
//	{"type":"state","settings":{"led":0}}
//
// Required: settings.
type State struct{ Settings bridge.Settings }

// Event tells a change of a sensor on the device.
//
//	{"type":"event","name":"pir","active":true}
//
// Required: name (1 to 32 of [A-Za-z0-9_.:-]), active.
type Event struct {
	Name   string
	Active bool
}

// Stats are a camera's own figures, every 30 seconds, native and StreamHub.
//
//	{"type":"stats","fps":12,"rssi":-61,"heapFree":41232,"psramFree":1048576,
//	 "frames":9000,"dropped":3,"uptime":900,"temperature":41.5}
//
// All are optional; absent is nil. fps 0 to 1000, rssi -128 to 127 dBm,
// temperature -100 to 200 °C, uptime 0 to 2^32-1 seconds, the others whole
// numbers from 0 to 2^53-1. StreamHub has the first three and frames, or not.
type Stats struct {
	FPS         *float64 `json:"fps,omitempty"`
	RSSI        *int64   `json:"rssi,omitempty"`
	HeapFree    *int64   `json:"heapFree,omitempty"`
	PSRAMFree   *int64   `json:"psramFree,omitempty"`
	Frames      *int64   `json:"frames,omitempty"`  // sent since boot
	Dropped     *int64   `json:"dropped,omitempty"` // not sent because the network was slow
	Uptime      *int64   `json:"uptime,omitempty"`
	Temperature *float64 `json:"temperature,omitempty"`
}

// ParseDevice reads a text from a camera. A type that is not known gives no
// message and no error; every error is a *Fault.
func ParseDevice(text []byte) (Message, error) {
	kind, o, err := open(text, MaxText)
	if err != nil {
		return nil, err
	}
	switch kind {
	case "hello":
		return parseHello(o)
	case "result":
		return parseResult(o)
	case "state":
		return parseState(o)
	case "event":
		return parseEvent(o)
	case "stats":
		return parseStats(o), nil
	}
	return nil, nil
}

func parseHello(o object) (Message, error) {
	proto := o.whole("proto", 1, 1<<30)
	if proto == nil {
		return nil, missing("proto")
	}
	return Hello{
		Proto: int(*proto),
		Device: bridge.Device{
			MAC:      parseMAC(o.text("mac", maxWord)),
			Firmware: o.text("firmware", maxWord),
			Board:    o.text("board", maxWord),
			Sensor:   o.text("sensor", maxWord),
			PSRAM:    o.count("psram", maxWhole),
			Reset:    o.text("reset", maxWord),
		},
		Caps:     parseCaps(o.object("caps")),
		Settings: o.settings("settings"),
	}, nil
}

var macPattern = regexp.MustCompile(`^[0-9a-f]{2}([:-]?[0-9a-f]{2}){5}$`)

// parseMAC returns lower case with colons, or "".
func parseMAC(s string) string {
	s = strings.ToLower(s)
	if !macPattern.MatchString(s) {
		return ""
	}
	hex := strings.NewReplacer(":", "", "-", "").Replace(s)
	return strings.Join([]string{hex[0:2], hex[2:4], hex[4:6], hex[6:8], hex[8:10], hex[10:12]}, ":")
}

func parseCaps(o object) bridge.Capabilities {
	c := bridge.Capabilities{
		FrameSizes: o.words("framesizes"),
		LED:        int(o.count("led", 255)),
		Pan:        o.span("pan", 360),
		Tilt:       o.span("tilt", 360),
	}
	c.Motor, _ = o.flag("motor")
	c.PIR, _ = o.flag("pir")
	c.OTA, _ = o.flag("ota")
	limits := o.object("settings")
	for _, p := range bridge.Properties() {
		if l, ok := limits.limit(p.Name); ok {
			if c.Settings == nil {
				c.Settings = map[string]bridge.Limit{}
			}
			c.Settings[p.Name] = l
		}
	}
	return c
}

// words returns a list's strings, each once.
func (o object) words(name string) []string {
	var out []string
	for _, raw := range o.list(name, maxOptions) {
		s, _ := asText(raw)
		if s = clean(s, maxWord); s != "" && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// span returns a rising pair of whole numbers within -limit to limit.
func (o object) span(name string, limit int64) *bridge.Range {
	l := o.list(name, 3)
	if len(l) != 2 {
		return nil
	}
	pair := object{"lo": l[0], "hi": l[1]}
	lo, hi := pair.whole("lo", -limit, limit), pair.whole("hi", -limit, limit)
	if lo == nil || hi == nil || *lo >= *hi {
		return nil
	}
	return &bridge.Range{int(*lo), int(*hi)}
}

func (o object) limit(name string) (bridge.Limit, bool) {
	if yes, _ := o.flag(name); yes {
		return bridge.Limit{}, true
	}
	if r := o.span(name, 1<<20); r != nil {
		return bridge.Limit{Range: r}, true
	}
	options := o.words(name)
	return bridge.Limit{Options: options}, options != nil
}

func parseResult(o object) (Message, error) {
	r := Result{ID: o.name("id")}
	if r.ID == "" {
		return nil, missing("id")
	}
	var told bool
	if r.OK, told = o.flag("ok"); !told {
		return nil, missing("ok")
	}
	if r.OK {
		if o.object("settings") != nil {
			r.Settings = o.settings("settings")
		}
		return r, nil
	}
	r.Message = o.text("message", maxSentence)
	if r.Code = o.text("code", maxWord); !slices.Contains([]string{Unsupported, Invalid, Busy}, r.Code) {
		r.Code = Failed
	}
	return r, nil
}

func parseState(o object) (Message, error) {
	if o.object("settings") == nil {
		return nil, missing("settings")
	}
	return State{Settings: o.settings("settings")}, nil
}

func parseEvent(o object) (Message, error) {
	e := Event{Name: o.name("name")}
	if e.Name == "" {
		return nil, missing("name")
	}
	var told bool
	if e.Active, told = o.flag("active"); !told {
		return nil, missing("active")
	}
	return e, nil
}

func parseStats(o object) Message {
	return Stats{
		FPS:         o.number("fps", 0, 1000),
		RSSI:        o.whole("rssi", -128, 127),
		HeapFree:    o.whole("heapFree", 0, maxWhole),
		PSRAMFree:   o.whole("psramFree", 0, maxWhole),
		Frames:      o.whole("frames", 0, maxWhole),
		Dropped:     o.whole("dropped", 0, maxWhole),
		Uptime:      o.whole("uptime", 0, 1<<32-1),
		Temperature: o.number("temperature", -100, 200),
	}
}

// Err returns nil for a success, else an *bridge.Error in the device's words.
func (r Result) Err() error {
	if r.OK {
		return nil
	}
	code, text := bridge.CodeUnavailable, "the camera tried and failed"
	switch r.Code {
	case Unsupported:
		code, text = bridge.CodeUnsupported, "the camera cannot do that"
	case Invalid:
		code, text = bridge.CodeInvalid, "the camera does not take that value"
	case Busy:
		code, text = bridge.CodeBusy, "the camera is busy: try again"
	}
	if r.Message != "" {
		text += " (" + r.Message + ")"
	}
	return bridge.Errorf(code, "%s", text)
}

// Bridge returns the figures as the bridge keeps them; what it measures itself
// is zero.
func (s Stats) Bridge() bridge.Stats {
	out := bridge.Stats{
		HeapFree: s.HeapFree, PSRAMFree: s.PSRAMFree, Temperature: s.Temperature,
		Uptime: s.Uptime, DeviceFPS: s.FPS, DeviceDrops: s.Dropped,
	}
	if s.RSSI != nil {
		rssi := int(*s.RSSI)
		out.RSSI = &rssi
	}
	return out
}

// Append implements Message.
func (h Hello) Append(b []byte) []byte {
	return appendJSON(b, struct {
		Type  string `json:"type"`
		Proto int    `json:"proto"`
		bridge.Device
		Caps     bridge.Capabilities `json:"caps"`
		Settings map[string]any      `json:"settings,omitempty"`
	}{"hello", h.Proto, h.Device, h.Caps, scalars(h.Settings)})
}

// Append implements Message.
func (r Result) Append(b []byte) []byte {
	var settings json.RawMessage
	if r.Settings != nil {
		settings = appendJSON(nil, scalars(r.Settings))
	}
	return appendJSON(b, struct {
		Type     string          `json:"type"`
		ID       string          `json:"id"`
		OK       bool            `json:"ok"`
		Settings json.RawMessage `json:"settings,omitempty"`
		Code     string          `json:"code,omitempty"`
		Message  string          `json:"message,omitempty"`
	}{"result", r.ID, r.OK, settings, r.Code, r.Message})
}

// Append implements Message.
func (s State) Append(b []byte) []byte {
	return appendJSON(b, struct {
		Type     string         `json:"type"`
		Settings map[string]any `json:"settings"`
	}{"state", scalars(s.Settings)})
}

// Append implements Message.
func (e Event) Append(b []byte) []byte {
	return appendJSON(b, struct {
		Type   string `json:"type"`
		Name   string `json:"name"`
		Active bool   `json:"active"`
	}{"event", e.Name, e.Active})
}

// Append implements Message.
func (s Stats) Append(b []byte) []byte {
	type plain Stats
	return appendJSON(b, struct {
		Type string `json:"type"`
		plain
	}{"stats", plain(s)})
}
