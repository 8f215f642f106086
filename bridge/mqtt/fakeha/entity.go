package fakeha

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Unknown is the state of an entity that has none.
const Unknown = "unknown"

// Entity is what a person sees of one.
type Entity struct {
	UniqueID     string
	Device       string
	Key          string
	Platform     string
	Name         string // empty: that of the device
	Disabled     bool   // by default; here it lives all the same
	State        string // Unknown until told
	Available    bool
	Picture      []byte           // of a camera or an image; empty if it was cleared
	Pictures     int              // so many came, replayed ones not counted
	Events       []map[string]any // of an event entity, in order
	Attributes   map[string]any   // of json_attributes_topic
	CommandTopic string
	Config       map[string]any
}

type entity struct {
	document, key, device, platform string
	unique                          string
	config                          object
	state                           string
	picture                         []byte
	pictures                        int
	events                          []map[string]any
	extra                           object
	modes                           string
	gates                           []string
	heard                           map[string]bool
	latest                          bool
}

func (e *entity) snapshot() Entity {
	name, _ := e.config["name"].(string)
	topic, _ := e.config["command_topic"].(string)
	state := e.state
	if state == "" {
		state = Unknown
	}
	return Entity{
		UniqueID: e.unique, Device: e.device, Key: e.key, Platform: e.platform, Name: name,
		Disabled: e.config["enabled_by_default"] == false, State: state, Available: e.available(),
		Picture: e.picture, Pictures: e.pictures, Events: slices.Clone(e.events), Attributes: e.extra, CommandTopic: topic, Config: maps.Clone(e.config),
	}
}

// inherit takes over what survives a changed document.
func (e *entity) inherit(old *entity) {
	e.extra = old.extra
	e.state, e.picture, e.latest = old.state, old.picture, old.latest
	e.pictures, e.events = old.pictures, old.events
	maps.Copy(e.heard, old.heard)
}

// availability joins the document's with the component's, which wins.
func (e *entity) availability(root object) {
	from := root
	if e.config["availability"] != nil || e.config["availability_topic"] != nil {
		from = e.config
	}
	for _, a := range list(from["availability"]) {
		e.gates = append(e.gates, fmt.Sprint(a["topic"]))
	}
	if t, ok := from["availability_topic"].(string); ok {
		e.gates = append(e.gates, t)
	}
	e.modes, _ = root["availability_mode"].(string)
	if m, ok := e.config["availability_mode"].(string); ok {
		e.modes = m
	}
}

func (e *entity) available() bool {
	switch {
	case len(e.gates) == 0:
		return true
	case e.modes == "all":
		return !slices.ContainsFunc(e.gates, func(t string) bool { return !e.heard[t] })
	}
	return e.latest
}

// listens lists the topics that the entity reads.
func (e *entity) listens() []string {
	topics := slices.Clone(e.gates)
	for _, k := range []string{"state_topic", "topic", "image_topic", "json_attributes_topic"} {
		if t, ok := e.config[k].(string); ok {
			topics = append(topics, t)
		}
	}
	return topics
}

// receive takes a message and returns what would be logged.
func (e *entity) receive(topic string, payload []byte, retained bool) []string {
	if slices.Contains(e.gates, topic) && (string(payload) == "online" || string(payload) == "offline") {
		e.latest = string(payload) == "online"
		e.heard[topic] = e.latest
	}
	var faults []string
	if topic == e.config["json_attributes_topic"] && len(payload) > 0 {
		faults = e.attributes(payload)
	}
	switch topic {
	case e.config["topic"], e.config["image_topic"]:
		e.show(payload, retained)
	case e.config["state_topic"]:
		if e.platform == "event" {
			return e.happen(payload, retained)
		}
		state, err := e.read(string(payload))
		if err != nil {
			return append(faults, fmt.Sprintf("ERROR %s: %v", e.unique, err))
		}
		if state != "" {
			e.state = state
		}
	}
	return faults
}

// show takes a picture.
func (e *entity) show(payload []byte, retained bool) {
	e.picture = payload
	if len(payload) > 0 && !retained {
		e.pictures++
	}
}

// happen takes an event. A replayed one is none.
func (e *entity) happen(payload []byte, retained bool) []string {
	if retained || len(payload) == 0 {
		return nil
	}
	warn := func(format string, args ...any) []string {
		return []string{"WARNING " + e.unique + ": " + fmt.Sprintf(format, args...)}
	}
	var o object
	if err := json.Unmarshal(payload, &o); err != nil {
		return warn("No valid JSON event payload detected, %q: %v", payload, err)
	}
	kind, ok := o["event_type"].(string)
	switch {
	case !ok:
		return warn("`event_type` missing in JSON event payload %s", payload)
	case !slices.Contains(strings_(e.config["event_types"]), kind):
		return warn("Invalid event type %s received, payload %s", kind, payload)
	}
	e.state, e.events = kind, append(e.events, o)
	return nil
}

// read makes a state of a message; "" leaves the state as it is.
func (e *entity) read(payload string) (string, error) {
	if payload == "" {
		return "", nil
	}
	value, err := e.template(payload)
	if err != nil {
		return "", err
	}
	if len([]rune(value)) > 255 && e.platform != "text" && e.platform != "update" && e.platform != "light" {
		return "", fmt.Errorf("state of %d characters", len(value))
	}
	switch e.platform {
	case "binary_sensor", "switch":
		return e.readOnOff(value)
	case "sensor":
		return e.readSensor(value)
	case "number":
		return e.readNumber(value)
	case "select":
		if value == "None" {
			return Unknown, nil
		}
		if !slices.Contains(strings_(e.config["options"]), value) {
			return "", fmt.Errorf("invalid option %q, want one of %v", value, e.config["options"])
		}
	case "light":
		return e.readLight(value)
	case "update":
		return readUpdate(value)
	case "text":
		return strconv.Quote(value), nil // may be empty
	}
	return value, nil
}

