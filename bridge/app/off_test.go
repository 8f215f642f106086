package app_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/app"
	"github.com/espcam-bridge/espcam-bridge/bridge/config"
)

// TestOffWhenTheCameraGoes: nobody knows what happens in front of a camera that
// is away.
func TestOffWhenTheCameraGoes(t *testing.T) {
	t.Parallel()
	g := openGuarded(t, configured(t))
	g.setMotion(`{"off_delay":60}`)
	id := g.seesCar()
	g.kill()
	killed := time.Now()
	e := g.ended(id)
	if e.Ending != bridge.EndDisconnected || e.End.Sub(killed) < 5500*time.Millisecond || e.End.Sub(killed) > 15*time.Second {
		t.Errorf("after %v it ended as %s; a camera may be away for 6 s", e.End.Sub(killed), e.Ending)
	}
	g.over(id)
	g.mqtt.wants("espcam/porch/availability", "offline")
	if c := g.camera("porch"); at(c, "motion", "active") != false || at(c, "motion", "event") != "" {
		t.Errorf("motion is %v", c["motion"])
	}
}

// over waits until MQTT and the page have heard of the end, once.
func (g *guarded) over(id string) {
	g.t.Helper()
	g.mqtt.wants("espcam/porch/motion", "OFF")
	eventually(g.t, "MQTT has told the end", func() bool {
		s := g.mqtt.stories("porch")
		return len(s) == 2 && s[0].ID == id && s[0].Type == "motion_start" && s[1].ID == id && s[1].Type == "motion_end"
	})
	eventually(g.t, "the page is told of the end", func() bool {
		list := g.page.saw(id)
		return len(list) > 0 && !list[len(list)-1].Active
	})
	if on := g.mqtt.says(time.Time{}, "ON"); on != 1 {
		g.t.Errorf("there were %d ON", on)
	}
}

// TestOffWhenSwitchedOff: at once, and nothing that was seen stays on a broker.
func TestOffWhenSwitchedOff(t *testing.T) {
	t.Parallel()
	for body, pictureStays := range map[string]bool{`{"enabled":false}`: false, `{"motion":{"enabled":false}}`: true} {
		t.Run(body, func(t *testing.T) {
			t.Parallel()
			g := openGuarded(t, configured(t))
			g.setMotion(`{"off_delay":60}`)
			id := g.seesCar()
			eventually(t, "MQTT has a picture", func() bool { return g.mqtt.state("espcam/porch/motion/image") != "" })
			switched := time.Now()
			g.call(http.StatusOK, "PATCH", "/api/v1/cameras/porch", body)
			if e := g.ended(id); e.Ending != bridge.EndDisabled || e.End.Sub(switched) > 5*time.Second {
				t.Errorf("it ended as %s after %v", e.Ending, e.End.Sub(switched))
			}
			g.over(id)
			late := observe(t, g.world.mqtt) // hears what is retained
			late.wants("espcam/porch/motion", "OFF")
			if pictureStays {
				late.wants("espcam/porch/motion_detection", "OFF")
				return
			}
			g.mqtt.wants("espcam/porch/motion/image", "")
			if got := late.state("espcam/porch/motion/image"); got != "" {
				t.Errorf("%d bytes of a picture are still retained", len(got))
			}
		})
	}
}

// TestOffWhenTheBridgeStops: the end is told before the connection ends, and
// is on disk at the next start.
func TestOffWhenTheBridgeStops(t *testing.T) {
	t.Parallel()
	cfg := configured(t)
	cfg.MQTT.Broker = "mqtt://" + elsewhere(t)
	g := openGuarded(t, cfg)
	g.mqtt.wants("espcam/porch/motion", "OFF")
	id := g.seesCar()
	g.kill()
	g.world.stop()
	g.mqtt.wants("espcam/bridge/state", "offline")
	observe(t, g.world.mqtt).wants("espcam/porch/motion", "OFF")
	if s := g.mqtt.stories("porch"); len(s) != 2 || s[1].ID != id || s[1].Type != "motion_end" {
		t.Errorf("T/event told %+v", s)
	}
	again := start(t, cfg)
	g.stopped(again, id)
	observe(t, g.world.mqtt).wants("espcam/bridge/state", "online")
	observe(t, g.world.mqtt).wants("espcam/porch/motion", "OFF")
	if on := g.mqtt.says(time.Time{}, "ON"); on != 1 {
		t.Errorf("there were %d ON", on)
	}
}

