package auth_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/auth"
	"github.com/espcam-bridge/espcam-bridge/bridge/store"
)

const fileKey = "wsk_" + "ABCDEFGHIJKLMNOPQRSTUVWX"

// world is an Auth over a real database that can be restarted.
type world struct {
	*auth.Auth
	t   *testing.T
	dir string
	db  *store.Store
	now time.Time
}

func open(t *testing.T, c auth.Config) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	w.start(c)
	t.Cleanup(func() { w.db.Close() })
	return w
}

func (w *world) start(c auth.Config) {
	w.t.Helper()
	db, err := store.Open(w.dir)
	if err != nil {
		w.t.Fatal(err)
	}
	w.db = db
	c.Now = func() time.Time { return w.now }
	if w.Auth, err = auth.Open(c, db); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) restart(c auth.Config) {
	w.t.Helper()
	if err := w.db.Close(); err != nil {
		w.t.Fatal(err)
	}
	w.start(c)
}

func (w *world) mint(camera, identity string) (string, bridge.Key) {
	w.t.Helper()
	secret, k, err := w.Mint(camera, identity)
	if err != nil {
		w.t.Fatal(err)
	}
	return secret, k
}

func TestMintedKey(t *testing.T) {
	w := open(t, auth.Config{})
	secret, k := w.mint("porch", "esp-1")
	if parts := strings.Split(secret, "_"); len(parts) != 3 || parts[0] != "wsk" || parts[1] != k.ID || len(parts[1]) < 6 || len(parts[2]) < 52 {
		t.Fatalf("key has the wrong form: %d characters", len(secret))
	}
	want := bridge.Key{ID: k.ID, Camera: "porch", Prefix: secret[:8], Identity: "esp-1", Created: w.now}
	if k != want {
		t.Errorf("minted %+v, want %+v", k, want)
	}
	w.restart(auth.Config{})
	if got, ok := w.VerifyKey(secret); !ok || got != want {
		t.Errorf("after a restart: %+v, %v", got, ok)
	}
	if got := w.Keys(); len(got) != 1 || got[0] != want {
		t.Errorf("listed %+v", got)
	}
}

func TestVerifyKeyRefuses(t *testing.T) {
	w := open(t, auth.Config{Keys: []auth.ConfigKey{{Camera: "yard", Secret: fileKey, Source: "bridge.yaml:9"}}})
	secret, k := w.mint("porch", "")
	other, _ := w.mint("porch", "")
	wrong := []string{
		"", "wsk_", "wsk_" + k.ID, "wsk_" + k.ID + "_", secret[:len(secret)-1], secret + "a", strings.ToUpper(secret),
		"wsk_" + k.ID + "_" + strings.SplitN(other, "_", 3)[2], // another key's secret under this id
		"x" + secret, fileKey[:27], fileKey + "Y", "wsk_" + strings.Repeat("a", 100_000),
	}
	for _, s := range wrong {
		if got, ok := w.VerifyKey(s); ok {
			t.Errorf("%.60q is taken for %+v", s, got)
		}
	}
}

func TestConfigKey(t *testing.T) {
	w := open(t, auth.Config{Keys: []auth.ConfigKey{{Camera: "yard", Secret: fileKey, Source: "bridge.yaml:9"}}})
	want := bridge.Key{ID: "config-yard", Camera: "yard", Prefix: "wsk_ABCD", Source: "bridge.yaml:9"}
	if k, ok := w.VerifyKey(fileKey); !ok || k != want {
		t.Errorf("verified %+v, %v, want %+v", k, ok, want)
	}
	_, err := w.Revoke("config-yard")
	if bridge.CodeOf(err) != bridge.CodeConflict || !strings.Contains(err.Error(), "bridge.yaml:9") {
		t.Errorf("revoking a key of the file: %v", err)
	}
	w.restart(auth.Config{})
	if _, ok := w.VerifyKey(fileKey); ok {
		t.Error("a key that was removed from the file is still taken")
	}
}