// choose is 'A' if value else 'B'.
var choose = regexp.MustCompile(`^'([^']*)' if (value_json\.\w+) else '([^']*)'$`)

// template renders the few templates that this Home Assistant understands.
func (e *entity) template(payload string) (string, error) {
	tpl, ok := e.config["value_template"].(string)
	if !ok {
		return payload, nil
	}
	expr := strings.TrimSpace(strings.TrimSuffix(strings.TrimPrefix(tpl, "{{"), "}}"))
	if expr == "value | trim" {
		return strings.TrimSpace(payload), nil
	}
	choice := choose.FindStringSubmatch(expr)
	if choice != nil {
		expr = choice[2]
	}
	key, ok := strings.CutPrefix(expr, "value_json.")
	if !ok {
		return "", fmt.Errorf("template %q is not understood", tpl)
	}
	var o object
	if err := json.Unmarshal([]byte(payload), &o); err != nil {
		return "", fmt.Errorf("template %q: %w", tpl, err)
	}
	v, ok := o[key]
	switch v := v.(type) {
	case nil:
		if !ok {
			return "", fmt.Errorf("template variable warning: %s has no %s", payload, key)
		}
		return "None", nil
	case bool:
		if choice != nil {
			return map[bool]string{true: choice[1], false: choice[3]}[v], nil
		}
		return map[bool]string{true: "True", false: "False"}[v], nil
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), nil
	default:
		return fmt.Sprint(v), nil
	}
}

func (e *entity) readOnOff(value string) (string, error) {
	on, off := "ON", "OFF"
	if v, ok := e.config["payload_on"].(string); ok {
		on = v
	}
	if v, ok := e.config["payload_off"].(string); ok {
		off = v
	}
	switch value {
	case on:
		return "on", nil
	case off:
		return "off", nil
	case "None":
		return Unknown, nil
	}
	return "", fmt.Errorf("payload %q is neither %s nor %s", value, on, off)
}

func (e *entity) readSensor(value string) (string, error) {
	if value == "None" {
		return Unknown, nil
	}
	class := fmt.Sprint(e.config["device_class"])
	if class == "timestamp" {
		if _, err := time.Parse(time.RFC3339, value); err != nil {
			return "", fmt.Errorf("invalid timestamp %q", value)
		}
		return value, nil
	}
	numeric := e.config["state_class"] != nil || e.config["unit_of_measurement"] != nil
	if _, err := strconv.ParseFloat(value, 64); numeric && err != nil {
		return "", fmt.Errorf("%q is no number", value)
	}
	return value, nil
}

func (e *entity) readNumber(value string) (string, error) {
	if value == "None" {
		return Unknown, nil
	}
	n, err := strconv.ParseFloat(value, 64)
	if err != nil || n < e.config["min"].(float64) || n > e.config["max"].(float64) {
		return "", fmt.Errorf("invalid value %q, want %v to %v", value, e.config["min"], e.config["max"])
	}
	return value, nil
}

func (e *entity) readLight(value string) (string, error) {
	var v struct {
		State      *string `json:"state"`
		Brightness *int    `json:"brightness"`
		ColorMode  string  `json:"color_mode"`
	}
	if err := json.Unmarshal([]byte(value), &v); err != nil {
		return "", err
	}
	modes := strings_(e.config["supported_color_modes"])
	switch {
	case v.State == nil:
		return Unknown, nil
	case *v.State == "OFF":
		return "off", nil
	case *v.State != "ON", v.ColorMode != "" && !slices.Contains(modes, v.ColorMode):
		return "", fmt.Errorf("invalid light state %s", value)
	case v.Brightness == nil:
		return "on", nil
	}
	return fmt.Sprintf("on %d", *v.Brightness), nil
}

// readUpdate shows whether there is a newer version: on or off, and which.
func readUpdate(value string) (string, error) {
	var v struct {
		Installed *string `json:"installed_version"`
		Latest    *string `json:"latest_version"`
	}
	d := json.NewDecoder(strings.NewReader(value))
	d.DisallowUnknownFields() // or it would be ignored in silence
	switch err := d.Decode(&v); {
	case err != nil:
		return "", fmt.Errorf("schema violation for an update: %w", err)
	case v.Installed == nil || v.Latest == nil:
		return Unknown, nil
	case *v.Installed == *v.Latest:
		return "off " + *v.Installed, nil
	}
	return "on " + *v.Installed, nil
}

// attributes checks what is to be an entity's attributes.
func (e *entity) attributes(payload []byte) []string {
	var o object
	if err := json.Unmarshal(payload, &o); err != nil || o == nil {
		return []string{fmt.Sprintf("WARNING %s: JSON result was not a dictionary: %s", e.unique, payload)}
	}
	for _, name := range []string{"state", "icon", "device_class", "unit_of_measurement", "available", "friendly_name", "entity_picture"} {
		if _, ok := o[name]; ok {
			return []string{fmt.Sprintf("attribute %s of %s is dropped", name, e.unique)}
		}
	}
	e.extra = o
	return nil
}

// command renders the command template.
func (e *entity) command(value string) string {
	tpl, ok := e.config["command_template"].(string)
	if !ok {
		return value
	}
	text, err := json.Marshal(value)
	if err != nil {
		return value
	}
	return strings.ReplaceAll(tpl, "{{ value | tojson }}", string(text))
}
