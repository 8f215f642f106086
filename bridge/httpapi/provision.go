package httpapi

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// This file is StreamHub's provisioning API, so that its tools work here:
// bodies are {"data": ...}, ids begin with wsi_.

const keyIDPrefix = "wsi_"

// links are the URLs of one camera.
type links struct {
	Ingest string `json:"wsUrl"` // where the camera connects
	Viewer string `json:"viewerWsUrl,omitempty"`
	MJPEG  string `json:"mjpegUrl"`
	Frame  string `json:"frameUrl"`
	Player string `json:"playerUrl,omitempty"`
	Embed  string `json:"embedUrl,omitempty"`
}

func (s *Server) links(r *http.Request, v *visit, room string) links {
	web, socket := "http", "ws"
	if v.secure {
		web, socket = "https", "wss"
	}
	query := "?" + url.Values{"app": {s.cfg.App}, "room": {room}}.Encode()
	base := "://" + r.Host + v.prefix
	live := web + base + "/live/" + s.cfg.App + "/" + room
	play := web + base + "/play/" + s.cfg.App + "/" + room
	return links{
		Ingest: socket + base + door + query, Viewer: socket + base + "/live/ws" + query,
		MJPEG: live + "/mjpeg", Frame: live + "/frame.jpg", Player: play, Embed: play,
	}
}

func (s *Server) mintKey(w http.ResponseWriter, r *http.Request, v *visit) error {
	var in struct {
		Room     string `json:"room"`
		Identity string `json:"identity"`
	}
	if err := decode(w, r, &in); err != nil {
		return err
	}
	for field, slug := range map[string]string{"room": in.Room, "identity": in.Identity} {
		if !bridge.ValidRoom(slug) && (field == "room" || slug != "") {
			return bridge.Errorf(bridge.CodeInvalid, "%s must be 1 to 64 letters, digits, - or _, beginning with a letter or digit", field).At(field)
		}
	}
	c, secret, k, err := s.deps.Fleet.Provision(in.Room, in.Identity)
	if err != nil {
		return err
	}
	s.log.Info("key minted", "camera", c.ID, "key", k.ID, "name", v.who.Name)
	send(w, http.StatusCreated, data(struct {
		ID       string `json:"id"`
		Secret   string `json:"streamKey"` // here and never again
		Room     string `json:"room"`
		Identity string `json:"identity"`
		links
	}{keyIDPrefix + k.ID, secret, c.Room, k.Identity, s.links(r, v, c.Room)}))
	return nil
}

func data(v any) map[string]any { return map[string]any{"data": v} }

// keyJSON is a key in a list: of the secret only its beginning.
type keyJSON struct {
	ID       string     `json:"id"`
	Room     string     `json:"room"`
	Camera   string     `json:"camera"`
	Masked   string     `json:"streamKey"`
	Active   bool       `json:"active"` // the camera is connected
	Identity string     `json:"identity"`
	Created  *time.Time `json:"createdAt"`
	Source   string     `json:"source,omitempty"`
}

func (s *Server) listKeys(w http.ResponseWriter, _ *http.Request, _ *visit) error {
	cameras := map[string]bridge.Camera{}
	for _, c := range s.deps.Fleet.Cameras() {
		cameras[c.ID] = c
	}
	out := []keyJSON{}
	for _, k := range s.deps.Fleet.Keys() {
		c := cameras[k.Camera]
		out = append(out, keyJSON{ID: keyIDPrefix + k.ID, Room: c.Room, Camera: k.Camera, Masked: k.Prefix + "…",
			Active: c.Connected, Identity: k.Identity, Created: instant(k.Created), Source: k.Source})
	}
	send(w, http.StatusOK, data(out))
	return nil
}

func (s *Server) revokeKey(w http.ResponseWriter, r *http.Request, v *visit) error {
	id := strings.TrimPrefix(r.PathValue("id"), keyIDPrefix)
	if err := s.deps.Fleet.RevokeKey(id); err != nil {
		return err
	}
	s.log.Info("key revoked", "key", id, "name", v.who.Name)
	send(w, http.StatusOK, data(map[string]any{"id": keyIDPrefix + id, "deleted": true}))
	return nil
}

// liveInfo says whether a camera is live in a room. It is public, as in
// StreamHub, and answers the same for a room that does not exist.
func (s *Server) liveInfo(w http.ResponseWriter, r *http.Request, v *visit) error {
	room := r.PathValue("room")
	if !validRef(room) {
		return bridge.Errorf(bridge.CodeInvalid, "a room is 1 to 64 letters, digits, - or _").At("room")
	}
	l := s.links(r, v, room)
	out := struct {
		Active bool    `json:"active"`
		Type   *string `json:"type"`
		Room   string  `json:"room"`
		MJPEG  string  `json:"mjpegUrl"`
		Frame  string  `json:"frameUrl"`
		Socket string  `json:"wsUrl"`
	}{Room: room, MJPEG: l.MJPEG, Frame: l.Frame, Socket: l.Viewer}
	if c, err := s.deps.Fleet.Camera(room); err == nil && c.Connected && c.Enabled {
		kind := "ws-mjpeg"
		out.Active, out.Type = true, &kind
	}
	send(w, http.StatusOK, data(out))
	return nil
}
