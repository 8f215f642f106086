package httpapi

import (
	"fmt"
	"mime"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

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
// none (Home Assistant tries Digest after a refusal) is no guess.
func bearer(r *http.Request) (string, bool) {
	if _, password, ok := r.BasicAuth(); ok {
		return password, true
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
		now, ok := s.deps.Auth.VerifyToken(secret)
		return ok && same(now, who)
	}
	return nil
}

func (s *Server) bySession(r *http.Request, v *visit) error {
	c, err := r.Cookie(cookieName(r))
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
		if who, ok := s.deps.Auth.VerifyToken(secret); ok {
			return who, nil
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

// guesses limits wrong tokens per address: 1 a second, 5 a minute, 20 an hour.
// IPv6 counts by /64, since every home has one of those.
type guesses struct {
	now func() time.Time

	mu    sync.Mutex
	table map[netip.Prefix]*suspect
}

// maxSuspects bounds the table; the one silent longest is forgotten.
const maxSuspects = 10_000

type suspect struct {
	limits [3]*rate.Limiter
	last   time.Time
}

func newGuesses(now func() time.Time) *guesses {
	return &guesses{now: now, table: map[netip.Prefix]*suspect{}}
}

func network(a netip.Addr) netip.Prefix {
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits) // the zero Prefix for no address at all
	return p
}

// blocked returns how long the address is refused from now on; 0 if it is not.
func (g *guesses) blocked(a netip.Addr) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.table[network(a)]
	if s == nil {
		return 0
	}
	var wait time.Duration
	for _, l := range s.limits {
		if have := l.TokensAt(g.now()); have < 1 {
			wait = max(wait, time.Duration((1-have)/float64(l.Limit())*float64(time.Second)))
		}
	}
	return wait
}

// wrong counts one wrong token.
func (g *guesses) wrong(a netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.table[network(a)]
	if s == nil {
		g.makeRoomLocked()
		s = &suspect{limits: [3]*rate.Limiter{
			rate.NewLimiter(rate.Every(time.Second), 1),
			rate.NewLimiter(rate.Every(time.Minute/5), 5),
			rate.NewLimiter(rate.Every(time.Hour/20), 20),
		}}
		g.table[network(a)] = s
	}
	s.last = g.now()
	for _, l := range s.limits {
		l.AllowN(s.last, 1)
	}
}

func (g *guesses) makeRoomLocked() {
	if len(g.table) < maxSuspects {
		return
	}
	var oldest netip.Prefix
	var last time.Time
	for a, s := range g.table {
		if last.IsZero() || s.last.Before(last) {
			oldest, last = a, s.last
		}
	}
	delete(g.table, oldest)
}

// login exchanges a token for a session cookie: JSON for the page, a form for
// browsers without scripts.
func (s *Server) login(w http.ResponseWriter, r *http.Request, v *visit) error {
	var in struct {
		Token string `json:"token"`
	}
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	form := kind == "application/x-www-form-urlencoded"
	if form {
		limitBody(w, r)
		in.Token = r.PostFormValue("token")
	} else if err := decode(w, r, &in); err != nil {
		return err
	}
	if s.cfg.Auth {
		if err := s.openSession(w, r, v, strings.TrimSpace(in.Token)); err != nil {
			return err
		}
	} else if err := s.identify(r, v); err != nil {
		return err
	}
	if form {
		http.Redirect(w, r, v.prefix+"/", http.StatusSeeOther)
		return nil
	}
	return s.me(w, r, v)
}

// openSession sets the session cookie if the token is good.
func (s *Server) openSession(w http.ResponseWriter, r *http.Request, v *visit, token string) error {
	who, err := s.checkToken(v, token)
	if err != nil {
		return err
	}
	value, _, ok := s.deps.Auth.Login(token)
	if !ok {
		return unauthorised(v, "the token is wrong")
	}
	v.who = who
	s.log.Info("logged in", "name", who.Name, "address", v.address)
	http.SetCookie(w, sessionCookie(r, v, value, sessionLife))
	return nil
}

// logout ends the session of the cookie and takes the cookie away.
func (s *Server) logout(w http.ResponseWriter, r *http.Request, v *visit) error {
	if c, err := r.Cookie(cookieName(r)); err == nil && s.cfg.Auth {
		if err := s.deps.Auth.Logout(c.Value); err != nil {
			return err
		}
	}
	http.SetCookie(w, sessionCookie(r, v, "", -1))
	send(w, http.StatusOK, map[string]bool{"ok": true})
	return nil
}

// sessionLife is the cookie's, in seconds: that of the session itself.
const sessionLife = 30 * 24 * 60 * 60

func sessionCookie(r *http.Request, v *visit, value string, age int) *http.Cookie {
	return &http.Cookie{
		Name: cookieName(r), Value: value, Path: v.prefix + "/", MaxAge: age,
		HttpOnly: true, Secure: v.secure, SameSite: http.SameSiteStrictMode,
	}
}

// cookieName holds the port that the browser called, because ports of one host
// share their cookies.
func cookieName(r *http.Request) string {
	host := withPort(r.Host, "0")
	return "espcam_session_" + host[strings.LastIndexByte(host, ':')+1:]
}

// me says who the caller is.
func (s *Server) me(w http.ResponseWriter, _ *http.Request, v *visit) error {
	send(w, http.StatusOK, map[string]any{"name": v.who.Name, "role": v.who.Role, "auth": s.cfg.Auth})
	return nil
}
