package httpapi_test

import (
	"encoding/base64"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/httpapi"
)

const upgradeHeaders = "Connection: Upgrade|Upgrade: websocket|Sec-WebSocket-Version: 13|Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="

func TestHost(t *testing.T) {
	w := open(t, httpapi.Config{Hosts: []string{"Cams.Example.org"}})
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	good := []string{w.addr, "127.0.0.1", "192.168.1.5:8080", "[::1]:8080", "[fe80::1]", "localhost", "LOCALHOST:1", "bridge.local", "Bridge.Local.:80", "cams.example.org", "CAMS.example.org:443", name}
	bad := []string{"evil.example", "cams.example.org.evil.example", "local", "evillocal", "example.org", "x.cams.example.org", "1.2.3.4.evil.example", "localhost.evil.example:80"}
	for _, h := range good {
		if got := w.get("/api/v1/me", "Host: "+h); got.StatusCode != 200 {
			t.Errorf("Host %q: %s %s", h, got.Status, got.body)
		}
	}
	for _, h := range bad {
		w.get("/api/v1/me", "Host: "+h, "Origin: http://"+h).fails(t, 421, bridge.CodeDenied, "add the name to http.hosts")
		w.get("/", "Host: "+h).fails(t, 421, bridge.CodeDenied, "http.hosts")
	}
}

func TestSocketOrigin(t *testing.T) {
	w := open(t, httpapi.Config{TrustedProxies: loopback, Hosts: []string{"cams.example.org"}})
	_, port, _ := strings.Cut(w.addr, ":")
	cases := []struct {
		headers string
		good    bool
	}{
		{"", true}, // a program
		{"Origin: http://" + w.addr, true},
		{"Origin: HTTP://" + strings.ToUpper(w.addr), true},
		{"Origin: http://127.0.0.1", false},
		{"Origin: http://127.0.0.1:1", false},
		{"Origin: https://" + w.addr + "0", false},
		{"Origin: http://localhost:" + port, false},
		{"Origin: http://evil.example", false},
		{"Origin: null", false},
		{"Origin: file://", false},
		{"Origin: chrome-extension://abc", false},
		{"Origin: http://" + w.addr + ".evil.example", false},
		{"Origin: http://bridge.local|Host: bridge.local", true},
		{"Origin: http://bridge.local:80|Host: bridge.local", true},
		{"Origin: http://bridge.local|Host: bridge.local:8080", false},
		{"Origin: https://cams.example.org|X-Forwarded-Host: cams.example.org|X-Forwarded-Proto: https", true},
		{"Origin: https://cams.example.org|X-Forwarded-Host: cams.example.org:443|X-Forwarded-Proto: https", true},
		{"Origin: https://evil.example|X-Forwarded-Host: cams.example.org|X-Forwarded-Proto: https", false},
	}
	for _, path := range []string{"/api/v1/ws", "/live/ws?room=porch"} {
		for _, c := range cases {
			got := w.get(path, strings.Split(strings.Trim(upgradeHeaders+"|"+c.headers, "|"), "|")...)
			if c.good && got.StatusCode != http.StatusSwitchingProtocols {
				t.Errorf("%s, %s: %s %s", path, c.headers, got.Status, got.body)
			}
			if !c.good {
				got.fails(t, 403, bridge.CodeDenied, "may not open sockets here")
			}
		}
	}
}

func TestCrossOriginPost(t *testing.T) {
	w := open(t, httpapi.Config{})
	post := func(headers ...string) reply {
		return w.ask("POST", "/api/v1/cameras/porch/do", `{"action":"restart"}`, headers...)
	}
	for _, h := range []string{"Origin: http://evil.example", "Origin: null", "Origin: http://127.0.0.1:1", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site"} {
		post(h).fails(t, 403, bridge.CodeDenied, "another web page sent this request")
	}
	for _, h := range []string{"Origin: http://" + w.addr, "Sec-Fetch-Site: same-origin", "X-Nothing: x"} {
		if got := post(h); got.StatusCode != 200 {
			t.Errorf("%s: %s %s", h, got.Status, got.body)
		}
	}
}

