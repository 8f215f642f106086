package httpapi

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// authorise finds out who asks and whether they may have what the row serves.
func (s *Server) authorise(w http.ResponseWriter, r *http.Request, v *visit) error {
	e := v.entry
	if app := r.PathValue("app"); app != "" && app != s.cfg.App {
		return bridge.Errorf(bridge.CodeNotFound, "there is no application %.64q: this bridge has %q", app, s.cfg.App)
	}
	open := e.role == bridge.Public || e.media && s.cfg.PublicStreams
	if !open {
		if err := s.identify(r, v); err != nil {
			return err
		}
	} else if e.role != bridge.Public {
		v.who, v.still = bridge.Principal{Role: bridge.Viewer}, func() bool { return true }
	}
	if e.media && (s.cfg.PublicStreams || v.byURL != "") {
		shareable(w.Header())
	}
	if e.role == bridge.Public {
		return nil
	}
	return s.permit(r, v)
}

// permit checks role and camera.
func (s *Server) permit(r *http.Request, v *visit) error {
	switch e := v.entry; {
	case !v.who.Role.Includes(e.role):
		return bridge.Errorf(bridge.CodeDenied, "this needs the role %s, and %q is %s", e.role, v.who.Name, v.who.Role)
	case e.scope == whole && v.who.Cameras != nil:
		return bridge.Errorf(bridge.CodeDenied, "this is about the whole bridge, and %q is limited to some cameras", v.who.Name)
	case e.scope == oneCamera:
		c, err := s.find(v.who, r.PathValue("camera"))
		v.camera = c
		return err
	}
	return nil
}

// find returns the camera that ref means, if who may see it. A caller who is
// limited to some cameras does not learn which others there are.
func (s *Server) find(who bridge.Principal, ref string) (bridge.Camera, error) {
	if len(ref) > maxRef {
		return bridge.Camera{}, bridge.Errorf(bridge.CodeInvalid, "the camera's name is %d characters long: an id has at most 32, a room 64", len(ref)).At("camera")
	}
	c, err := s.deps.Fleet.Camera(ref)
	if who.Cameras != nil && (err != nil || !who.May(bridge.Viewer, c.ID)) {
		return bridge.Camera{}, bridge.Errorf(bridge.CodeDenied, "%q may not see a camera %.64q", who.Name, ref)
	}
	return c, err
}

// identify fills in who asks: a token as Bearer, as Basic password or in the
// query, or a session cookie.
func (s *Server) identify(r *http.Request, v *visit) error {
	if !s.cfg.Auth {
		v.who, v.still = bridge.Principal{Role: bridge.Admin}, func() bool { return true }
		return nil
	}
	secret, given := bearer(r)
	if !given {
		if v.byURL = r.URL.Query().Get("token"); v.byURL != "" {
			secret, given = v.byURL, true
		}
	}
	if given {
		return s.byToken(v, secret)
	}
	return s.bySession(r, v)
}

// bearer returns the secret of an Authorization header. A scheme that carries
// none (Home Assistant tries Digest after a refusal) is no guess, and an empty
// password is none: its MJPEG camera sends that with each still.
func bearer(r *http.Request) (string, bool) {
	if _, password, ok := r.BasicAuth(); ok {
		return password, password != ""
	}
	scheme, secret, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.TrimSpace(secret), strings.EqualFold(scheme, "Bearer")
}

func (s *Server) byToken(v *visit, secret string) error {
	who, err := s.checkToken(v, secret)
	if err != nil {
		return err
	}
	v.who = who
	v.still = func() bool {
		now, ok := s.holder(v, secret)
		return ok && same(now, who)
	}
	return nil
}

// holder returns who holds the secret, if it is a token for what the row serves.
func (s *Server) holder(v *visit, secret string) (bridge.Principal, bool) {
	who, ok := s.deps.Auth.VerifyToken(secret)
	if !ok && v.entry.media {
		who, ok = s.deps.Auth.VerifyStreamToken(secret)
	}
	return who, ok
}

func (s *Server) bySession(r *http.Request, v *visit) error {
	c, err := r.Cookie(cookieName(r, v))
	if err != nil {
		return unauthorised(v, "this needs a token: as Bearer, as Basic password, or in ?token=")
	}
	who, ok := s.deps.Auth.Session(c.Value)
	if !ok {
		return unauthorised(v, "the session is over: enter the token again")
	}
	v.who = who
	v.still = func() bool {
		now, ok := s.deps.Auth.Session(c.Value)
		return ok && same(now, who)
	}
	return nil
}

func same(a, b bridge.Principal) bool {
	return a.Name == b.Name && a.Role == b.Role && slices.Equal(a.Cameras, b.Cameras)
}

// unguessable is the length from which a secret need not be protected against
// guessing. Below it, an address that guessed too often is not even checked;
// from it on, a good token is good, so that one camera card with an old token
// does not lock a whole home out.
const unguessable = 32

// checkToken verifies a token against guessing.
func (s *Server) checkToken(v *visit, secret string) (bridge.Principal, error) {
	wait := s.guesses.blocked(v.address)
	if wait == 0 || len(secret) >= unguessable {
		if who, ok := s.holder(v, secret); ok {
			return who, nil
		}
		if who, ok := s.deps.Auth.VerifyStreamToken(secret); ok {
			return who, bridge.Errorf(bridge.CodeDenied, "the token %q is for pictures only", who.Name)
		}
	}
	if wait > 0 {
		return bridge.Principal{}, &answer{
			status: http.StatusTooManyRequests,
			err:    bridge.Errorf(bridge.CodeRateLimited, "too many wrong tokens from %s: try again in %s", v.address, wait.Round(time.Second)),
			header: http.Header{"Retry-After": {fmt.Sprint(int(wait.Seconds()) + 1)}},
		}
	}
	s.guesses.wrong(v.address)
	s.log.Warn("wrong token", "address", v.address)
	return bridge.Principal{}, unauthorised(v, "the token is wrong")
}

// unauthorised is a 401. Only picture URLs ask for Basic credentials, which
// Home Assistant and NVRs know; on the page's own calls a browser would open a
// window for them.
func unauthorised(v *visit, message string) error {
	challenge := `Bearer realm="espcam-bridge"`
	if v.entry.media {
		challenge = `Basic realm="espcam-bridge", charset="UTF-8"`
	}
	return &answer{
		status: http.StatusUnauthorized,
		err:    bridge.Errorf(bridge.CodeDenied, "%s", message),
		header: http.Header{"Www-Authenticate": {challenge}},
	}
}