// stopped checks what a next bridge says of an event that went on when the
// bridge before it ended.
func (g *guarded) stopped(w *world, id string) {
	g.t.Helper()
	list := w.events("")
	if len(list) != 1 || list[0].ID != id || !list[0].Over() || list[0].Ending != bridge.EndStopped || list[0].End.Before(list[0].Begin) {
		g.t.Fatalf("after the restart the events are %+v", list)
	}
	for _, file := range []string{"picture.jpg", "clip.mjpeg"} {
		if r := w.ask("GET", "/api/v1/events/"+id+"/"+file, ""); r.status != http.StatusOK || len(r.body) == 0 {
			g.t.Errorf("%s: %d %.100s", file, r.status, r.body)
		}
	}
}

// TestOffAfterAKill: SIGKILL, while motion is ON, takes the bridge every chance
// to say anything. The broker tells the will, the next bridge the rest.
func TestOffAfterAKill(t *testing.T) {
	if data := os.Getenv("ESPCAM_TEST_DATA"); data != "" {
		serveUntilKilled(t, data, os.Getenv("ESPCAM_TEST_BROKER"))
		return
	}
	t.Parallel()
	data, broker := t.TempDir(), elsewhere(t)
	kill, ready := spawn(t, data, broker)
	w := reach(t, ready)
	g := &guarded{porch: &porch{world: w}}
	g.key, _ = g.provision("porch")
	g.mqtt, g.page = observe(t, broker), openPage(t, w)
	g.turnUp()
	id := g.seesCar()
	eventually(t, "the clip is on disk", func() bool { list := g.events(""); return len(list) == 1 && list[0].Clip && list[0].Picture })
	kill()
	g.kill()
	g.mqtt.wants("espcam/bridge/state", "offline") // the will
	g.mqtt.wants("espcam/porch/motion", "ON")      // nobody could tell

	cfg := configured(t)
	cfg.Data, cfg.MQTT.Broker = data, "mqtt://"+broker
	again := start(t, cfg)
	g.stopped(again, id)
	g.mqtt.wants("espcam/porch/motion", "OFF")
	if on := g.mqtt.says(time.Time{}, "ON"); on != 1 {
		t.Errorf("there were %d ON", on)
	}
}

// spawn runs the program in a process of its own, and returns its ready line and
// how to kill it.
func spawn(t *testing.T, data, broker string) (kill func(), ready string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestOffAfterAKill$")
	cmd.Env = append(os.Environ(), "ESPCAM_TEST_DATA="+data, "ESPCAM_TEST_BROKER=mqtt://"+broker)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	gone := false
	kill = func() {
		if !gone {
			gone = true
			_ = cmd.Process.Kill() // SIGKILL; it may have ended by itself
			_ = cmd.Wait()         // says that it was killed
		}
	}
	t.Cleanup(kill)
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatalf("the program said nothing: %v", lines.Err())
	}
	return kill, lines.Text()
}

// serveUntilKilled is what the other process does.
func serveUntilKilled(t *testing.T, data, broker string) {
	cfg := configured(t)
	cfg.Data, cfg.MQTT.Broker = data, broker
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute) // if nobody does
	defer cancel()
	a, err := app.New(ctx, cfg, app.Options{Version: "1.2.3", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(a.ReadyLine())
	if err := a.Run(ctx); err != nil {
		t.Error(err)
	}
}

// reach is a world in another process.
func reach(t *testing.T, ready string) *world {
	t.Helper()
	m := readyLine.FindStringSubmatch(ready)
	if m == nil {
		t.Fatalf("the ready line is %q", ready)
	}
	w := &world{t: t, log: &logBuffer{}, client: &http.Client{Transport: &http.Transport{}, Timeout: patience}, url: m[1], addr: m[2], mqtt: m[3]}
	t.Cleanup(w.client.CloseIdleConnections)
	return w
}

// TestOffAtTheStart: whatever a broker remembers, motion is OFF until something
// moves.
func TestOffAtTheStart(t *testing.T) {
	t.Parallel()
	broker := elsewhere(t)
	mqtt := observe(t, broker)
	mqtt.put("espcam/porch/motion", "ON", true) // of a bridge that was killed
	cfg := configured(t)
	cfg.MQTT.Broker = "mqtt://" + broker
	cfg.Cameras = append(cfg.Cameras, config.Camera{ID: "porch"})
	g := openGuarded(t, cfg)
	g.mqtt.wants("espcam/porch/motion", "OFF")
	g.judged(12)
	mqtt.wants("espcam/porch/motion", "OFF")
	g.seesCar()
}