// TestCameraDoorIsNotJudged: cameras show keys, and send odd headers.
func TestCameraDoorIsNotJudged(t *testing.T) {
	var seen *http.Request
	w := open(t, httpapi.Config{Auth: true, TrustedProxies: loopback}, func(d *httpapi.Deps) {
		d.Ingest = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r })
	})
	headers := append(strings.Split(upgradeHeaders, "|"), "Host: evil.example", "Origin: file://", "X-Forwarded-For: 198.51.100.7")
	if got := w.get("/ingest/ws?app=live&room=porch", headers...); got.StatusCode != 200 || seen == nil {
		t.Fatalf("the door is closed: %s %s", got.Status, got.body)
	}
	if seen.RemoteAddr != "198.51.100.7:0" {
		t.Errorf("the camera's address is %s", seen.RemoteAddr)
	}
}

func TestCredentials(t *testing.T) {
	w := open(t, httpapi.Config{Auth: true})
	basic := func(user, password string) string {
		return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
	}
	for _, path := range []string{"/api/v1/me", "/live/live/porch/frame.jpg", "/live/live/porch/mjpeg"} {
		for name, got := range map[string]reply{
			"bearer": w.get(path, "Authorization: Bearer "+viewerToken),
			"lower":  w.get(path, "Authorization: bearer "+viewerToken),
			"basic":  w.get(path, basic("anybody", viewerToken)),
			"query":  w.get(path + "?token=" + viewerToken),
			"both":   w.get(path+"?token="+viewerToken, basic("", "")), // as Home Assistant asks for a still
		} {
			if got.StatusCode != 200 {
				t.Errorf("%s, %s: %s %s", path, name, got.Status, got.body)
			}
		}
		challenge := "Basic"
		if strings.HasPrefix(path, "/api") {
			challenge = "Bearer" // a Basic challenge would open a browser's own window
		}
		for name, got := range map[string]reply{
			"nothing": w.get(path),
			"digest":  w.get(path, `Authorization: Digest username="x", response="y"`),
			"cookie":  w.get(path, "Cookie: espcam_session_"+strings.Split(w.addr, ":")[1]+"=xyz"),
		} {
			got.fails(t, 401, bridge.CodeDenied, "")
			if h := got.Header.Get("WWW-Authenticate"); !strings.HasPrefix(h, challenge+" realm=") {
				t.Errorf("%s, %s: challenge %q", path, name, h)
			}
		}
	}
	if got := w.get("/api/v1/me", basic("x", adminToken)); !strings.Contains(string(got.body), `"role":"admin"`) {
		t.Errorf("me: %s", got.body)
	}
}

