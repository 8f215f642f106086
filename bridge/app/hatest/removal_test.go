package hatest_test

import (
	"slices"
	"syscall"
	"time"
)

// removal adds a camera at run time. A new name changes no id. When its owner deletes
// it in Home Assistant, it stays away until he wants it again; when he removes it from
// the bridge, nothing is left anywhere.
func (h *house) removal() {
	data := at(h.api.call(h, "POST", "/api/v1/apps/live/ws-ingest", object{"room": "shed"}), "data")
	cfg := h.kinds["gate"]
	cfg.Seed, cfg.Key = 9, text(at(data, "streamKey"))
	h.plug("shed", cfg)
	h.complete("espcam_shed")
	h.renamed()
	h.deletedInHomeAssistant()

	h.api.call(h, "DELETE", "/api/v1/cameras/shed", nil)
	removed := time.Now()
	h.unplug("shed")
	eventually(h, "the device is gone", func() bool { return h.ha.device(h, "espcam_shed") == nil && len(h.ha.ours(h, "espcam_shed_")) == 0 })
	h.figure("the device is gone after %v", time.Since(removed))
	eventually(h, "nothing is retained", func() bool { return len(h.shedTopics()) == 0 })
	h.noGhosts()
}

func (h *house) renamed() {
	ids := func() (out []string) {
		for _, e := range h.ha.ours(h, "espcam_shed_") {
			out = append(out, e.Unique+" "+e.ID)
		}
		return out
	}
	before := ids()
	h.api.call(h, "PATCH", "/api/v1/cameras/shed", object{"name": "Tool shed"})
	eventually(h, "the device has the new name", func() bool { return h.ha.device(h, "espcam_shed")["name"] == "Tool shed" })
	if after := ids(); !slices.Equal(before, after) {
		h.Errorf("the new name changed ids: %v, before %v", after, before)
	}
}

func (h *house) shedTopics() []string {
	return keeps(h, h.port, "espcam/shed/", "homeassistant/device/espcam_shed/")
}

func (h *house) deletedInHomeAssistant() {
	h.expected = []string{"No device components to cleanup"} // about itself, once for each entity
	h.ha.socket.call(h, "config/device_registry/remove", object{"device_id": h.ha.device(h, "espcam_shed")["id"]})
	gone := func() bool { return h.ha.device(h, "espcam_shed") == nil && h.mqtt.document("espcam_shed") == nil }
	eventually(h, "the device is gone", gone)
	h.bridge.end(h, syscall.SIGTERM)
	h.startBridge()
	began := time.Now()
	h.mqtt.publish(h, "homeassistant/status", "online") // as after a restart of Home Assistant
	h.becomes(h.steady(), began)
	if !gone() {
		h.Error("a camera that was deleted in Home Assistant is announced again")
	}
	h.mqtt.publish(h, "espcam/bridge/request/rediscover", `{"camera":"shed"}`)
	h.complete("espcam_shed")
}
