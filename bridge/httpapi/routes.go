package httpapi

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// entry is one row of the table: a route, or a message of the page's socket
// ("page" and its type). Its role is what a caller needs; over a camera when
// the row names one.
type entry struct {
	on     string      // "GET /path" in http.ServeMux's form, or "page set"
	role   bridge.Role // never empty
	scope  scope
	media  bool                   // a picture by URL: public_streams and stream tokens open it, others may embed it with a token
	fields map[string]bridge.Role // members of the body that need more than role
	serve  func(*Server, http.ResponseWriter, *http.Request, *visit) error
	take   func(*socket, request) error
}

// scope says what a token that is limited to some cameras may do with a row.
type scope int

const (
	filtered  scope = iota // the handler shows only what the caller may see
	oneCamera              // the path names a camera: it must be one of the caller's
	whole                  // about the bridge as a whole: never for a limited token
)

// table lists everything that can be asked over HTTP.
func table() []entry {
	return append([]entry{
		{on: "GET /{$}", role: bridge.Public, serve: (*Server).index},
		{on: "GET /assets/{hash}/{file...}", role: bridge.Public, serve: (*Server).asset},
		{on: "GET /play/{file}", role: bridge.Public, serve: (*Server).playAsset},
		{on: "GET /healthz", role: bridge.Public, serve: (*Server).healthz},
		{on: "GET /readyz", role: bridge.Viewer, scope: whole, serve: (*Server).readyz},
		{on: "GET /metrics", role: bridge.Viewer, scope: whole, serve: (*Server).serveMetrics},

		{on: "GET /ingest/ws", role: bridge.Public, serve: (*Server).ingest}, // cameras show their keys there

		{on: "GET /live/{app}/{camera}/mjpeg", role: bridge.Viewer, scope: oneCamera, media: true, serve: (*Server).mjpeg},
		{on: "GET /live/{app}/{camera}/frame.jpg", role: bridge.Viewer, scope: oneCamera, media: true, serve: (*Server).snapshot},
		{on: "GET /live/ws", role: bridge.Viewer, media: true, serve: (*Server).rawSocket},
		{on: "GET /play/{app}/{camera}", role: bridge.Viewer, scope: oneCamera, media: true, serve: (*Server).play},

		{on: "POST /api/v1/login", role: bridge.Public, serve: (*Server).login},
		{on: "POST /api/v1/logout", role: bridge.Public, serve: (*Server).logout},
		{on: "GET /api/v1/me", role: bridge.Viewer, serve: (*Server).me},
		{on: "GET /api/v1/cameras", role: bridge.Viewer, serve: (*Server).listCameras},
		{on: "GET /api/v1/cameras/{camera}", role: bridge.Viewer, scope: oneCamera, serve: (*Server).getCamera},
		{on: "PATCH /api/v1/cameras/{camera}", role: bridge.Operator, scope: oneCamera, serve: (*Server).patchCamera, fields: adminFields()},
		{on: "DELETE /api/v1/cameras/{camera}", role: bridge.Admin, scope: oneCamera, serve: (*Server).deleteCamera},
		{on: "POST /api/v1/cameras/{camera}/do", role: bridge.Operator, scope: oneCamera, serve: (*Server).doAction},
		{on: "POST /api/v1/cameras/{camera}/rediscover", role: bridge.Admin, scope: oneCamera, serve: (*Server).rediscover},
		{on: "GET /api/v1/cameras/{camera}/motion.png", role: bridge.Viewer, scope: oneCamera, serve: (*Server).motionPicture},
		{on: "GET /api/v1/events", role: bridge.Viewer, serve: (*Server).listEvents},
		{on: "GET /api/v1/events/{id}", role: bridge.Viewer, serve: (*Server).getEvent},
		{on: "GET /api/v1/events/{id}/picture.jpg", role: bridge.Viewer, serve: (*Server).eventPicture},
		{on: "GET /api/v1/events/{id}/clip.mjpeg", role: bridge.Viewer, serve: (*Server).eventClip},

		{on: "POST /api/v1/apps/{app}/ws-ingest", role: bridge.Admin, scope: whole, serve: (*Server).mintKey},
		{on: "GET /api/v1/apps/{app}/ws-ingest", role: bridge.Admin, scope: whole, serve: (*Server).listKeys},
		{on: "DELETE /api/v1/apps/{app}/ws-ingest/{id}", role: bridge.Admin, scope: whole, serve: (*Server).revokeKey},
		{on: "GET /api/v1/apps/{app}/ws-ingest/live/{room}", role: bridge.Public, serve: (*Server).liveInfo},

		{on: "GET /api/v1/stream-tokens", role: bridge.Admin, scope: whole, serve: (*Server).listStreamTokens},
		{on: "POST /api/v1/stream-tokens", role: bridge.Admin, scope: whole, serve: (*Server).mintStreamToken},
		{on: "DELETE /api/v1/stream-tokens/{id}", role: bridge.Admin, scope: whole, serve: (*Server).revokeStreamToken},

		{on: "GET /api/v1/ws", role: bridge.Viewer, serve: (*Server).pageSocket},
		{on: "page subscribe", role: bridge.Viewer, scope: oneCamera, take: (*socket).subscribe},
		{on: "page unsubscribe", role: bridge.Viewer, take: (*socket).unsubscribe},
		{on: "page painted", role: bridge.Viewer, take: (*socket).painted},
		{on: "page ping", role: bridge.Viewer, take: (*socket).ping},
		{on: "page set", role: bridge.Operator, scope: oneCamera, take: (*socket).set},
		{on: "page motion", role: bridge.Operator, scope: oneCamera, take: (*socket).setMotion},
		{on: "page do", role: bridge.Operator, scope: oneCamera, take: (*socket).do},
		{on: "page rename", role: bridge.Admin, scope: oneCamera, take: (*socket).rename},
		{on: "page enable", role: bridge.Admin, scope: oneCamera, take: (*socket).enable},
	}, pluginTable()...)
}