func TestSessionCookie(t *testing.T) {
	w := open(t, httpapi.Config{Auth: true})
	_, port, _ := strings.Cut(w.addr, ":")
	ways := map[string]func() reply{
		"json": func() reply { return w.ask("POST", "/api/v1/login", `{"token":"`+viewerToken+`"}`) },
		"form": func() reply {
			return w.ask("POST", "/api/v1/login", "token="+viewerToken, "Content-Type: application/x-www-form-urlencoded")
		},
		"address": func() reply { return w.get("/?token=" + viewerToken) },
	}
	for name, login := range ways {
		t.Run(name, func(t *testing.T) {
			got := login()
			if len(got.Cookies()) != 1 {
				t.Fatalf("%s %s: %d cookies", got.Status, got.body, len(got.Cookies()))
			}
			c := got.Cookies()[0]
			if c.Name != "espcam_session_"+port || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Secure || c.MaxAge <= 0 {
				t.Errorf("cookie %+v", c)
			}
			if name != "json" && (got.StatusCode != 303 || got.Header.Get("Location") != "/") {
				t.Errorf("%s to %q", got.Status, got.Header.Get("Location"))
			}
			if got := w.get("/api/v1/me", "Cookie: "+c.Name+"="+c.Value); !strings.Contains(string(got.body), `"name":"viewer"`) {
				t.Errorf("with the cookie: %s %s", got.Status, got.body)
			}
			if got := w.get("/live/live/porch/mjpeg", "Cookie: "+c.Name+"="+c.Value); got.StatusCode != 200 {
				t.Errorf("a stream with the cookie: %s %s", got.Status, got.body)
			}
			if got := w.ask("POST", "/api/v1/logout", "{}", "Cookie: "+c.Name+"="+c.Value); got.StatusCode != 200 || got.Cookies()[0].MaxAge >= 0 {
				t.Errorf("logout: %s %v", got.Status, got.Cookies())
			}
			w.get("/api/v1/me", "Cookie: "+c.Name+"="+c.Value).fails(t, 401, bridge.CodeDenied, "the session is over")
		})
	}
	if got := w.ask("POST", "/api/v1/login", `{"token":"nonsense_that_is_long_enough_to_be_a_token"}`); got.StatusCode != 401 || len(got.Cookies()) != 0 {
		t.Errorf("a wrong token: %s %v", got.Status, got.Cookies())
	}
}

func TestCookieBehindProxy(t *testing.T) {
	w := open(t, httpapi.Config{Auth: true, TrustedProxies: loopback, BasePath: "/cams"})
	got := w.get("/?token="+viewerToken, "X-Forwarded-Proto: https", "X-Ingress-Path: /api/hassio_ingress/abc")
	if c := got.Cookies(); len(c) != 1 || !c[0].Secure || c[0].Path != "/api/hassio_ingress/abc/" {
		t.Errorf("behind ingress: %v", c)
	}
	got = w.get("/?token="+viewerToken, "X-Forwarded-Proto: https", "X-Forwarded-Host: bridge.local")
	if c := got.Cookies(); len(c) != 1 || !c[0].Secure || c[0].Path != "/cams/" || c[0].Name != "espcam_session_0" {
		t.Errorf("over TLS at the proxy: %v", c)
	}
	if got := w.get("/cams/?token=" + viewerToken); len(got.Cookies()) != 1 || got.Cookies()[0].Path != "/cams/" || got.Header.Get("Location") != "/cams/" {
		t.Errorf("base path: %v to %q", got.Cookies(), got.Header.Get("Location"))
	}
	if got := w.get("/cams"); got.StatusCode != 308 || got.Header.Get("Location") != "/cams/" {
		t.Errorf("without the slash: %s to %q", got.Status, got.Header.Get("Location"))
	}
	if got := w.get("/cams/live/live/porch/frame.jpg", "Authorization: Bearer "+viewerToken); got.StatusCode != 200 {
		t.Errorf("a path below the base: %s", got.Status)
	}
	for _, evil := range []string{"//evil.example/", "/a b", "/a\"b", "javascript:x", "/../x//y"} {
		if got := w.get("/?token="+viewerToken, "X-Ingress-Path: "+evil); got.Header.Get("Location") != "/cams/" {
			t.Errorf("X-Ingress-Path %q: to %q", evil, got.Header.Get("Location"))
		}
	}
}

func TestCookieOverTLS(t *testing.T) {
	w := open(t, httpapi.Config{Auth: true, TrustedProxies: loopback})
	proxy := []string{"X-Forwarded-Proto: https", "X-Forwarded-Host: bridge.local:8443"}
	c := w.get("/?token="+viewerToken, proxy...).Cookies()
	if len(c) != 1 || !c[0].Secure || c[0].Path != "/" || c[0].Name != "__Host-espcam_session_8443" {
		t.Fatalf("cookie %v", c)
	}
	if got := w.get("/api/v1/me", append(proxy, "Cookie: "+c[0].Name+"="+c[0].Value)...); got.StatusCode != 200 {
		t.Errorf("with the cookie: %s", got.Status)
	}
}

