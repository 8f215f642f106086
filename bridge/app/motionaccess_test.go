package app_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/config"
)

const yardToken = "esb_yard-0123456789-0123456789"

// TestMotionIsNotForEverybody: who may see one camera hears nothing of another
// one's motion, at no door.
func TestMotionIsNotForEverybody(t *testing.T) {
	t.Parallel()
	cfg := configured(t)
	withTokens(cfg)
	cfg.HTTP.Tokens = append(cfg.HTTP.Tokens, config.Token{
		Name: "neighbour", Token: config.NewSecret(yardToken), Role: bridge.Operator, Cameras: []string{"yard"},
	})
	w := start(t, cfg)
	w.token = adminToken
	g := &guarded{porch: &porch{world: w}}
	g.key, _ = w.provision("porch")
	yardKey, _ := w.provision("yard")
	g.mqtt, g.page = observe(t, w.mqtt), openPage(t, w)
	yardView := *w
	neighbour := &yardView
	neighbour.token = yardToken
	page := openPage(t, neighbour)
	g.turnUp()
	yard := &street{}
	seen := onStreet(yard)
	seen.Key = yardKey
	play(t, w, seen)
	eventually(t, "the yard is known", func() bool { m := w.camera("yard")["motion"]; return m != nil && at(m, "learning") == false })

	id := g.seesCar()
	eventually(t, "the clip begins", func() bool { return g.events("")[0].Clip })
	for _, file := range []string{"", "/picture.jpg", "/clip.mjpeg", "/clip.mjpeg?speed=8"} {
		path := "/api/v1/events/" + id + file
		if r := w.ask("HEAD", path, ""); r.status != http.StatusOK {
			t.Errorf("%s: %d for the owner", path, r.status)
		}
		if r := neighbour.ask("GET", path, ""); r.status != http.StatusNotFound || r.code() != "not_found" || strings.Contains(string(r.body), "porch") {
			t.Errorf("%s: %d %s for the neighbour", path, r.status, r.body)
		}
	}
	// It is known that the camera exists: its picture is refused as frame.jpg is.
	refused := neighbour.ask("GET", "/live/live/porch/frame.jpg", "").status
	if r := neighbour.ask("GET", "/api/v1/cameras/porch/motion.png", ""); r.status != refused || refused/100 != 4 {
		t.Errorf("motion.png is %d for the neighbour, frame.jpg %d", r.status, refused)
	}
	if r := w.ask("GET", "/api/v1/cameras/porch/motion.png", ""); r.status != http.StatusOK || r.header.Get("Content-Type") != "image/png" {
		t.Errorf("motion.png: %d %.100s", r.status, r.body)
	}
	if list := neighbour.events(""); len(list) != 0 {
		t.Errorf("the neighbour's events are %+v", list)
	}
	if r := neighbour.ask("GET", "/api/v1/events?camera=porch", ""); r.status != http.StatusForbidden {
		t.Errorf("the neighbour asks for the porch's events: %d %s", r.status, r.body)
	}
	if r := neighbour.ask("PATCH", "/api/v1/cameras/porch", `{"motion":{"enabled":false}}`); r.status != http.StatusForbidden {
		t.Errorf("the neighbour switches the porch's detection off: %d %s", r.status, r.body)
	}
	if r := page.ask("1", `{"type":"motion","id":"1","camera":"porch","motion":{"enabled":false}}`); r["ok"] == true {
		t.Errorf("the neighbour's page was answered %v", r)
	}
	w.call(http.StatusOK, "PATCH", "/api/v1/cameras/porch", `{"motion":{"off_delay":1}}`)
	g.ended(id)

	// What is the neighbour's own comes, and after all that was before it.
	yard.drive()
	eventually(t, "the neighbour's page is told of the yard", func() bool { return len(page.saw("")) > 0 })
	for _, h := range page.saw("") {
		if h.Event.Camera != "yard" {
			t.Errorf("the neighbour's page was told %+v", h)
		}
	}
	own := page.saw("")[0].Event.ID
	if list := neighbour.events(""); len(list) != 1 || list[0].ID != own {
		t.Errorf("the neighbour's events are %+v", list)
	}
	if r := neighbour.ask("GET", "/api/v1/events/"+own+"/picture.jpg", ""); r.status != http.StatusOK {
		t.Errorf("the neighbour's own picture: %d", r.status)
	}
	if all := w.events(""); len(all) != 2 || fmt.Sprint(all[0].Camera, all[1].Camera) != "yardporch" {
		t.Errorf("all events are %+v", all)
	}
}
