package fakeha

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"slices"
)

// Schema holds the facts about one version of Home Assistant.
type Schema struct {
	RootKeys          keys                `json:"root_keys"`
	DeviceKeys        []string            `json:"device_keys"`
	OriginKeys        keys                `json:"origin_keys"`
	AvailabilityEntry keys                `json:"availability_entry_keys"`
	AvailabilityModes []string            `json:"availability_modes"`
	EntityCategories  []string            `json:"entity_categories"`
	NoConfigCategory  []string            `json:"entity_category_config_refused_on"`
	IDPattern         string              `json:"discovery_id_pattern"`
	PlatformsAll      []string            `json:"platforms_all"`
	CommonKeys        []string            `json:"entity_common_keys"`
	Platforms         map[string]keys     `json:"platforms"`
	DeviceClasses     map[string][]string `json:"device_classes"`
	StateClasses      []string            `json:"state_classes"`
	SensorUnits       map[string][]string `json:"sensor_units"`
	ClassStateClasses map[string][]string `json:"sensor_class_state_classes"`
	NonNumeric        []string            `json:"sensor_non_numeric_classes"`
	LightJSON         struct {
		ColorModes []string `json:"color_modes"`
		Alone      []string `json:"must_stand_alone"`
	} `json:"light_json"`
	Number struct {
		MinStep float64  `json:"min_step"`
		Modes   []string `json:"modes"`
	} `json:"number"`
	Text struct {
		MaxLen int `json:"max_len"`
	} `json:"text"`
	Removed map[string]string `json:"removed_keys"`

	id *regexp.Regexp
}

type keys struct {
	Required []string `json:"required"`
	Optional []string `json:"optional"`
}

func (k keys) all() []string { return slices.Concat(k.Required, k.Optional) }

// Load reads a schema file.
func Load(path string) (*Schema, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	s := &Schema{}
	if err := json.Unmarshal(b, s); err != nil {
		return nil, err
	}
	s.id, err = regexp.Compile(s.IDPattern)
	return s, err
}

func (s *Schema) validID(id string) bool { return s.id.MatchString(id) }

// DocumentDevice is the device of a document.
type DocumentDevice struct {
	Identifiers []string   `json:"identifiers"`
	Connections [][]string `json:"connections"`
	Name        string     `json:"name"`
	ViaDevice   string     `json:"via_device"`
	URL         *string    `json:"configuration_url"`
}

// shares reports whether Home Assistant makes one device of the two.
func (d DocumentDevice) shares(o DocumentDevice) bool {
	for _, id := range d.Identifiers {
		if slices.Contains(o.Identifiers, id) {
			return true
		}
	}
	for _, c := range d.Connections {
		if slices.ContainsFunc(o.Connections, func(oc []string) bool { return slices.Equal(c, oc) }) {
			return true
		}
	}
	return false
}

// Document is a document that was taken, without the components that were not.
type Document struct {
	Device     DocumentDevice
	Components map[string]*entity
}

type object = map[string]any

// Parse judges a document as Home Assistant does: a fault in its outer part
// refuses all of it (nil), one in a component only that one. Unlike the real one
// it also complains of component keys that would be stripped in silence.
func (s *Schema) Parse(payload []byte) (*Document, []string) {
	var root object
	if err := json.Unmarshal(payload, &root); err != nil {
		return nil, []string{"WARNING Unable to parse JSON: " + err.Error()}
	}
	var faults []string
	refuse := func(format string, args ...any) {
		faults = append(faults, "WARNING Invalid MQTT device discovery payload: "+fmt.Sprintf(format, args...))
	}
	s.outer(root, refuse)
	var typed struct {
		Device DocumentDevice `json:"device"`
	}
	if err := json.Unmarshal(payload, &typed); err != nil {
		refuse("%v", err)
	}
	components, _ := root["components"].(object)
	for key, c := range components {
		c, _ := c.(object)
		platform, _ := c["platform"].(string)
		switch {
		case !s.validID(key):
			refuse("component %q", key)
		case !slices.Contains(s.PlatformsAll, platform):
			refuse("component %s: platform %q", key, platform)
		case len(c) > 1 && c["unique_id"] == nil:
			refuse("component %s: no unique_id", key)
		}
	}
	if len(faults) > 0 {
		return nil, faults
	}
	doc := &Document{Device: typed.Device, Components: map[string]*entity{}}
	for key, c := range components {
		e, err := s.component(root, c.(object))
		if err != nil {
			faults = append(faults, fmt.Sprintf("ERROR Error '%v' when processing MQTT discovery message: component %s", err, key))
			continue
		}
		doc.Components[key] = e
	}
	return doc, faults
}