func TestUntrustedProxyIsNotBelieved(t *testing.T) {
	w := open(t, httpapi.Config{Auth: true})
	got := w.get("/?token="+viewerToken, "X-Forwarded-Proto: https", "X-Ingress-Path: /x", "X-Forwarded-Host: evil.example")
	if c := got.Cookies(); len(c) != 1 || c[0].Secure || c[0].Path != "/" {
		t.Errorf("cookie %v", c)
	}
}

// TestGuessing: 1 wrong token a second, 5 a minute, 20 an hour, each per address.
func TestGuessing(t *testing.T) {
	now := &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	w := open(t, httpapi.Config{Auth: true, TrustedProxies: loopback}, func(d *httpapi.Deps) { d.Now = now.Now })
	try := func(from, token string) int {
		return w.get("/api/v1/me", "Authorization: Bearer "+token, "X-Forwarded-For: "+from).StatusCode
	}
	const a, b = "198.51.100.1", "198.51.100.2"
	if s := []int{try(a, "wrong"), try(a, "wrong")}; s[0] != 401 || s[1] != 429 {
		t.Errorf("two within a second: %v", s)
	}
	if s := try(a, weakToken); s != 429 {
		t.Errorf("a good token that could be guessed: %d", s)
	}
	if s := try(a, viewerToken); s != 200 {
		t.Errorf("a good token that cannot be guessed: %d", s)
	}
	if s := try(b, weakToken); s != 200 {
		t.Errorf("from another address: %d", s)
	}
	wrong, hour := 1, now.Now().Add(time.Hour)
	for now.Now().Before(hour) {
		now.add(2 * time.Second)
		if try(a, "wrong") == 401 {
			wrong++
		}
	}
	if wrong < 20 || wrong > 41 { // 20 at once, and 20 more as the hour passes
		t.Errorf("%d wrong tokens were checked within an hour", wrong)
	}
	got := w.get("/api/v1/me", "Authorization: Bearer wrong", "X-Forwarded-For: "+a)
	got.fails(t, 429, bridge.CodeRateLimited, "too many wrong tokens from "+a)
	if got.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	now.add(time.Hour)
	if s := try(a, weakToken); s != 200 {
		t.Errorf("an hour later: %d", s)
	}
	if s := []int{try("2001:db8::1", "wrong"), try("2001:db8::2", "wrong"), try("2001:db8:0:1::1", "wrong")}; s[0] != 401 || s[1] != 429 || s[2] != 401 {
		t.Errorf("IPv6 by /64: %v", s)
	}
}

func TestForwardedFor(t *testing.T) {
	w := open(t, httpapi.Config{Auth: true, TrustedProxies: loopback})
	// The client writes what it likes; the proxy appends what it saw.
	w.get("/api/v1/me", "Authorization: Bearer wrong", "X-Forwarded-For: 203.0.113.9, 198.51.100.1")
	w.get("/api/v1/me", "Authorization: Bearer wrong", "X-Forwarded-For: 203.0.113.8, 198.51.100.1, 127.0.0.1").
		fails(t, 429, bridge.CodeRateLimited, "from 198.51.100.1")
	w.get("/api/v1/me", "Authorization: Bearer wrong", "X-Forwarded-For: nonsense").fails(t, 401, bridge.CodeDenied, "wrong")
}

func TestHeaders(t *testing.T) {
	w := open(t, httpapi.Config{Auth: true})
	for _, path := range []string{"/", "/healthz", "/nothing", "/api/v1/cameras", "/live/live/porch/frame.jpg?token=" + viewerToken} {
		h := w.get(path).Header
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin",
		} {
			if got := h.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
		csp := h.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self'", "img-src 'self' blob:", "connect-src 'self'", "base-uri 'none'", "require-trusted-types-for 'script'"} {
			if !strings.Contains(csp, want) {
				t.Errorf("%s: the policy %q lacks %s", path, csp, want)
			}
		}
		if !strings.Contains(h.Get("Permissions-Policy"), "camera=()") {
			t.Errorf("%s: Permissions-Policy is %q", path, h.Get("Permissions-Policy"))
		}
	}
}

