package mqtt

import (
	"math"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// row is one entity of a device. The two tables below are the only place that
// says which entities there are: the document, the states and the commands are
// all made from them. S is what the device shows: subject or overview.
//
// A row is one of
//
//	setting  a setting of the camera: T/key is its value, T/key/set changes it;
//	         only for a camera whose Offer has it, which also gives its range
//	action   a button: PRESS to T/key/set; only for a camera whose Offer has it
//	motion   a setting of how the camera's pictures are judged, topics like setting
//	state    a value that the bridge itself keeps, topics like setting
//	figure   a value in the JSON of a topic that several rows share
//	else     whatever topic says
type row[S any] struct {
	key      string       // component in the document, end of the unique id
	platform string       // empty: a command without an entity
	name     string       // empty: the entity is called like its class, or like the device
	topic    string       // below T; settings need none
	category string       // config, diagnostic or none
	hidden   bool         // disabled until somebody enables it
	alone    bool         // available with the bridge, whether or not the camera is there
	has      func(S) bool // only where it is true; nil is everywhere

	setting string // wire name
	plain   string // platform of a setting that is on or off and nothing between
	action  string // name of the action
	motion  string // name of the motion setting
	judged  bool   // only where pictures are judged
	state   func(S) string
	set     func(j *job, text string) error // reads a command; nil: PRESS for an action

	figure   func(S) any // nil is "unknown"
	steady   bool        // changes seldom: a change is told at once
	reported bool        // only for a camera that has told a value once
	class    string
	unit     string
	measures string // state_class
	digits   int    // after the decimal point, for figures with measures

	attributes bool           // the JSON of the topic is also the entity's attributes
	more       map[string]any // further keys of the component
}

// subject is what a camera's figures are made from.
type subject struct {
	bridge.Camera
	boot     time.Time     // BootedAt, without the jitter of a second or two
	interval time.Duration // between two pictures; 0: only when asked for
}

// overview is what the bridge's figures are made from.
type overview struct {
	version                string
	started                time.Time
	online, total, viewers int
	bytes                  float64 // per second, of all cameras
	memory                 uint64  // bytes
	goroutines             int
	permit                 bool // an unknown camera may come in
	level                  string
	adjustable             bool // the log's level can be changed
	supervised             bool // somebody starts the program again
	plugged                bool // plugins are configured
	plugins                int  // that run
}

const (
	config     = "config"
	diagnostic = "diagnostic"
)

// slider is what Home Assistant needs to know of a share in percent.
var slider = map[string]any{"min": 1, "max": 100, "step": 1, "mode": "slider", "unit_of_measurement": "%"}

// seconds is what it needs to know of the time between pictures.
var seconds = map[string]any{"min": 0, "max": int(maxInterval.Seconds()), "step": 1, "mode": "box", "unit_of_measurement": "s"}

var presence = map[string]any{"payload_on": "online", "payload_off": "offline"}

// cameraRows are a camera's entities.
var cameraRows = []row[subject]{
	{key: "camera", platform: "camera", topic: "image"},
	{key: "motion_image", platform: "image", name: "Last motion", topic: "motion/image", judged: true, more: map[string]any{"content_type": "image/jpeg"}},
	{key: "motion", platform: "binary_sensor", topic: "motion", class: "motion", judged: true},
	{key: "event", platform: "event", name: "Motion event", topic: "event", class: "motion", judged: true, more: map[string]any{"event_types": []string{"motion_start", "motion_end"}}},
	{key: "last_motion", platform: "sensor", name: "Last motion at", topic: "motion/last", class: "timestamp", judged: true},
	{key: "connection", platform: "binary_sensor", name: "Connection", topic: "availability", class: "connectivity", category: diagnostic, alone: true, more: presence},
	{key: "enabled", platform: "switch", name: "Camera enabled", state: func(s subject) string { return onOff(s.Enabled) }, set: enable, alone: true, category: config},
	{key: "snapshot", platform: "button", name: "Take snapshot", action: "snapshot"},
	{key: "restart", platform: "button", name: "Restart", action: "restart", class: "restart", category: config},
	{key: "identify", platform: "button", name: "Identify", action: "identify", class: "identify", category: diagnostic},

	{key: "pan", platform: "number", name: "Pan", action: "pan", set: turn("pan"), state: func(s subject) string { return degreesOf(s, "pan") }},
	{key: "tilt", platform: "number", name: "Tilt", action: "tilt", set: turn("tilt"), state: func(s subject) string { return degreesOf(s, "tilt") }},
	{key: "drive", action: "drive", set: drive},

	{key: "flash", platform: "light", plain: "switch", name: "Flash", setting: "led"},
	{key: "motion_detection", platform: "switch", name: "Motion detection", motion: "enabled", judged: true, category: config},
	{key: "motion_sensitivity", platform: "number", name: "Motion sensitivity", motion: "sensitivity", judged: true, category: config, more: slider},
	{key: "snapshot_interval", platform: "number", name: "Snapshot interval", class: "duration", state: func(s subject) string { return strconv.Itoa(int(s.interval.Seconds())) }, set: setInterval, category: config, more: seconds},
	{key: "resolution", platform: "select", name: "Resolution", setting: "framesize", category: config},
	{key: "jpeg_quality", platform: "number", name: "JPEG quality", setting: "quality", category: config},
	{key: "max_fps", platform: "number", name: "Max frame rate", setting: "fps", category: config},
	{key: "brightness", platform: "number", name: "Brightness", setting: "brightness", category: config, hidden: true},
	{key: "contrast", platform: "number", name: "Contrast", setting: "contrast", category: config, hidden: true},
	{key: "saturation", platform: "number", name: "Saturation", setting: "saturation", category: config, hidden: true},
	{key: "mirror", platform: "switch", name: "Mirror", setting: "hmirror", category: config, hidden: true},
	{key: "flip", platform: "switch", name: "Flip", setting: "vflip", category: config, hidden: true},
	{key: "special_effect", platform: "select", name: "Special effect", setting: "special_effect", category: config, hidden: true},
	{key: "white_balance", platform: "select", name: "White balance", setting: "wb_mode", category: config, hidden: true},
	{key: "label", platform: "text", name: "Overlay text", setting: "label", category: config, hidden: true},

	sensor("rssi", "Signal strength", "signal_strength", "dBm", 0, func(s subject) any { return value(s.Stats.RSSI) }).told(),
	sensor("fps", "Frame rate", "", "fps", 1, func(s subject) any { return rounded(s.Stats.FPS, 1) }),
	sensor("bitrate", "Throughput", "data_rate", "kB/s", 1, func(s subject) any { return rounded(s.Stats.BytesPerSecond/1000, 1) }),
	sensor("viewers", "Viewers", "", "", 0, func(s subject) any { return s.Stats.Viewers }).seldom(),
	{key: "ip", platform: "sensor", name: "IP address", topic: "telemetry", figure: func(s subject) any { return host(s.Address) }, steady: true, category: diagnostic},
	{key: "last_boot", platform: "sensor", name: "Last boot", topic: "telemetry", class: "timestamp", figure: func(s subject) any { return stamp(s.boot) }, steady: true, reported: true, category: diagnostic},
	sensor("frame_size", "Frame size", "data_size", "kB", 1, func(s subject) any { return rounded(float64(s.Stats.FrameSize)/1000, 1) }).unasked(),
	sensor("heap", "Free memory", "data_size", "kB", 0, func(s subject) any { return kilobytes(s.Stats.HeapFree) }).told().unasked(),
	sensor("psram", "Free PSRAM", "data_size", "kB", 0, func(s subject) any { return kilobytes(s.Stats.PSRAMFree) }).told().unasked(),
	sensor("temperature", "Chip temperature", "temperature", "°C", 0, func(s subject) any { return degrees(s.Stats.Temperature) }).told().unasked(),
	sensor("dropped", "Dropped frames", "", "", 0, func(s subject) any { return dropped(s.Stats) }).unasked().counts(),
	sensor("reconnects", "Reconnects", "", "", 0, func(s subject) any { return s.Reconnects }).unasked().counts().seldom(),
	{key: "firmware", platform: "update", name: "Firmware", topic: "update", class: "firmware", has: func(s subject) bool { return s.Device.Firmware != "" }, category: config},
}

// bridgeRows are the bridge's own entities.
var bridgeRows = []row[overview]{
	{key: "connection", platform: "binary_sensor", name: "Connection", topic: "state", class: "connectivity", category: diagnostic, more: presence},
	{key: "version", platform: "sensor", name: "Version", topic: "info", figure: func(o overview) any { return o.version }, category: diagnostic},
	{key: "last_boot", platform: "sensor", name: "Last boot", topic: "info", class: "timestamp", figure: func(o overview) any { return stamp(o.started) }, category: diagnostic},
	statistic("cameras_online", "Cameras online", "", "", 0, func(o overview) any { return o.online }),
	statistic("cameras_total", "Cameras", "", "", 0, func(o overview) any { return o.total }),
	statistic("viewers", "Viewers", "", "", 0, func(o overview) any { return o.viewers }),
	statistic("throughput", "Throughput", "data_rate", "kB/s", 1, func(o overview) any { return rounded(o.bytes/1000, 1) }).unasked(),
	statistic("memory", "Memory", "data_size", "MB", 1, func(o overview) any { return rounded(float64(o.memory)/1e6, 1) }).unasked(),
	statistic("goroutines", "Goroutines", "", "", 0, func(o overview) any { return o.goroutines }).unasked(),
	statistic("plugins", "Plugins running", "", "", 0, func(o overview) any { return o.plugins }).where(plugged),
	{key: "plugin_problem", platform: "binary_sensor", name: "Plugin problem", topic: "plugins", class: "problem", category: diagnostic, has: plugged, more: map[string]any{"value_template": "{{ 'ON' if value_json.problem else 'OFF' }}"}, attributes: true},
	{key: "last_error", platform: "sensor", name: "Last error", topic: "last_error", category: diagnostic, hidden: true, more: map[string]any{"value_template": "{{ value_json.message }}"}, attributes: true},
	{key: "permit_join", platform: "switch", name: "Accept new cameras", state: func(o overview) string { return onOff(o.permit) }, category: config},
	{key: "log_level", platform: "select", name: "Log level", state: func(o overview) string { return o.level }, has: func(o overview) bool { return o.adjustable }, category: config, hidden: true, more: map[string]any{"options": levels()}},
	{key: "rediscover", platform: "button", name: "Republish discovery", action: "rediscover", category: config, hidden: true},
	{key: "restart", platform: "button", name: "Restart", action: "restart", class: "restart", has: func(o overview) bool { return o.supervised }, category: config},
	{key: "update", platform: "update", name: "Bridge", topic: "update", category: diagnostic},
}

func plugged(o overview) bool { return o.plugged }

// statistic is a measured figure of <base>/bridge/stats.
func statistic(key, name, class, unit string, digits int, figure func(overview) any) row[overview] {
	return row[overview]{
		key: key, platform: "sensor", name: name, topic: "stats", class: class, unit: unit, digits: digits,
		figure: figure, measures: "measurement", category: diagnostic,
	}
}

// sensor is a measured figure of T/telemetry.
func sensor(key, name, class, unit string, digits int, figure func(subject) any) row[subject] {
	return row[subject]{
		key: key, platform: "sensor", name: name, topic: "telemetry", class: class, unit: unit, digits: digits,
		figure: figure, measures: "measurement", category: diagnostic,
	}
}

func (r row[S]) told() row[S]                  { r.reported = true; return r }
func (r row[S]) unasked() row[S]               { r.hidden = true; return r }
func (r row[S]) seldom() row[S]                { r.steady = true; return r }
func (r row[S]) where(has func(S) bool) row[S] { r.has = has; return r }
func (r row[S]) counts() row[S]                { r.measures = "total_increasing"; return r }

// figures is the JSON of a topic: always all keys, because Home Assistant warns
// of a missing one at every message.
func figures[S any](rows []row[S], topic string, s S) map[string]any {
	out := map[string]any{}
	for _, r := range rows {
		if r.figure != nil && r.topic == topic {
			out[r.key] = r.figure(s)
		}
	}
	return out
}

// steadyFigures are those whose change is told at once; of the others only
// whether there is a value.
func steadyFigures[S any](rows []row[S], topic string, s S) map[string]any {
	out := figures(rows, topic, s)
	for _, r := range rows {
		if v, ok := out[r.key]; ok && !r.steady {
			out[r.key] = v != nil
		}
	}
	return out
}

// retainedTopics are the names of all topics below T that may be retained.
func retainedTopics() []string {
	names := []string{"info"}
	for _, r := range cameraRows {
		switch {
		case r.setting != "", r.motion != "", r.state != nil:
			names = append(names, r.key)
		case r.topic != "" && r.topic != "image" && r.topic != "event":
			names = append(names, r.topic)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// topicOf is the name on MQTT of a setting's wire name.
func topicOf(wire string) string {
	for _, r := range cameraRows {
		if r.setting == wire && wire != "" {
			return r.key
		}
	}
	return wire
}

func onOff(on bool) string {
	if on {
		return "ON"
	}
	return "OFF"
}

// degreesOf is where a camera was last turned to.
func degreesOf(s subject, action string) string {
	if a, ok := s.Angles[action]; ok {
		return strconv.Itoa(a)
	}
	return unknown
}

func value[N any](p *N) any {
	if p == nil {
		return nil
	}
	return *p
}

// rounded is v with that many digits; a figure that is none is unknown.
func rounded(v float64, digits int) any {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	scale := math.Pow10(digits)
	return math.Round(v*scale) / scale
}

func kilobytes(p *int64) any {
	if p == nil {
		return nil
	}
	return rounded(float64(*p)/1000, 0)
}

func degrees(p *float64) any {
	if p == nil {
		return nil
	}
	return rounded(*p, 0)
}

func stamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(time.RFC3339)
}

func host(address string) any {
	h, _, err := net.SplitHostPort(address)
	if err != nil {
		h = address
	}
	if h == "" {
		return nil
	}
	return h
}

// dropped counts frames that were lost for everybody: a slow viewer is its own
// affair, and a camera that is switched off loses nothing.
func dropped(s bridge.Stats) any {
	n := s.Dropped[bridge.DropRate] + s.Dropped[bridge.DropInvalid] + s.Dropped[bridge.DropTooLarge]
	if s.DeviceDrops != nil {
		n += uint64(max(*s.DeviceDrops, 0))
	}
	return n
}
