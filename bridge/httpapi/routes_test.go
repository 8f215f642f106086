package httpapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/httpapi"
)

// callers are those whom the table is held against.
var callers = []struct {
	name    string
	token   string
	role    bridge.Role
	limited bool
}{
	{name: "none"},
	{name: "viewer", token: viewerToken, role: bridge.Viewer},
	{name: "operator", token: operatorToken, role: bridge.Operator},
	{name: "admin", token: adminToken, role: bridge.Admin},
	{name: "admin of porch", token: porchToken, role: bridge.Admin, limited: true},
}

// wholeBridge are the routes that a token for one camera may not use at all.
var wholeBridge = map[string]bool{
	"GET /readyz": true, "GET /metrics": true,
	"GET /api/v1/plugins": true, "GET /api/v1/plugins/{instance}": true, "PATCH /api/v1/plugins/{instance}": true,
	"GET /api/v1/plugins/{instance}/files": true, "GET /api/v1/plugins/{instance}/files/{path...}": true,
	"POST /api/v1/plugins/{instance}/do": true, "POST /api/v1/plugins/{instance}/test": true,
	"GET /api/v1/alerts/failed": true, "POST /api/v1/alerts/failed/{id}/do": true,
	"GET /api/v1/stream-tokens": true, "POST /api/v1/stream-tokens": true, "DELETE /api/v1/stream-tokens/{id}": true,
	"POST /api/v1/apps/{app}/ws-ingest": true, "GET /api/v1/apps/{app}/ws-ingest": true, "DELETE /api/v1/apps/{app}/ws-ingest/{id}": true,
}

// TestEveryRouteAndRole walks the table: who may gets an answer, who may not
// gets 401 or 403, and nothing else.
func TestEveryRouteAndRole(t *testing.T) {
	w := open(t, httpapi.Config{Auth: true})
	for _, route := range httpapi.Routes() {
		method, path, _ := strings.Cut(route.On, " ")
		if method == "page" {
			continue // TestEveryMessageAndRole
		}
		for _, c := range callers {
			for _, camera := range []string{"porch", "yard"} {
				t.Run(route.On+" "+c.name+" "+camera, func(t *testing.T) {
					w.t = t
					w.fleet.add("porch")
					w.fleet.add("yard")
					want := 0
					switch {
					case route.Role == bridge.Public:
					case c.token == "":
						want = http.StatusUnauthorized
					case !c.role.Includes(route.Role), c.limited && wholeBridge[route.On]:
						want = http.StatusForbidden
					case c.limited && strings.Contains(path, "{camera}") && camera == "yard":
						want = http.StatusForbidden
					}
					got := w.ask(method, concrete(path, camera), body(method), bearer(c.token)...)
					switch {
					case want != 0 && got.StatusCode != want:
						t.Errorf("got %s %s, want %d", got.Status, got.body, want)
					case want == 0 && (got.StatusCode == 401 && !strings.Contains(path, "login") || got.StatusCode == 403 || got.StatusCode >= 500):
						t.Errorf("got %s %s", got.Status, got.body)
					}
					if want != 0 && len(got.body) > 0 {
						code, sentence, _ := got.fault()
						if code != string(bridge.CodeDenied) || len(sentence) < 10 {
							t.Errorf("refused with %q %q", code, sentence)
						}
					}
				})
			}
		}
	}
}

func concrete(path, camera string) string {
	return strings.NewReplacer("{app}", "live", "{camera}", camera, "{$}", "", "{id}", "wsi_x", "{room}", "porch",
		"{hash}", "x", "{instance}", "phone", "{path...}", "porch/a.mkv", "{file...}", "app.js", "{file}", "play.js").Replace(path)
}

func body(method string) string {
	if method == http.MethodPost || method == http.MethodPatch {
		return "{}"
	}
	return ""
}

func bearer(token string) []string {
	if token == "" {
		return nil
	}
	return []string{"Authorization: Bearer " + token}
}

