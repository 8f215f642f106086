package httpapi

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// visit is what is known of one request: first where it came from, then who
// sent it, then which camera it names.
type visit struct {
	address netip.Addr // of the client, beyond trusted proxies
	secure  bool       // over TLS, here or at a trusted proxy
	prefix  string     // path before ours in the browser's address; "" or "/x"

	entry  entry
	who    bridge.Principal
	still  func() bool   // whether who may go on, for what lasts
	byURL  string        // the token in the query, if that is who they are
	camera bridge.Camera // of a row with scope oneCamera
}

type visitKey struct{}

func visitOf(r *http.Request) *visit { return r.Context().Value(visitKey{}).(*visit) }

// answerTime is how long a client may take to read an answer that ends.
const answerTime = 30 * time.Second

// door is the one path where neither Host nor Origin is judged: cameras show a
// key there, and some send odd headers.
const door = "/ingest/ws"

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	v, r := s.arrive(r)
	// Not every ResponseWriter has deadlines (tests); a server's own has.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerTime))
	setHeaders(w.Header())
	if err := s.judge(w, r, v); err != nil {
		s.fail(w, err)
		return
	}
	s.mux.ServeHTTP(w, r)
}

// judge refuses requests that a strange web page made somebody's browser send,
// and paths that net/http would redirect.
func (s *Server) judge(w http.ResponseWriter, r *http.Request, v *visit) error {
	switch {
	case r.URL.Path == door:
		return nil
	case v.prefix != "" && r.URL.Path == "":
		http.Redirect(w, r, v.prefix+"/", http.StatusPermanentRedirect)
		return errAnswered
	case !cleanPath(r.URL.Path):
		return bridge.Errorf(bridge.CodeNotFound, "there is nothing at %.80q", r.URL.Path)
	case !s.knownHost(r.Host):
		return &answer{status: http.StatusMisdirectedRequest, err: bridge.Errorf(bridge.CodeDenied,
			"this bridge is not called %.80q: use its address, or add the name to http.hosts", r.Host)}
	}
	if err := s.csrf.Check(r); err != nil {
		return bridge.Errorf(bridge.CodeDenied, "another web page sent this request: %w", err)
	}
	if isUpgrade(r) && !sameOrigin(r, v.secure) {
		return bridge.Errorf(bridge.CodeDenied, "a page from %.80q may not open sockets here; behind a proxy, let it pass on the Host header or list it in http.trusted_proxies", r.Header.Get("Origin"))
	}
	return s.alias(r)
}

// alias turns the address that printers and NVRs type in,
// /?action=stream|snapshot&camera=, into our own.
func (s *Server) alias(r *http.Request) error {
	q := r.URL.Query()
	if r.URL.Path != "/" || !q.Has("action") {
		return nil
	}
	leaf := map[string]string{"stream": "mjpeg", "snapshot": "frame.jpg"}[q.Get("action")]
	if leaf == "" {
		return bridge.Errorf(bridge.CodeInvalid, "action is stream or snapshot, not %.40q", q.Get("action")).At("action")
	}
	camera := q.Get("camera")
	if all := s.deps.Fleet.Cameras(); camera == "" && len(all) == 1 {
		camera = all[0].ID
	}
	if !validRef(camera) {
		return bridge.Errorf(bridge.CodeInvalid, "say which camera: ?action=%s&camera=ID", q.Get("action")).At("camera")
	}
	r.URL.Path, r.URL.RawPath = "/live/"+s.cfg.App+"/"+camera+"/"+leaf, ""
	return nil
}

var refPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]*$`)

// maxRef is the longest way to name a camera: "{app}-{room}".
const maxRef = 64 + 1 + 64

func validRef(ref string) bool { return len(ref) <= maxRef && refPattern.MatchString(ref) }

// arrive finds out where the request came from and returns it as the client
// sent it: with the client's address, the Host that its browser shows, and our
// own path.
func (s *Server) arrive(r *http.Request) (*visit, *http.Request) {
	v := &visit{secure: r.TLS != nil, prefix: s.cfg.BasePath}
	peer, _ := netip.ParseAddrPort(r.RemoteAddr)
	v.address = peer.Addr().Unmap()
	r = r.WithContext(context.WithValue(r.Context(), visitKey{}, v))
	u := *r.URL
	r.URL = &u
	if u.Path == "" {
		u.Path = "/"
	}
	if s.trusted(v.address) {
		s.believe(v, r)
	}
	strip(r.URL, s.cfg.BasePath)
	return v, r
}

func (s *Server) trusted(a netip.Addr) bool {
	for _, p := range s.cfg.TrustedProxies {
		if p.Contains(a.WithZone("")) {
			return true
		}
	}
	return false
}

// believe takes what a trusted proxy says of the client.
func (s *Server) believe(v *visit, r *http.Request) {
	if a := s.client(v.address, r.Header.Values("X-Forwarded-For")); a != v.address {
		v.address = a
		r.RemoteAddr = net.JoinHostPort(a.String(), "0") // the client's port is not told
	}
	if h := r.Header.Get("X-Forwarded-Host"); h != "" {
		r.Host = h
	}
	if p := r.Header.Get("X-Forwarded-Proto"); p != "" {
		v.secure = p == "https" || p == "wss"
	}
	if p := r.Header.Get("X-Ingress-Path"); prefixPattern.MatchString(p) {
		v.prefix = strings.TrimSuffix(p, "/")
	}
}

var prefixPattern = regexp.MustCompile(`^(/[A-Za-z0-9._~-]+)+/?$`)

// client returns the right-most address that is no trusted proxy: what stands
// left of it the client may have written itself.
func (s *Server) client(peer netip.Addr, forwarded []string) netip.Addr {
	hops := strings.Split(strings.Join(forwarded, ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		a, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			return peer
		}
		if peer = a.Unmap(); !s.trusted(peer) {
			return peer
		}
	}
	return peer
}

// strip takes the prefix off, if it is there: some proxies do it themselves.
func strip(u *url.URL, prefix string) {
	if rest, ok := strings.CutPrefix(u.Path, prefix); ok && (rest == "" || rest[0] == '/') {
		u.Path = rest
		u.RawPath = strings.TrimPrefix(u.RawPath, prefix)
	}
}

// cleanPath reports whether p has no empty, "." or ".." segments, but for the
// slash at its end.
func cleanPath(p string) bool {
	return p != "" && (path.Clean(p) == p || path.Clean(p)+"/" == p)
}

// knownHost guards against DNS rebinding: a strange name that points to this
// machine is a web page that wants to be taken for ours.
func (s *Server) knownHost(hostport string) bool {
	name := hostName(hostport)
	if name == "" || s.hosts[name] || strings.HasSuffix(name, ".local") {
		return true // browsers always send a Host
	}
	_, err := netip.ParseAddr(name)
	return err == nil
}

// hostName is the lower-case name or address in a Host header.
func hostName(hostport string) string {
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		hostport = h
	}
	return strings.ToLower(strings.TrimSuffix(strings.Trim(hostport, "[]"), "."))
}

func isUpgrade(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
}

// sameOrigin reports whether the page that opens a socket is ours: its origin
// is the Host that it called, port included. Programs send no Origin.
func sameOrigin(r *http.Request, secure bool) bool {
	origin := r.Header.Values("Origin")
	if len(origin) == 0 {
		return true
	}
	u, err := url.Parse(origin[0])
	if err != nil || len(origin) > 1 || u.Host == "" {
		return false
	}
	ports := map[string]string{"http": "80", "https": "443"}
	port, ok := ports[u.Scheme]
	ours := "80"
	if secure {
		ours = "443"
	}
	return ok && withPort(u.Host, port) == withPort(r.Host, ours)
}

func withPort(hostport, usual string) string {
	if host, port, err := net.SplitHostPort(hostport); err == nil {
		hostport, usual = host, port
	}
	return strings.ToLower(strings.Trim(hostport, "[]")) + ":" + usual
}