// TestEmbedding: pictures are for our own pages, unless the address holds a
// token or streams are public.
func TestEmbedding(t *testing.T) {
	private, public := open(t, httpapi.Config{Auth: true}), open(t, httpapi.Config{Auth: true, PublicStreams: true})
	check := func(name string, r reply, status int, shared bool) {
		t.Helper()
		if r.StatusCode != status {
			t.Errorf("%s: %s", name, r.Status)
		}
		want, ancestors := "same-origin", "frame-ancestors 'self'"
		if shared {
			want, ancestors = "cross-origin", "frame-ancestors *"
		}
		if got := r.Header.Get("Cross-Origin-Resource-Policy"); got != want {
			t.Errorf("%s: resource policy %q, want %q", name, got, want)
		}
		if csp := r.Header.Get("Content-Security-Policy"); !strings.Contains(csp, ancestors) {
			t.Errorf("%s: %s is not in %q", name, ancestors, csp)
		}
	}
	for _, path := range []string{"/live/live/porch/mjpeg", "/live/live/porch/frame.jpg", "/play/live/porch"} {
		check("nothing", private.get(path), 401, false)
		check("bearer", private.get(path, bearer(viewerToken)...), 200, false)
		check("token in the address", private.get(path+"?token="+viewerToken), 200, true)
		check("public", public.get(path), 200, true)
	}
	check("the API is never for others", private.get("/api/v1/cameras?token="+viewerToken), 200, false)
	check("public streams, private API", public.get("/api/v1/cameras"), 401, false)
	check("public streams, private page", public.get("/api/v1/ws", strings.Split(upgradeHeaders, "|")...), 401, false)
}

// TestNoSecretInAnswersOrLog plants secrets in every way in and looks for them
// in everything that comes out.
func TestNoSecretInAnswersOrLog(t *testing.T) {
	w := open(t, httpapi.Config{Auth: true})
	minted := w.ask("POST", "/api/v1/apps/live/ws-ingest", `{"room":"Cellar"}`, bearer(adminToken)...)
	if !strings.Contains(string(minted.body), mintedSecret) {
		t.Fatalf("the key is not in the answer that makes it: %s", minted.body)
	}
	login := w.ask("POST", "/api/v1/login", `{"token":"`+adminToken+`"}`)
	cookie := login.Cookies()[0]
	var out strings.Builder
	out.Write(login.body)
	for _, route := range httpapi.Routes() {
		method, path, _ := strings.Cut(route.On, " ")
		if method == "page" || strings.Contains(path, "logout") || strings.Contains(path, "login") || strings.HasSuffix(path, "/ws-ingest") && method == "POST" {
			continue
		}
		w.fleet.add("porch")
		for _, r := range []reply{
			w.ask(method, concrete(path, "porch"), body(method), "Cookie: "+cookie.Name+"="+cookie.Value),
			w.ask(method, concrete(path, "porch"), body(method), bearer(adminToken)...),
			w.ask(method, concrete(path, "nowhere"), body(method), bearer("wrong_"+adminToken)...),
		} {
			out.Write(r.body)
			for k, v := range r.Header {
				out.WriteString(k + strings.Join(v, " "))
			}
		}
	}
	out.WriteString(w.log.String())
	for name, secret := range map[string]string{"camera key": mintedSecret[10:], "token": adminToken, "cookie": cookie.Value, "wrong token": "wrong_" + adminToken} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("the %s came out again", name)
		}
	}
	if !strings.Contains(w.log.String(), "wrong token") || !strings.Contains(w.log.String(), "key minted") {
		t.Errorf("the log does not say what happened: %s", w.log)
	}
}