// pluginTable is the part of table that is about plugins.
func pluginTable() []entry {
	return []entry{
		{on: "GET /api/v1/plugins", role: bridge.Admin, scope: whole, serve: (*Server).listPlugins},
		{on: "GET /api/v1/plugins/{instance}", role: bridge.Admin, scope: whole, serve: (*Server).getPlugin},
		{on: "PATCH /api/v1/plugins/{instance}", role: bridge.Admin, scope: whole, serve: (*Server).patchPlugin},
		{on: "POST /api/v1/plugins/{instance}/do", role: bridge.Admin, scope: whole, serve: (*Server).doPlugin},
		{on: "POST /api/v1/plugins/{instance}/test", role: bridge.Admin, scope: whole, serve: (*Server).testPlugin},
		{on: "GET /api/v1/plugins/{instance}/files", role: bridge.Admin, scope: whole, serve: (*Server).listPluginFiles},
		{on: "GET /api/v1/plugins/{instance}/files/{path...}", role: bridge.Admin, scope: whole, serve: (*Server).pluginFile},
		{on: "GET /api/v1/alerts/failed", role: bridge.Admin, scope: whole, serve: (*Server).listFailed},
		{on: "POST /api/v1/alerts/failed/{id}/do", role: bridge.Admin, scope: whole, serve: (*Server).doFailed},
	}
}

func adminFields() map[string]bridge.Role {
	return map[string]bridge.Role{"name": bridge.Admin, "enabled": bridge.Admin}
}

// Route is a row of the table for documentation and tests: "GET /path" or
// "page set", and the role that it needs.
type Route struct {
	On   string
	Role bridge.Role
}

// Routes lists every route and every message of the page's socket.
func Routes() []Route {
	var out []Route
	for _, e := range table() {
		out = append(out, Route{e.on, e.role})
	}
	return out
}

func (e entry) check() error {
	if !e.role.Includes(bridge.Public) {
		return fmt.Errorf("httpapi: route %q has no role: say in the table who may use it", e.on)
	}
	for field, role := range e.fields {
		if !role.Includes(e.role) {
			return fmt.Errorf("httpapi: field %q of route %q needs a role above the route's own", field, e.on)
		}
	}
	return nil
}

// mount registers the rows, and for each path what answers a wrong method.
func (s *Server) mount(rows []entry) error {
	s.mux = http.NewServeMux()
	s.messages = map[string]entry{}
	methods := map[string][]string{}
	for _, e := range rows {
		if err := e.check(); err != nil {
			return err
		}
		on, target, _ := strings.Cut(e.on, " ")
		if on == "page" {
			s.messages[target] = e
			continue
		}
		s.mux.Handle(e.on, s.enter(e))
		methods[target] = append(methods[target], on)
	}
	for path, allowed := range methods {
		s.mux.Handle(path, s.refuse(func(r *http.Request) error { return wrongMethod(r, allowed) }))
	}
	s.mux.Handle("/", s.refuse(func(r *http.Request) error {
		return bridge.Errorf(bridge.CodeNotFound, "there is nothing at %.80q", r.URL.Path)
	}))
	return nil
}

func wrongMethod(r *http.Request, allowed []string) error {
	if slices.Contains(allowed, http.MethodGet) {
		allowed = append(slices.Clone(allowed), http.MethodHead)
	}
	err := bridge.Errorf(bridge.CodeInvalid, "%.20q is not a method of %.80q: use %s", r.Method, r.URL.Path, strings.Join(allowed, ", "))
	return &answer{status: http.StatusMethodNotAllowed, err: err, header: http.Header{"Allow": {strings.Join(allowed, ", ")}}}
}

func (s *Server) refuse(why func(*http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.fail(w, why(r)) })
}

// enter lets a caller who may through to the row's handler.
func (s *Server) enter(e entry) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := visitOf(r)
		v.entry = e
		err := s.authorise(w, r, v)
		if err == nil {
			err = e.serve(s, w, r, v)
		}
		if err != nil {
			s.fail(w, err)
		}
	})
}