func TestRevoke(t *testing.T) {
	w := open(t, auth.Config{})
	one, k := w.mint("porch", "")
	two, _ := w.mint("porch", "")
	three, _ := w.mint("yard", "")
	if got, err := w.Revoke(k.ID); err != nil || got != k {
		t.Fatalf("revoked %+v, %v", got, err)
	}
	if _, err := w.Revoke(k.ID); bridge.CodeOf(err) != bridge.CodeNotFound {
		t.Errorf("revoking twice: %v", err)
	}
	check := func(when string, secret string, want bool) {
		t.Helper()
		if _, ok := w.VerifyKey(secret); ok != want {
			t.Errorf("%s: taken is %v, want %v", when, ok, want)
		}
	}
	check("revoked", one, false)
	check("not revoked", two, true)
	if err := w.RevokeCamera("porch"); err != nil {
		t.Fatal(err)
	}
	w.restart(auth.Config{})
	check("revoked, restarted", one, false)
	check("camera removed, restarted", two, false)
	check("other camera", three, true)
}

func TestMintRefuses(t *testing.T) {
	w := open(t, auth.Config{})
	for _, in := range [][2]string{{"Porch", ""}, {"all", ""}, {"", ""}, {"porch", "a b"}, {"porch", strings.Repeat("a", 65)}} {
		if _, _, err := w.Mint(in[0], in[1]); bridge.CodeOf(err) != bridge.CodeInvalid {
			t.Errorf("Mint(%q, %q): %v", in[0], in[1], err)
		}
	}
}

func TestBadConfig(t *testing.T) {
	key := func(camera, secret, source string) auth.ConfigKey {
		return auth.ConfigKey{Camera: camera, Secret: secret, Source: source}
	}
	cases := map[string]struct {
		auth.Config
		want string
	}{
		"short key":   {auth.Config{Keys: []auth.ConfigKey{key("a", "wsk_short", "f:1")}}, "f:1: the key of camera a must be wsk_"},
		"same key":    {auth.Config{Keys: []auth.ConfigKey{key("a", fileKey, "f:1"), key("b", fileKey, "f:2")}}, "f:2: camera b has the same key as camera a"},
		"camera":      {auth.Config{Keys: []auth.ConfigKey{key("A", fileKey, "f:1")}}, "lower-case"},
		"role":        {auth.Config{Tokens: []auth.Token{{Name: "x", Secret: "12345678", Role: "king"}}}, `the role "king"`},
		"public role": {auth.Config{Tokens: []auth.Token{{Name: "x", Secret: "12345678", Role: bridge.Public}}}, `the role "public"`},
		"short token": {auth.Config{Tokens: []auth.Token{{Name: "x", Secret: "1234567", Role: bridge.Viewer}}}, "token x is shorter"},
		"no name":     {auth.Config{Tokens: []auth.Token{{Secret: "12345678", Role: bridge.Viewer}}}, "needs a name"},
		"same token": {auth.Config{Tokens: []auth.Token{{Name: "x", Secret: "12345678", Role: bridge.Viewer},
			{Name: "y", Secret: "12345678", Role: bridge.Admin}}}, "tokens x and y are the same"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			db, err := store.Open(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			_, err = auth.Open(c.Config, db)
			if bridge.CodeOf(err) != bridge.CodeInvalid || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), fileKey) {
				t.Error("the error shows a secret")
			}
		})
	}
}

var tokens = []auth.Token{
	{Name: "nvr", Secret: "esb_viewer", Role: bridge.Viewer, Cameras: []string{"porch"}},
	{Name: "boss", Secret: "esb_admin_", Role: bridge.Admin, Cameras: []string{}},
}

func TestTokens(t *testing.T) {
	w := open(t, auth.Config{Tokens: tokens})
	if p, ok := w.VerifyToken("esb_viewer"); !ok || p.Name != "nvr" || !p.May(bridge.Viewer, "porch") || p.May(bridge.Viewer, "yard") || p.May(bridge.Operator, "porch") {
		t.Errorf("viewer: %+v, %v", p, ok)
	}
	if p, ok := w.VerifyToken("esb_admin_"); !ok || p.Name != "boss" || !p.May(bridge.Admin, "yard") {
		t.Errorf("admin: %+v, %v", p, ok)
	}
	for _, s := range []string{"", "esb_viewe", "esb_viewerr", "esb_VIEWER"} {
		if p, ok := w.VerifyToken(s); ok || p.May(bridge.Viewer, "") {
			t.Errorf("%q is taken for %+v", s, p)
		}
	}
}

