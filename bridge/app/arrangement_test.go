package app_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge/config"
)

// arrangement is how the camera's pictures are judged, as the API says.
func (w *world) arrangement() map[string]any {
	return at(w.camera("porch"), "motion", "settings").(map[string]any)
}

// TestMotionSettings: each door changes them for all, and they outlive the bridge.
func TestMotionSettings(t *testing.T) {
	t.Parallel()
	cfg := configured(t)
	g := openGuarded(t, cfg)
	inForce := func(name string, want any) {
		t.Helper()
		g.seen(fmt.Sprintf("%s is %v", name, want), func(c map[string]any) bool {
			return reflect.DeepEqual(at(c, "motion", "settings", name), want)
		})
	}
	g.setMotion(`{"fps":5,"sensitivity":"high","frames":"3/4"}`)
	inForce("fps", 5.0)
	inForce("frames", "3/4")
	inForce("sensitivity", 75.0)
	g.mqtt.wants("espcam/porch/motion_sensitivity", "75")

	if r := g.page.ask("1", `{"type":"motion","id":"1","camera":"porch","motion":{"width":320,"off_delay":"30s","zones":{"door":[[0,0],[0.5,0],[0.5,1]]}}}`); r["ok"] != true {
		t.Errorf("the page was answered %v", r)
	}
	inForce("width", 320.0)
	inForce("off_delay", 30.0)
	inForce("zones", map[string]any{"door": []any{[]any{0.0, 0.0}, []any{0.5, 0.0}, []any{0.5, 1.0}}})

	g.mqtt.publish("espcam/porch/motion_sensitivity/set", "33")
	inForce("sensitivity", 33.0)
	g.mqtt.wants("espcam/porch/motion_sensitivity", "33")
	g.mqtt.publish("espcam/porch/motion_detection/set", "OFF")
	inForce("enabled", false)
	g.mqtt.wants("espcam/porch/motion_detection", "OFF")

	want := g.arrangement()
	g.kill()
	g.world.stop()
	g.world = start(t, cfg)
	g.mqtt, g.page = observe(t, g.world.mqtt), openPage(t, g.world)
	if got := g.arrangement(); !reflect.DeepEqual(got, want) {
		t.Errorf("after a restart the settings are\n%v\nbefore\n%v", got, want)
	}
	g.plug(onStreet(&street{}))
	g.mqtt.wants("espcam/porch/motion_detection", "OFF")
	g.mqtt.wants("espcam/porch/motion_sensitivity", "33")
	g.setMotion(`{"enabled":null,"width":null}`)
	inForce("enabled", true)
	inForce("width", 160.0)
}

// TestBadMotionSettings: the same mistake is the same sentence at every door,
// and changes nothing.
func TestBadMotionSettings(t *testing.T) {
	t.Parallel()
	g := openGuarded(t, configured(t))
	before := g.arrangement()
	for _, tt := range []struct{ name, value, words string }{
		{"ignore", `[[[0,0],[1.5,0],[1,1]]]`, "polygon 1 has point 2 at (1.5, 0): x and y are shares of the picture, from 0 to 1"},
		{"ignore", `[[[0,0],[1,1],[1,0],[0,1]]]`, "polygon 1 crosses itself"},
		{"ignore", `[[[0,0],[0.5,0.5],[1,1]]]`, "polygon 1 covers 0 of the picture"},
		{"ignore", `[[[0,0],[1,1]]]`, "polygon 1 has 2 points: it needs 3 to 32"},
		{"zones", `{"door":[[0,0],[-1,0],[1,1]]}`, "has point 2 at (-1, 0)"},
		{"zones", `{"door":[[0,0],[1,1],[1,0],[0,1]]}`, "crosses itself"},
		{"sensitivity", `"extreme"`, `must be low, medium, high or a whole number from 1 to 100, not "extreme"`},
		{"sensitivity", `101`, `must be low, medium, high or a whole number from 1 to 100, not 101`},
		{"fps", `0`, "must be a whole number from 1 to 15, not 0"},
		{"fps", `1000`, "must be a whole number from 1 to 15, not 1000"},
		{"width", `100`, "must be 80, 160 or 320, not 100"},
		{"frames", `"4/3"`, "must be how many of the last pictures"},
		{"off_delay", `"1h"`, "must be from 1s to 5m"},
	} {
		sentence := g.refusedByAPI(tt.name, tt.value)
		if !strings.Contains(sentence, tt.words) {
			t.Errorf("%s %s: %q, want words %q", tt.name, tt.value, sentence, tt.words)
		}
		r := g.page.ask(tt.name+tt.value, fmt.Sprintf(`{"type":"motion","id":%q,"camera":"porch","motion":{%q:%s}}`, tt.name+tt.value, tt.name, tt.value))
		if at(r, "error", "message") != sentence || at(r, "error", "field") != "motion."+tt.name || r["ok"] == true {
			t.Errorf("%s %s: the API says\n%s\nthe page was answered\n%v", tt.name, tt.value, sentence, r)
		}
		for place, text := range map[string]string{
			"motion":               fmt.Sprintf("motion: {%s: %s}", tt.name, tt.value),
			"cameras.porch.motion": fmt.Sprintf("cameras: {porch: {motion: {%s: %s}}}", tt.name, tt.value),
		} {
			if said := fileSays(t, text, place+"."+tt.name); !sameSentence(said, sentence, tt.name) {
				t.Errorf("%s %s: the API says\n%s\nthe file's check says\n%s", tt.name, tt.value, sentence, said)
			}
		}
	}
	for payload, words := range map[string]string{"0": "not 0", "101": "not 101", "extreme": `not "extreme"`} {
		then := time.Now()
		g.mqtt.publish("espcam/porch/motion_sensitivity/set", payload)
		value, _ := json.Marshal(payload)
		if payload != "extreme" {
			value = []byte(payload)
		}
		sentence := g.refusedByAPI("sensitivity", string(value))
		eventually(t, "MQTT says why "+payload+" is refused", func() bool {
			e := g.mqtt.json("espcam/porch/error")
			return e["property"] == "motion_sensitivity" && e["code"] == "invalid" && e["reason"] == sentence && strings.Contains(sentence, words)
		})
		eventually(t, "the true state is told again", func() bool {
			told := g.mqtt.since(then, "espcam/porch/motion_sensitivity")
			return len(told) > 0 && string(told[0].payload) == "50"
		})
	}
	if got := g.arrangement(); !reflect.DeepEqual(got, before) {
		t.Errorf("after refusals the settings are\n%v\nbefore\n%v", got, before)
	}
}

