package mqtt

import (
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

const (
	originName = "espcam-bridge"
	supportURL = "https://github.com/espcam-bridge/espcam-bridge"

	// maxText bounds names in a document, in characters.
	maxText = 128
)

// A document is what Home Assistant makes a device of. Its rules are strict: an
// unknown key at the top level refuses the whole device without a word on MQTT,
// so nothing here comes from outside but checked or cleaned values.
//
// A component that is gone is not removed by leaving it out: the document first
// names it with its platform only, and drops it removalGap later.

// putDocument announces a camera, with what it can do now and what it could do
// before.
func (c *Client) putDocument(e *entry) {
	if c.topics.discovery == "" {
		c.keepParts(e, c.components(e)) // it counts as announced all the same
		return
	}
	now := c.components(e)
	gone := removals(e.parts, now)
	maps.Copy(now, gone)
	c.keepParts(e, now)
	if len(gone) > 0 {
		c.agenda.soon(removalGap, "slim/"+e.camera.ID, func() { c.slim(e) })
	}
	c.putRetained(c.topics.document(c.device(e.camera.ID)), encode(c.document(e, now)), 1, false)
}

// removals are the components that were announced before and are not any more,
// or are of another platform now.
func removals(before map[string]string, now map[string]any) map[string]any {
	gone := map[string]any{}
	for key, platform := range before {
		if part, ok := now[key]; !ok || platformOf(part) != platform {
			gone[key] = map[string]any{"platform": platform}
		}
	}
	return gone
}

// slim announces a camera without the components that are gone by now.
func (c *Client) slim(e *entry) {
	if !c.live || c.entries[e.camera.ID] != e {
		return // the next announcement does both steps again
	}
	e.parts = platforms(c.components(e))
	c.saveParts(e.camera.ID, e.parts)
	c.putStates(e) // of what comes back as another platform: it must not find the old one's state
	c.putDocument(e)
}

// keepParts notes the components in the store before they are published, so that
// none is forgotten.
func (c *Client) keepParts(e *entry, components map[string]any) {
	if parts := platforms(components); !maps.Equal(parts, e.parts) {
		e.parts = parts
		c.saveParts(e.camera.ID, parts)
	}
}

func platforms(components map[string]any) map[string]string {
	parts := map[string]string{}
	for key, part := range components {
		parts[key] = platformOf(part)
	}
	return parts
}

func platformOf(component any) string {
	p, _ := component.(map[string]any)["platform"].(string)
	return p
}

func (c *Client) document(e *entry, components map[string]any) map[string]any {
	return map[string]any{
		"device": c.cameraDevice(e.camera),
		"origin": c.origin(),
		"availability": []any{
			map[string]any{"topic": c.topics.bridge("state")},
			map[string]any{"topic": c.topics.camera(e.camera.ID, "availability")},
		},
		"availability_mode": "all",
		"qos":               1,
		"components":        components,
	}
}

func (c *Client) origin() map[string]any {
	return map[string]any{"name": originName, "sw_version": c.cfg.Version, "support_url": supportURL}
}

// components are a camera's entities, for what it can do.
func (c *Client) components(e *entry) map[string]any {
	out := map[string]any{}
	cam := e.camera
	for _, r := range c.rows {
		if r.platform == "" || !offered(r, e) {
			continue
		}
		r.platform = platformFor(r, cam.Offer)
		part := r.component(c.device(cam.ID), c.topics.base+"/"+cam.ID+"/")
		if p, ok := cam.Offer.Property(r.setting); ok {
			maps.Copy(part, describe(r.platform, p))
		}
		if span := turns(cam.Offer, r.action); span != nil {
			maps.Copy(part, describe(r.platform, *span))
		}
		if r.alone { // the connection shows "disconnected", privacy can be switched on for an absent camera
			part["availability"] = []any{map[string]any{"topic": c.topics.bridge("state")}}
		}
		out[r.key] = part
	}
	return out
}

// offered reports whether a camera has the entity.
func offered(r row[subject], e *entry) bool {
	cam := e.camera
	switch {
	case r.setting != "":
		_, ok := cam.Offer.Property(r.setting)
		return ok
	case r.action != "":
		return cam.Offer.Can(r.action)
	case r.reported:
		return e.parts[r.key] == r.platform || r.figure(e.subject()) != nil
	}
	return r.has == nil || r.has(e.subject())
}

// platformFor is the row's platform for a camera that can do what the offer says.
func platformFor(r row[subject], o bridge.Offer) string {
	if p, ok := o.Property(r.setting); ok && r.plain != "" && p.Max <= 1 {
		return r.plain
	}
	return r.platform
}

// turns is how far an action turns the camera, as a number to set; nil if it does
// not.
func turns(o bridge.Offer, action string) *bridge.Property {
	span := map[string]*bridge.Range{"pan": o.Pan, "tilt": o.Tilt}[action]
	if span == nil {
		return nil
	}
	return &bridge.Property{Kind: bridge.Number, Min: span[0], Max: span[1], Unit: "°"}
}

// component is the row as Home Assistant wants it. below is T with its slash.
func (r row[S]) component(device, below string) map[string]any {
	part := map[string]any{"platform": r.platform, "unique_id": device + "_" + r.key, "name": nil}
	set := func(key, value string) {
		if value != "" {
			part[key] = value
		}
	}
	set("name", r.name)
	if r.name == "" && r.class != "" {
		delete(part, "name")
	}
	set("device_class", r.class)
	set("unit_of_measurement", r.unit)
	set("state_class", r.measures)
	set("entity_category", r.category)
	if r.hidden {
		part["enabled_by_default"] = false
	}
	switch {
	case r.setting != "", r.motion != "", r.state != nil:
		part["state_topic"], part["command_topic"] = below+r.key, below+r.key+"/set"
	case r.action != "":
		part["command_topic"] = below + r.key + "/set"
	case r.platform == "camera":
		part["topic"] = below + r.topic
	case r.platform == "image":
		part["image_topic"] = below + r.topic
	default:
		part["state_topic"] = below + r.topic
	}
	if r.figure != nil {
		part["value_template"] = "{{ value_json." + r.key + " }}"
		if r.measures == "measurement" && r.unit != "" {
			part["suggested_display_precision"] = r.digits
		}
	}
	if r.attributes {
		part["json_attributes_topic"] = part["state_topic"]
	}
	maps.Copy(part, r.more)
	return part
}

func (c *Client) cameraDevice(cam bridge.Camera) map[string]any {
	name := clean(cam.Name)
	if name == "" {
		name = cam.ID
	}
	d := map[string]any{
		"identifiers": []string{c.device(cam.ID)}, "name": name,
		"manufacturer": originName, "model": "ESP32-CAM", "via_device": c.device("bridge"),
	}
	set := func(key, value string) {
		if value = clean(value); value != "" {
			d[key] = value
		}
	}
	set("model", cam.Device.Board)
	set("model_id", cam.Device.Sensor)
	set("sw_version", cam.Device.Firmware)
	set("configuration_url", c.pageURL(cam.ID))
	if mac := cam.Device.MAC; validMAC(mac) && c.ownsMAC(mac, cam.ID) {
		d["connections"] = [][]string{{"mac", mac}}
		d["serial_number"] = strings.ReplaceAll(mac, ":", "")
	}
	return d
}

// ownsMAC is false for the second camera with the same MAC: Home Assistant makes
// one device of two that share one.
func (c *Client) ownsMAC(mac, camera string) bool {
	if _, taken := c.macs[mac]; !taken {
		c.macs[mac] = camera
	}
	return c.macs[mac] == camera
}

var macPattern = regexp.MustCompile(`^([0-9a-f]{2}:){5}[0-9a-f]{2}$`)

func validMAC(s string) bool {
	return macPattern.MatchString(s) && s != "00:00:00:00:00:00" && s != "ff:ff:ff:ff:ff:ff"
}

// putBridgeDocument announces the bridge, in two steps like a camera: what it can
// do depends on how it was started.
func (c *Client) putBridgeDocument() {
	if c.topics.discovery == "" {
		return
	}
	now := c.bridgeComponents()
	gone := removals(c.parts, now)
	maps.Copy(now, gone)
	if parts := platforms(now); !maps.Equal(parts, c.parts) {
		c.parts = parts
		c.saveParts("bridge", parts)
	}
	if len(gone) > 0 {
		c.agenda.soon(removalGap, "slim", func() {
			c.parts = platforms(c.bridgeComponents())
			c.saveParts("bridge", c.parts)
			if c.live {
				c.putBridgeDocument()
			}
		})
	}
	c.putRetained(c.topics.document(c.device("bridge")), encode(c.bridgeDocument(now)), 1, false)
}

// bridgeComponents are the bridge's own entities. Each names its own availability,
// but for the connection, which would otherwise be unavailable when it should say
// that it is off.
func (c *Client) bridgeComponents() map[string]any {
	components := map[string]any{}
	for _, r := range c.ownRows() {
		part := r.component(c.device("bridge"), c.topics.base+"/bridge/")
		if r.key != "connection" {
			part["availability_topic"] = c.topics.bridge("state")
		}
		components[r.key] = part
	}
	return components
}

// ownRows are the entities that the bridge has, as it was started.
func (c *Client) ownRows() []row[overview] {
	o := c.overview()
	return slices.DeleteFunc(slices.Clone(bridgeRows), func(r row[overview]) bool { return r.has != nil && !r.has(o) })
}

func (c *Client) bridgeDocument(components map[string]any) map[string]any {
	device := map[string]any{
		"identifiers": []string{c.device("bridge")}, "name": strings.TrimSpace(originName + " " + clean(c.cfg.Name)),
		"manufacturer": originName, "model": "Bridge", "sw_version": c.cfg.Version,
	}
	if page := c.pageURL(""); page != "" {
		device["configuration_url"] = page
	}
	return map[string]any{"device": device, "origin": c.origin(), "qos": 1, "components": components}
}

// pageURL is "" unless it is a URL that Home Assistant accepts: a wrong one
// refuses the whole device.
func (c *Client) pageURL(camera string) string {
	if c.cfg.PageURL == nil {
		return ""
	}
	s := c.cfg.PageURL(camera)
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return ""
	}
	return s
}

// clean makes a text from outside fit for a document.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	if r := []rune(s); len(r) > maxText {
		s = string(r[:maxText])
	}
	return strings.TrimSpace(s)
}
