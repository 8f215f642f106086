package app_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// pir sends what the camera's own sensor says.
func (g *guarded) pir(active bool) {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := g.cam.Event(ctx, "pir", active); err != nil {
		g.t.Fatal(err)
	}
}

// heeded waits until what the camera sent so far was taken: pictures come after it.
func (g *guarded) heeded() {
	g.t.Helper()
	sent := float64(g.cam.Report().Frames)
	eventually(g.t, "the bridge took all", func() bool { return at(g.camera("porch"), "stats", "frames").(float64) > sent })
}

// TestSensor: what a camera's own sensor sees is an event as any other, while
// motion detection is on.
func TestSensor(t *testing.T) {
	t.Parallel()
	g := openGuarded(t, configured(t))
	g.setMotion(`{"off_delay":1,"enabled":false}`)
	g.pir(true)
	g.pir(false)
	g.heeded()
	g.setMotion(`{"enabled":true}`)
	g.learned()
	g.calm()

	began := time.Now()
	g.pir(true)
	id := g.told(began)
	g.judged(20) // longer than the off delay: the sensor holds it
	if g.mqtt.says(began, "OFF") > 0 {
		t.Error("the event ended while the sensor was active")
	}
	released := time.Now()
	g.pir(false)
	e := g.ended(id)
	if hold := e.End.Sub(released); hold < 900*time.Millisecond || hold > 6*time.Second {
		t.Errorf("it ended %v after the sensor's end", hold)
	}
	if !slices.Equal(e.Sources, []string{bridge.SourcePIR}) || e.Score != 0 || len(e.Boxes) > 0 || !e.Picture || !e.Clip {
		t.Errorf("the event of the sensor alone is %+v", e)
	}
	g.over(id)
	g.pictureOf(e)
}

// TestSensorAndPixels: what both see is one event.
func TestSensorAndPixels(t *testing.T) {
	t.Parallel()
	g := openGuarded(t, configured(t))
	began := time.Now()
	g.pir(true)
	id := g.told(began)
	g.drive()
	eventually(t, "pixels join in", func() bool { return slices.Equal(g.events("")[0].Sources, []string{"pir", "pixels"}) })
	g.pir(false)
	e, _ := g.release(id)
	if e.Score <= 0 || !slices.Equal(e.Sources, []string{"pir", "pixels"}) {
		t.Errorf("the event is %+v", e)
	}
	g.over(id)

	// The other way round.
	g.setMotion(`{"off_delay":null}`)
	began = time.Now()
	second := g.seesCar()
	g.pir(true)
	eventually(t, "the sensor joins in", func() bool { return slices.Equal(g.events("")[0].Sources, []string{"pixels", "pir"}) })
	g.pir(false)
	g.release(second)
	if on, off := g.mqtt.says(began, "ON"), g.mqtt.says(began, "OFF"); on != 1 || off > 1 {
		t.Errorf("there were %d ON and %d OFF", on, off)
	}
	if list := g.events(""); len(list) != 2 || len(g.events("?source=pir")) != 2 || second == id {
		t.Errorf("the events are %+v", list)
	}
}