// refusedByAPI returns the sentence.
func (g *guarded) refusedByAPI(name, value string) string {
	g.t.Helper()
	e := g.call(http.StatusBadRequest, "PATCH", "/api/v1/cameras/porch", fmt.Sprintf(`{"name":"Changed","motion":{%q:%s}}`, name, value))
	if at(e, "error", "field") != "motion."+name || at(e, "error", "code") != "invalid" {
		g.t.Errorf("%s %s is answered %v", name, value, e)
	}
	if c := g.camera("porch"); c["name"] != "porch" {
		g.t.Fatal("half of a bad change was made")
	}
	return fmt.Sprint(at(e, "error", "message"))
}

// fileSays is what is said of a configuration file, behind "path: ".
func fileSays(t *testing.T, text, path string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "bridge.yaml")
	if err := os.WriteFile(name, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, err := config.Load(config.Input{Path: name})
	var all config.Problems
	if !errors.As(err, &all) || len(all) != 1 || !strings.HasPrefix(all[0].Key, path) {
		t.Fatalf("%s: %v", text, err)
	}
	return all[0].Message
}

// sameSentence compares a sentence with one that leaves out where it stands,
// since that is in front of it: the setting, the number of a polygon, or the
// name of a zone.
func sameSentence(short, whole, setting string) bool {
	rest := strings.TrimPrefix(whole, "motion."+setting+" ")
	return slices.Contains([]string{rest, strings.TrimPrefix(rest, "polygon 1 "), strings.TrimPrefix(rest, `"door" `)}, short)
}

// TestZones: motion is told with the zones in which it was, and not at all where
// it is ignored.
func TestZones(t *testing.T) {
	t.Parallel()
	g := openGuarded(t, configured(t))
	// The car drives through the lower half of the picture, from side to side.
	g.setMotion(`{"zones":{"door":[[0.4,0.5],[0.6,0.5],[0.6,1],[0.4,1]],"sky":[[0,0],[1,0],[1,0.2],[0,0.2]]}}`)
	g.learned()
	g.calm()
	e, _ := g.release(g.seesCar())
	if !slices.Equal(e.Zones, []string{"door"}) || len(g.events("?zone=door")) != 1 || len(g.events("?zone=sky")) != 0 {
		t.Errorf("the zones of the event are %v", e.Zones)
	}

	began := time.Now()
	g.setMotion(`{"ignore":[[[0,0.3],[1,0.3],[1,1],[0,1]]]}`)
	g.learned()
	g.drive()
	eventually(t, "the detector says why it is quiet", func() bool {
		return at(g.camera("porch"), "motion", "detector", "quiet", "masked").(float64) > 5
	})
	eventually(t, "the car is gone", g.parked)
	g.judged(5)
	if n := g.mqtt.says(began, "ON"); n > 0 || len(g.events("")) != 1 {
		t.Errorf("motion that is ignored was told %d times", n)
	}
	g.setMotion(`{"ignore":[]}`)
	g.learned()
	g.seesCar()
}