// outer checks what refuses the whole document.
func (s *Schema) outer(root object, refuse func(string, ...any)) {
	device, _ := root["device"].(object)
	origin, _ := root["origin"].(object)
	for _, part := range []struct {
		name    string
		o       object
		allowed keys
	}{
		{"root", root, s.RootKeys},
		{"device", device, keys{nil, s.DeviceKeys}},
		{"origin", origin, s.OriginKeys},
	} {
		complain(part.name, part.o, part.allowed, refuse)
	}
	for _, e := range list(root["availability"]) {
		complain("availability", e, s.AvailabilityEntry, refuse)
	}
	if mode, ok := root["availability_mode"]; ok && !contains(s.AvailabilityModes, mode) {
		refuse("availability_mode %v", mode)
	}
	if device["identifiers"] == nil && device["connections"] == nil {
		refuse("device without identifiers and connections")
	}
	if name, _ := device["name"].(string); name == "" {
		refuse("device without name")
	}
	if u, ok := device["configuration_url"]; ok {
		if p, err := url.Parse(fmt.Sprint(u)); err != nil || !slices.Contains([]string{"http", "https", "homeassistant"}, p.Scheme) || p.Host == "" {
			refuse("configuration_url %v", u)
		}
	}
	for _, k := range []string{"model", "model_id", "sw_version", "serial_number", "manufacturer"} {
		if v, ok := device[k].(string); device[k] != nil && (!ok || v == "") {
			refuse("device %s is %v", k, device[k])
		}
	}
}

func complain(where string, o object, allowed keys, refuse func(string, ...any)) {
	for _, k := range allowed.Required {
		if o[k] == nil {
			refuse("%s: %s is missing", where, k)
		}
	}
	for k := range o {
		if !slices.Contains(allowed.all(), k) {
			refuse("%s: extra key %s", where, k)
		}
	}
}

// component checks one component and makes an entity of it.
func (s *Schema) component(root, c object) (*entity, error) {
	platform := c["platform"].(string)
	e := &entity{platform: platform, config: c, heard: map[string]bool{}}
	if len(c) == 1 {
		return e, nil
	}
	e.unique, _ = c["unique_id"].(string)
	name := platform
	if platform == "light" {
		name = fmt.Sprintf("light:%v", c["schema"])
	}
	allowed, ok := s.Platforms[name]
	if !ok {
		return nil, fmt.Errorf("the schema file has no platform %s", name)
	}
	var err error
	fail := func(format string, args ...any) {
		if err == nil {
			err = fmt.Errorf(format, args...)
		}
	}
	complain(name, c, keys{allowed.Required, slices.Concat(allowed.Optional, s.CommonKeys)}, fail)
	if n, ok := c["name"]; ok && n == "" {
		fail("an empty name")
	}
	s.classes(e, fail)
	s.values(e, fail)
	e.availability(root)
	return e, err
}

