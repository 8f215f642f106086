package hatest_test

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge/fakecam"
)

const many = 50

// fifty replaces the house's cameras by fifty, and starts Home Assistant again: 10 s
// after it runs, every entity is right. Of the cameras before nothing is left.
func (h *house) fifty() {
	for name := range h.cameras {
		h.unplug(name)
	}
	h.bridge.end(h, syscall.SIGTERM)
	var names []string
	for i := range many {
		names = append(names, fmt.Sprintf("cam%02d", i))
	}
	h.bridge, h.api = newBridge(h, h.bridge.name, h.port, names, h.phone.URL)
	h.startBridge()
	film, err := fakecam.RenderLoop(fakecam.Config{Width: 160, Height: 120, FPS: 2, Plan: fakecam.Still}, 2)
	if err != nil {
		h.Fatal(err)
	}
	for i, name := range names {
		h.plug(name, fakecam.Config{Loop: film, FPS: 2, Stats: 2 * time.Second, Seed: uint64(i)})
	}
	eventually(h, "all are announced", func() bool {
		return !slices.ContainsFunc(names, func(n string) bool { return at(h.mqtt.document("espcam_"+n), "components", "rssi") == nil })
	})
	alone := func() bool { return len(h.ha.devices(h)) == many+1 } // with the bridge
	eventually(h, "of the cameras before nothing is left", alone)
	h.ha.stop(h)
	since := h.ha.start(h)
	var wrong []string
	if _, ok := within(patience, func() bool { wrong = h.wrongOfMany(names); return len(wrong) == 0 }); !ok {
		h.Errorf("never right: %v", wrong[:min(10, len(wrong))])
	}
	if took := time.Since(since); took > bound {
		h.Errorf("it took %v until Home Assistant's picture of %d cameras was right", took, many)
	} else {
		h.figure("%d cameras, %d entities: right %.1f s after Home Assistant runs", many, len(h.ha.ours(h, "espcam_cam")), took.Seconds())
	}
	h.showsAll(names, since)
	if !alone() {
		h.Error("there are ghosts")
	}
}

// showsAll waits until Home Assistant, which says that it is there when it has calmed
// down, has a picture of each camera.
func (h *house) showsAll(names []string, since time.Time) {
	h.Helper()
	var born []message
	eventually(h, "Home Assistant says that it is there", func() bool { born = h.mqtt.since(since, "homeassistant/status"); return len(born) > 0 })
	eventually(h, "all pictures are there", func() bool {
		return !slices.ContainsFunc(names, func(n string) bool { return h.shown(n) == "" })
	})
	took := time.Since(born[0].at)
	if h.figure("all pictures are there %.1f s after its birth message, which came %.1f s after it runs", took.Seconds(), born[0].at.Sub(since).Seconds()); took > bound {
		h.Errorf("it took %v until all pictures were there", took)
	}
}

// wrongOfMany lists what is not right of the cameras, by all that they are set to.
func (h *house) wrongOfMany(names []string) (wrong []string) {
	entities := map[string]int{}
	for _, e := range h.ha.ours(h, "espcam_cam") {
		camera, _, _ := strings.Cut(strings.TrimPrefix(e.Unique, "espcam_"), "_")
		entities[camera]++
		if e.Disabled == "" && (e.State == "unavailable" || !e.known || e.State == "unknown" && e.domain() == "sensor" && !silent(e.Unique)) {
			wrong = append(wrong, e.Unique+" is "+e.State)
		}
	}
	for _, n := range names {
		parts, _ := h.mqtt.document("espcam_" + n)["components"].(object)
		if entities[n] != len(parts) {
			wrong = append(wrong, fmt.Sprintf("%s has %d entities of %d", n, entities[n], len(parts)))
		}
	}
	return wrong
}