func TestRowWithoutRoleDoesNotStart(t *testing.T) {
	if err := httpapi.CheckRow("GET /x", bridge.Viewer, nil); err != nil {
		t.Fatalf("a good row: %v", err)
	}
	if err := httpapi.CheckRow("GET /x", "", nil); err == nil || !strings.Contains(err.Error(), `route "GET /x" has no role`) {
		t.Errorf("a row without a role: %v", err)
	}
	if err := httpapi.CheckRow("page x", "", nil); err == nil {
		t.Error("a message without a role is taken")
	}
	if err := httpapi.CheckRow("GET /x", "king", nil); err == nil {
		t.Error("a role that does not exist is taken")
	}
	if err := httpapi.CheckRow("PATCH /x", bridge.Operator, map[string]bridge.Role{"name": ""}); err == nil {
		t.Error("a field without a role is taken")
	}
	if _, err := httpapi.New(httpapi.Config{Auth: true}, httpapi.Deps{}); err == nil {
		t.Error("auth without an Auth starts")
	}
}

func TestWrongMethodAndUnknownRoute(t *testing.T) {
	w := open(t, httpapi.Config{})
	cases := []struct {
		method, path string
		allow        string // "" means 404
	}{
		{"POST", "/live/live/porch/mjpeg", "GET, HEAD"},
		{"POST", "/", "GET, HEAD"},
		{"PUT", "/api/v1/cameras/porch", "GET, PATCH, DELETE, HEAD"},
		{"GET", "/api/v1/cameras/porch/do", "POST"},
		{"DELETE", "/api/v1/cameras", "GET, HEAD"},
		{"BREW", "/healthz", "GET, HEAD"},
		{"POST", "/ingest/ws", "GET, HEAD"},
		{"GET", "/nothing", ""},
		{"GET", "/api/v1/cameras/", ""},
		{"GET", "/api//v1/cameras", ""},
		{"GET", "/live/live/../live/porch/mjpeg", ""},
		{"GET", "/api/v1/cameras/porch/do/more", ""},
		{"GET", "/debug/pprof/", ""},
		{"GET", "/live/other/porch/mjpeg", ""},
		{"GET", "/assets/x/app.js", ""},
		{"GET", "/play/play.html", ""},
		{"GET", "/play/..%2fplay.js", ""},
	}
	for _, c := range cases {
		t.Run(c.method+" "+c.path, func(t *testing.T) {
			got := w.ask(c.method, c.path, "")
			if c.allow == "" {
				got.fails(t, 404, bridge.CodeNotFound, "there is no")
				return
			}
			got.fails(t, 405, bridge.CodeInvalid, "is not a method of")
			if a := got.Header.Get("Allow"); a != c.allow {
				t.Errorf("Allow is %q, want %q", a, c.allow)
			}
		})
	}
}

func TestUnknownAndOverLongCamera(t *testing.T) {
	w := open(t, httpapi.Config{})
	long := strings.Repeat("a", 5000)
	for _, path := range []string{"/live/live/%s/mjpeg", "/live/live/%s/frame.jpg", "/play/live/%s", "/api/v1/cameras/%s"} {
		with := func(id string) string { return strings.ReplaceAll(path, "%s", id) }
		w.get(with("cellar")).fails(t, 404, bridge.CodeNotFound, `there is no camera "cellar"`)
		w.get(with("a%2Fb")).fails(t, 404, bridge.CodeNotFound, "there is no camera")
		got := w.get(with(long))
		got.fails(t, 400, bridge.CodeInvalid, "5000 characters long")
		if len(got.body) > 400 {
			t.Errorf("the answer repeats the id: %d bytes", len(got.body))
		}
		if got := w.get(with("Room-porch")); got.StatusCode != 200 {
			t.Errorf("by room: %s", got.Status)
		}
		if got := w.get(with("live-Room-porch")); got.StatusCode != 200 {
			t.Errorf("by app and room: %s", got.Status)
		}
	}
	w.get("/live/"+long+"/porch/mjpeg").fails(t, 404, bridge.CodeNotFound, "there is no application")
}

func TestHead(t *testing.T) {
	w := open(t, httpapi.Config{})
	for path, kind := range map[string]string{"/live/live/porch/mjpeg": "multipart/x-mixed-replace; boundary=frame", "/live/live/porch/frame.jpg": "image/jpeg", "/": "text/html; charset=utf-8"} {
		got := w.ask(http.MethodHead, path, "")
		if got.StatusCode != 200 || got.Header.Get("Content-Type") != kind || len(got.body) != 0 {
			t.Errorf("HEAD %s: %s %v", path, got.Status, got.Header)
		}
	}
}