func TestFirstToken(t *testing.T) {
	w := open(t, auth.Config{})
	secret, made, err := w.FirstToken()
	if err != nil || !made || !strings.HasPrefix(secret, "esb_") || len(secret) < 50 {
		t.Fatalf("made %v, %v, %d characters", made, err, len(secret))
	}
	if again, made, err := w.FirstToken(); again != "" || made || err != nil {
		t.Errorf("the second call made another: %v, %v", made, err)
	}
	w.restart(auth.Config{})
	if _, made, _ := w.FirstToken(); made {
		t.Error("a restart made another")
	}
	if p, ok := w.VerifyToken(secret); !ok || p.Role != bridge.Admin {
		t.Errorf("after a restart: %+v, %v", p, ok)
	}
	w.restart(auth.Config{Tokens: tokens[:1]})
	if _, ok := w.VerifyToken(secret); !ok {
		t.Error("a viewer token in the file locked the admin out")
	}
	w.restart(auth.Config{Tokens: tokens})
	if _, ok := w.VerifyToken(secret); ok {
		t.Error("an admin token in the file did not retire the first token")
	}
}

func TestSessionSurvivesRestart(t *testing.T) {
	w := open(t, auth.Config{Tokens: tokens})
	if _, _, ok := w.Login("esb_wrong_"); ok {
		t.Fatal("logged in with a wrong token")
	}
	cookie, p, ok := w.Login("esb_viewer")
	if !ok || p.Name != "nvr" || len(cookie) < 52 {
		t.Fatalf("login: %+v, %v", p, ok)
	}
	w.restart(auth.Config{Tokens: tokens})
	if p, ok := w.Session(cookie); !ok || p.Name != "nvr" || p.May(bridge.Viewer, "yard") {
		t.Errorf("after a restart: %+v, %v", p, ok)
	}
	if err := w.Logout(cookie); err != nil {
		t.Fatal(err)
	}
	w.restart(auth.Config{Tokens: tokens})
	if _, ok := w.Session(cookie); ok {
		t.Error("alive after logout and restart")
	}
}

func TestSessionEndsWithItsToken(t *testing.T) {
	w := open(t, auth.Config{Tokens: tokens})
	cookie, _, _ := w.Login("esb_viewer")
	w.restart(auth.Config{Tokens: tokens[1:]})
	if _, ok := w.Session(cookie); ok {
		t.Error("alive though its token was removed from the file")
	}
	w.restart(auth.Config{Tokens: tokens})
	if _, ok := w.Session(cookie); ok {
		t.Error("it came back with the token")
	}
}

func TestSessionTimes(t *testing.T) {
	w := open(t, auth.Config{Tokens: tokens})
	idle, _, _ := w.Login("esb_viewer")
	used, _, _ := w.Login("esb_viewer")
	for range 29 * 2 {
		w.now = w.now.Add(12 * time.Hour)
		w.restart(auth.Config{Tokens: tokens}) // what counts must be in the store
		if _, ok := w.Session(used); !ok {
			t.Fatalf("a session in use ended at %v", w.now)
		}
	}
	if _, ok := w.Session(idle); ok {
		t.Error("a session without use is alive after 24 hours")
	}
	for range 3 {
		w.now = w.now.Add(12 * time.Hour)
		w.Session(used)
	}
	if _, ok := w.Session(used); ok {
		t.Error("a session is alive after 30 days")
	}
}

