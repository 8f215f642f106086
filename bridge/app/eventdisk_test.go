package app_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/fakecam"
)

// sensorSite is a site of cameras that send a picture a second and whose sensors
// make events.
type sensorSite struct {
	*world
	mqtt *observer
	cams []*fakecam.Camera
}

func openSensorSite(t *testing.T, w *world, n int) *sensorSite {
	t.Helper()
	s := &sensorSite{world: w, mqtt: observe(t, w.mqtt)}
	for i := range n {
		key, _ := w.provision(s.name(i))
		cam, _ := play(t, w, fakecam.Config{Key: key, FPS: 1, Plan: fakecam.Still, Seed: uint64(i)})
		s.cams = append(s.cams, cam)
	}
	for i := range n {
		eventually(t, s.name(i)+" is watched", func() bool { return at(w.camera(s.name(i)), "motion", "detector", "analysed").(float64) > 0 })
		w.call(http.StatusOK, "PATCH", "/api/v1/cameras/"+s.name(i), `{"motion":{"off_delay":1}}`)
	}
	return s
}

func (s *sensorSite) name(i int) string { return fmt.Sprintf("cam%d", i) }

// happen makes an event on each camera, at once, and waits for its end.
func (s *sensorSite) happen(round int) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var all sync.WaitGroup
	for _, cam := range s.cams {
		all.Go(func() {
			for _, active := range []bool{true, false} {
				if err := cam.Event(ctx, "pir", active); err != nil {
					s.t.Error(err)
				}
			}
		})
	}
	all.Wait()
	for i := range s.cams {
		eventually(s.t, fmt.Sprintf("%s tells event %d", s.name(i), round), func() bool { return s.told(i) == round })
	}
}

// told counts events of a camera that MQTT told to the end: ON, then OFF.
func (s *sensorSite) told(i int) (n int) {
	on := false
	for _, m := range s.mqtt.since(time.Time{}, "espcam/"+s.name(i)+"/motion") {
		if string(m.payload) == "OFF" && on {
			n++
		}
		on = string(m.payload) == "ON"
	}
	return n
}

// stored waits until so many events are on disk. The patience is for each.
func (s *sensorSite) stored(n float64) {
	s.t.Helper()
	for now := s.figure("espcam_events_stored"); now < n; now = s.figure("espcam_events_stored") {
		eventually(s.t, "another event is on disk", func() bool { return s.figure("espcam_events_stored") > now })
	}
}

// readiness waits until /readyz says so of the events.
func (s *sensorSite) readiness(degraded bool, words string) {
	s.t.Helper()
	eventually(s.t, "readyz says "+words, func() bool {
		r := s.ask("GET", "/readyz", "")
		return r.status == http.StatusOK && r.json["ready"] == true && r.json["degraded"] == degraded && strings.Contains(fmt.Sprint(r.json["events"]), words)
	})
}

// TestDiskTakesNoEvents: 100 events while none can be saved. The relay goes on,
// people are told, readiness says why, and when the disk takes them they are all
// there, the older ones too.
func TestDiskTakesNoEvents(t *testing.T) {
	t.Parallel()
	cfg := configured(t)
	w := start(t, cfg)
	w.faults = []string{"events cannot be saved"}
	const cameras, rounds = 20, 5
	s := openSensorSite(t, w, cameras)
	s.happen(1)
	s.stored(cameras)
	s.readiness(false, "ok")

	free := s.obstruct(filepath.Join(cfg.Data, "events"))
	for round := range rounds {
		s.happen(2 + round)
	}
	s.readiness(true, "make room on the disk")
	frames := at(s.camera(s.name(0)), "stats", "frames").(float64)
	eventually(t, "pictures go on", func() bool { return at(s.camera(s.name(0)), "stats", "frames").(float64) > frames })
	if list := s.events("?limit=200"); len(list) != cameras*(rounds+1) {
		t.Errorf("%d events are listed while the disk takes none", len(list))
	}

	free()
	s.stored(cameras * (rounds + 1))
	s.readiness(false, "ok")
	if lost, dropped := s.figure("espcam_events_lost_total"), s.figure("espcam_events_frames_dropped_total"); lost > 0 || dropped > 0 {
		t.Errorf("%v events and %v frames were lost", lost, dropped)
	}
	s.happen(rounds + 2)
	if n := strings.Count(w.log.String(), "events cannot be saved"); n != 1 {
		t.Errorf("the log says %d times that events cannot be saved", n)
	}
	w.stop()
	again := start(t, cfg)
	list := again.events("?limit=200")
	if len(list) != cameras*(rounds+2) {
		t.Errorf("after a restart there are %d events", len(list))
	}
	for _, e := range list {
		if e.Ending != bridge.EndQuiet || !e.Picture {
			t.Errorf("an event is %+v", e)
		}
	}
}

// obstruct makes sure that nothing new can be written below dir, also for root:
// the folders of the days are replaced by files. free gives them back.
func (s *sensorSite) obstruct(dir string) (free func()) {
	s.t.Helper()
	check := func(err error) {
		s.t.Helper()
		if err != nil {
			s.t.Fatal(err)
		}
	}
	var days []string
	for _, offset := range []time.Duration{0, 24 * time.Hour} {
		day := filepath.Join(dir, time.Now().UTC().Add(offset).Format(time.DateOnly))
		days = append(days, day)
		if err := os.Rename(day, day+".away"); !os.IsNotExist(err) {
			check(err)
		}
		check(os.WriteFile(day, nil, 0o600))
	}
	return func() {
		for _, day := range days {
			check(os.Remove(day))
			if err := os.Rename(day+".away", day); !os.IsNotExist(err) {
				check(err)
			}
		}
	}
}
