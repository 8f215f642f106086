package hatest_test

import (
	"context"
	"net/http"
	"time"
)

// motion lets a car by: the sensor goes on and off, the event is told with both its
// ends, and the picture of it is the one that the bridge chose.
func (h *house) motion() {
	h.learned()
	began := time.Now()
	h.porch.drive()
	states := func(key string) (out []string) {
		for _, c := range h.ha.since(began, h.id("porch", key)) {
			out = append(out, c.State)
		}
		return out
	}
	on := eventually(h, "motion is on", func() bool { return h.ha.state(h.id("porch", "motion")).State == "on" })
	eventually(h, "motion is off again", func() bool { return h.ha.state(h.id("porch", "motion")).State == "off" })
	eventually(h, "the event is told to its end", func() bool {
		return text(h.ha.state(h.id("porch", "event")).Attributes["event_type"]) == "motion_end"
	})
	h.figure("motion is on in Home Assistant %v after the car set off", on)
	var types []string
	for _, c := range h.ha.since(began, h.id("porch", "event")) {
		types = append(types, text(c.Attributes["event_type"]))
	}
	if n := len(types); n < 2 || n%2 != 0 || types[0] != "motion_start" || types[1] != "motion_end" {
		h.Errorf("the event entity said %v", types)
	}
	if s := states("motion"); len(s) < 2 || s[0] != "on" || s[1] != "off" {
		h.Errorf("the motion sensor said %v", s)
	}
	if len(states("motion_image")) == 0 || len(states("last_motion")) == 0 {
		h.Errorf("the picture's time is %v, that of the last motion %v", states("motion_image"), states("last_motion"))
	}
	sent := h.mqtt.since(began, "espcam/porch/motion/image")
	if len(sent) == 0 {
		h.Fatal("no picture was sent")
	}
	eventually(h, "Home Assistant shows the picture of the event", func() bool {
		status, body, err := h.ha.ask("GET", "/api/image_proxy/"+h.id("porch", "motion_image"), nil)
		return err == nil && status == http.StatusOK && string(body) == sent[len(sent)-1].payload
	})
}

// learned waits until the detector knows the place.
func (h *house) learned() {
	h.Helper()
	eventually(h, "the street is known", func() bool {
		m := at(h.api.call(h, "GET", "/api/v1/cameras/porch", nil), "motion")
		analysed, _ := at(m, "detector", "analysed").(float64)
		return at(m, "learning") == false && at(m, "active") == false && analysed > 5
	})
}

// pir lets the camera's own sensor say something.
func (h *house) pir(active bool) {
	h.Helper()
	ctx, cancel := context.WithTimeout(h.Context(), patience)
	defer cancel()
	if err := h.cameras["porch"].Event(ctx, "pir", active); err != nil {
		h.Fatal(err)
	}
}