func TestSessionsAreBounded(t *testing.T) {
	w := open(t, auth.Config{Tokens: tokens})
	first, _, _ := w.Login("esb_viewer")
	var last string
	for range 1000 {
		w.now = w.now.Add(time.Second)
		last, _, _ = w.Login("esb_viewer")
	}
	if _, ok := w.Session(first); ok {
		t.Error("the oldest of 1,001 sessions is alive")
	}
	if _, ok := w.Session(last); !ok {
		t.Error("the newest session is not alive")
	}
}

// TestNoSecretOnDisk looks for every secret in the raw database.
func TestNoSecretOnDisk(t *testing.T) {
	w := open(t, auth.Config{Tokens: tokens, Keys: []auth.ConfigKey{{Camera: "yard", Secret: fileKey, Source: "f:1"}}})
	key, _ := w.mint("porch", "")
	cookie, _, _ := w.Login("esb_viewer")
	w.restart(auth.Config{})
	first, made, err := w.FirstToken()
	if err != nil || !made {
		t.Fatal(made, err)
	}
	listed, err := json.Marshal(w.Keys())
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(w.dir, store.FileName))
	if err != nil {
		t.Fatal(err)
	}
	for name, secret := range map[string]string{"key": key[13:], "cookie": cookie, "first token": first, "token": "esb_viewer", "file key": fileKey[8:]} {
		if strings.Contains(string(raw), secret) || strings.Contains(string(listed), secret) {
			t.Errorf("the %s is on disk or in a list", name)
		}
	}
}

func TestRace(t *testing.T) {
	w := open(t, auth.Config{Tokens: tokens})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			secret, k, err := w.Mint("porch", "")
			if err != nil {
				t.Error(err)
				return
			}
			if _, ok := w.VerifyKey(secret); !ok {
				t.Error("a minted key is not taken")
			}
			cookie, _, _ := w.Login("esb_viewer")
			w.Session(cookie)
			w.Keys()
			w.VerifyToken("esb_viewer")
			if _, err := w.Revoke(k.ID); err != nil {
				t.Error(err)
			}
			if err := w.Logout(cookie); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if k := w.Keys(); len(k) != 0 {
		t.Errorf("left over: %v", k)
	}
}

// TestTakenKey: a camera's own key, of which nobody knew, is its key from then on.
func TestTakenKey(t *testing.T) {
	w := open(t, auth.Config{Keys: []auth.ConfigKey{{Camera: "gate", Secret: fileKey, Source: "bridge.yaml:3"}}})
	minted, _ := w.mint("porch", "")
	for _, own := range []string{"wsk_abcdefghijklmnopqrstuvwxyz", "wsk_abcdefgh_ijklmnopqrstuvwxyz"} {
		k, err := w.Take("garage", own, "esp-1")
		if err != nil {
			t.Fatal(err)
		}
		if k.Camera != "garage" || k.Identity != "esp-1" || k.Prefix != own[:8] || k.Source != "" || strings.Contains(own, k.ID) {
			t.Errorf("%+v", k)
		}
		w.restart(auth.Config{})
		if got, ok := w.VerifyKey(own); !ok || got.ID != k.ID {
			t.Errorf("after a restart it is %+v, %v", got, ok)
		}
		if _, ok := w.VerifyKey(own + "x"); ok {
			t.Error("a longer key is taken for it")
		}
		if _, err := w.Take("attic", own, ""); bridge.CodeOf(err) != bridge.CodeConflict {
			t.Errorf("taken twice: %v", err)
		}
		if _, err := w.Revoke(k.ID); err != nil {
			t.Error(err)
		}
		if _, ok := w.VerifyKey(own); ok {
			t.Error("a revoked key is good")
		}
	}
	if _, err := w.Take("attic", minted, ""); bridge.CodeOf(err) != bridge.CodeConflict {
		t.Errorf("a minted key was taken: %v", err)
	}
	for _, bad := range []string{"", "wsk_short", "key_abcdefghijklmnopqrstuvwxyz", "wsk_abcdefghijklmnop qrstuvwxyz", "wsk_" + strings.Repeat("x", 600)} {
		if _, err := w.Take("attic", bad, ""); bridge.CodeOf(err) != bridge.CodeInvalid {
			t.Errorf("%.20q: %v", bad, err)
		}
	}
}
