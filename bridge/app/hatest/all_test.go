package hatest_test

import (
	"maps"
	"os"
	"slices"
	"testing"
)

// TestHomeAssistant proves in the real thing what Home Assistant's owner sees.
func TestHomeAssistant(t *testing.T) {
	h := open(t)
	h.part(t, "entities", (*house).entities)
	if os.Getenv("HATEST_SCREENSHOT") != "" {
		h.part(t, "device page", (*house).devicePage)
		return
	}
	h.part(t, "Home Assistant restarts", (*house).homeAssistantRestarts) // enables those that were disabled, too
	h.part(t, "table", (*house).tables)
	h.part(t, "fakeha is honest", (*house).fakeIsHonest)
	h.part(t, "pictures", (*house).pictures)
	h.part(t, "commands", (*house).commands)
	h.part(t, "motion", (*house).motion)
	h.part(t, "alert", (*house).alert)
	h.part(t, "broker restarts", (*house).brokerRestarts)
	h.part(t, "broker dies and forgets", (*house).brokerForgets)
	h.part(t, "bridge restarts", (*house).bridgeRestarts)
	h.part(t, "bridge is killed", (*house).bridgeIsKilled)
	h.part(t, "camera goes and comes", (*house).cameraGoesAndComes)
	h.part(t, "bridge is killed while Home Assistant and a camera are away", (*house).killedWhileAway)
	h.part(t, "power fails", (*house).powerFails)
	h.part(t, "removal", (*house).removal)
	h.part(t, "dashboard", (*house).dashboard)
	h.part(t, "blueprints", (*house).examplesWork)
	h.part(t, "live", (*house).live)
	h.part(t, "ffmpeg", (*house).ffmpeg)
	h.part(t, "fifty cameras", (*house).fifty) // instead of those of the house: the last part
}

// devices of the house, by kind of camera.
var devices = []string{"espcam_bridge", "espcam_gate", "espcam_porch", "espcam_yard"}

// entities waits for the devices, and until what is enabled from the beginning has
// states.
func (h *house) entities() {
	h.enabled = map[string]bool{}
	for _, d := range devices {
		h.complete(d)
		for _, e := range h.ha.ours(h, d+"_") {
			h.enabled[e.Unique] = e.Disabled == ""
		}
	}
	h.whole("all have states", h.atFirst)
}

// atFirst is the view without what is not enabled by default.
func (h *house) atFirst() view {
	h.Helper()
	v := h.view()
	maps.DeleteFunc(v, func(unique, _ string) bool { return !h.enabled[unique] })
	return v
}

// complete waits until every part that the document names is an entity.
func (h *house) complete(device string) {
	h.Helper()
	eventually(h, device+" is announced, figures of a camera that come late too", func() bool {
		doc := h.mqtt.document(device)
		list := h.ha.ours(h, device+"_")
		parts, _ := doc["components"].(object)
		return len(parts) > 5 && len(list) == len(parts) && (device == "espcam_bridge" || parts["rssi"] != nil)
	})
}

// tables compares what a person sees with what was agreed on.
func (h *house) tables() {
	for _, d := range devices {
		list := h.ha.ours(h, d+"_")
		golden(h, d+".md", table(list, h.enabled))
		for _, e := range list {
			if e.Disabled != "" {
				h.Errorf("%s is still disabled", e.ID)
			}
		}
		if size := h.mqtt.size("homeassistant/device/" + d + "/config"); size > 16<<10 {
			h.Errorf("the document of %s has %d bytes", d, size)
		} else {
			h.figure("%s: %d entities in a document of %d bytes", d, len(list), size)
		}
	}
	if n := len(h.ha.ours(h, "espcam_porch_")); n < 30 {
		h.Errorf("a camera with everything has %d entities", n)
	}
	if n := len(h.ha.ours(h, "espcam_yard_")); n < 14 {
		h.Errorf("a camera without control has %d entities", n)
	}
	for _, d := range h.ha.devices(h) {
		id := text(d["identifiers"].([]any)[0].([]any)[1])
		if !slices.Contains(devices, id) || text(d["name"]) == "" {
			h.Errorf("there is a device %s, called %v", id, d["name"])
		}
	}
}