func (s *Schema) classes(e *entity, fail func(string, ...any)) {
	c, platform := e.config, e.platform
	class, has := c["device_class"]
	classes := s.DeviceClasses[platform]
	if platform == "number" { // takes those of sensors that have a unit
		classes = slices.DeleteFunc(slices.Clone(s.DeviceClasses["sensor"]), func(c string) bool { return slices.Contains(s.NonNumeric, c) })
	}
	if has && !contains(classes, class) {
		fail("device_class %v of %s", class, platform)
	}
	if cat, ok := c["entity_category"]; ok && (!contains(s.EntityCategories, cat) || cat == "config" && slices.Contains(s.NoConfigCategory, platform)) {
		fail("entity_category %v of %s", cat, platform)
	}
	if platform != "sensor" {
		return
	}
	unit, hasUnit := c["unit_of_measurement"]
	if units, ok := s.SensorUnits[fmt.Sprint(class)]; ok && !contains(units, unit) || contains(s.NonNumeric, class) && hasUnit {
		fail("unit %v of class %v", unit, class)
	}
	if sc, ok := c["state_class"]; ok {
		if allowed, known := s.ClassStateClasses[fmt.Sprint(class)]; !contains(s.StateClasses, sc) || known && !contains(allowed, sc) {
			fail("state_class %v of class %v", sc, class)
		}
	}
}

// values checks the ranges and options of what can be operated.
func (s *Schema) values(e *entity, fail func(string, ...any)) {
	c := e.config
	switch e.platform {
	case "number":
		lo, _ := c["min"].(float64)
		hi, _ := c["max"].(float64)
		step, _ := c["step"].(float64)
		if units, ok := s.SensorUnits[fmt.Sprint(c["device_class"])]; ok && !contains(units, c["unit_of_measurement"]) {
			fail("unit %v of a number of class %v", c["unit_of_measurement"], c["device_class"])
		}
		if c["min"] == nil || c["max"] == nil || lo >= hi || step < s.Number.MinStep || !contains(s.Number.Modes, c["mode"]) {
			fail("number from %v to %v step %v mode %v", c["min"], c["max"], c["step"], c["mode"])
		}
	case "select":
		options := strings_(c["options"])
		if len(options) == 0 || slices.Contains(options, "None") || len(options) != len(slices.Compact(slices.Sorted(slices.Values(options)))) {
			fail("options %v", options)
		}
	case "light":
		modes := strings_(c["supported_color_modes"])
		for _, m := range modes {
			if !slices.Contains(s.LightJSON.ColorModes, m) || slices.Contains(s.LightJSON.Alone, m) && len(modes) > 1 {
				fail("color modes %v", modes)
			}
		}
		if c["flash"] != false || c["transition"] != false {
			fail("a light that offers flash or transition")
		}
	case "image":
		if (c["image_topic"] == nil) == (c["url_topic"] == nil) {
			fail("an image needs one of image_topic and url_topic")
		}
		if kind, ok := c["content_type"]; ok && (c["url_topic"] != nil || kind != "image/jpeg") {
			fail("content_type %v", kind)
		}
	case "event":
		types := strings_(c["event_types"])
		if len(types) == 0 || slices.Contains(types, "") || len(types) != len(slices.Compact(slices.Sorted(slices.Values(types)))) {
			fail("event_types %v", c["event_types"])
		}
	case "update":
		if c["command_topic"] != nil && c["payload_install"] == nil {
			fail("an update that cannot be installed")
		}
	case "text":
		if hi, _ := c["max"].(float64); hi < 1 || int(hi) > s.Text.MaxLen {
			fail("text of %v", c["max"])
		}
	}
	if c["retain"] == true {
		fail("retain in a component")
	}
}

func list(v any) []object {
	var out []object
	entries, _ := v.([]any)
	for _, e := range entries {
		o, _ := e.(object)
		out = append(out, o)
	}
	return out
}

func strings_(v any) []string {
	var out []string
	entries, _ := v.([]any)
	for _, e := range entries {
		s, _ := e.(string)
		out = append(out, s)
	}
	return out
}

func contains(of []string, v any) bool {
	s, ok := v.(string)
	return ok && slices.Contains(of, s)
}
