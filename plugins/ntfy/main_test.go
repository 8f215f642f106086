package main

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/espcam-bridge/espcam-bridge/plugins/sdk"
)

// server answers as ntfy's documentation (docs.ntfy.sh/publish) says it does; no
// real ntfy is asked here. refuse is the status for messages with a picture.
type server struct {
	*httptest.Server
	requests []*http.Request
	bodies   []string
	refuse   int
}

func newServer(t *testing.T) *server {
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		s.requests, s.bodies = append(s.requests, r), append(s.bodies, string(body))
		switch {
		case r.Header.Get("Authorization") == "Bearer tk_wrong":
			http.Error(w, `{"code":40101,"http":401,"error":"unauthorized"}`, http.StatusUnauthorized)
		case r.URL.Path == "/readonly/auth":
			http.Error(w, `{"code":40301,"http":403,"error":"forbidden"}`, http.StatusForbidden)
		case s.refuse != 0 && r.Header.Get("Filename") != "":
			http.Error(w, `{"code":40014,"http":400,"error":"invalid request: attachments not allowed"}`, s.refuse)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func alert() sdk.Alert {
	return sdk.Alert{
		Event: sdk.Event{
			ID: "01jd8v3k9m2xq", Phase: sdk.PhaseBegin, Camera: sdk.Camera{ID: "porch", Name: "Front porch"},
			Labels: []sdk.Detection{{Label: "person"}, {Label: "dog"}, {Label: "ufo"}}, JPEG: []byte("jpeg"),
		},
		Title: "Bewegung: Tür 🚪", Text: "Zeile 1\nZeile 2", Priority: 4, URL: "http://bridge.local/#porch",
		Actions: []sdk.Action{{Label: `Licht "an", bitte`, URL: "http://bridge.local/light"}},
	}
}

func decoded(t *testing.T, r *http.Request, name string) string {
	t.Helper()
	raw := r.Header.Get(name)
	if strings.ContainsFunc(raw, func(c rune) bool { return c > 126 }) {
		t.Errorf("%s is not ASCII: %q", name, raw)
	}
	text, err := new(mime.WordDecoder).DecodeHeader(raw)
	if err != nil {
		t.Error(err)
	}
	return text
}

func TestAlertWithEverything(t *testing.T) {
	srv := newServer(t)
	s := &settings{URL: srv.URL + "/", Topic: "home/x", Token: "tk_right", Tags: []string{"camera"}, Emojis: map[string]string{"person": "walking", "dog": "dog"}}
	r, err := notify(t.Context(), s, alert())
	if err != nil || r.Handle != "01jd8v3k9m2xq" {
		t.Fatal(r, err)
	}
	got := srv.requests[0]
	if got.Method != http.MethodPut || got.URL.EscapedPath() != "/home%2Fx" || srv.bodies[0] != "jpeg" {
		t.Errorf("%s %s with %q", got.Method, got.URL.EscapedPath(), srv.bodies[0])
	}
	for name, want := range map[string]string{
		"Title": "Bewegung: Tür 🚪", "Message": "Zeile 1\nZeile 2", "Priority": "4", "Tags": "camera,walking,dog",
		"Click": "http://bridge.local/#porch", "Filename": "porch.jpg", "X-Sequence-Id": "01jd8v3k9m2xq",
		"Authorization": "Bearer tk_right", "Actions": `view, "Licht 'an', bitte", "http://bridge.local/light"`,
	} {
		if text := decoded(t, got, name); text != want {
			t.Errorf("%s is %q, want %q", name, text, want)
		}
	}
}

func TestUserAndNoPicture(t *testing.T) {
	srv := newServer(t)
	a := alert()
	a.JPEG = nil
	if _, err := notify(t.Context(), &settings{URL: srv.URL, Topic: "x", Username: "me", Password: "pass"}, a); err != nil {
		t.Fatal(err)
	}
	user, password, ok := srv.requests[0].BasicAuth()
	if !ok || user != "me" || password != "pass" || srv.bodies[0] != "" || srv.requests[0].Header.Get("Filename") != "" {
		t.Errorf("user %q, body %q, headers %v", user, srv.bodies[0], srv.requests[0].Header)
	}
}

func TestPictureRefusedIsLeftOut(t *testing.T) {
	for _, status := range []int{http.StatusBadRequest, http.StatusRequestEntityTooLarge} {
		srv := newServer(t)
		srv.refuse = status
		if _, err := notify(t.Context(), &settings{URL: srv.URL, Topic: "x"}, alert()); err != nil {
			t.Error(err)
		}
		if len(srv.bodies) != 2 || srv.bodies[1] != "" {
			t.Errorf("with %d: bodies %q", status, srv.bodies)
		}
	}
}

func TestWrongTokenIsFinal(t *testing.T) {
	srv := newServer(t)
	s := &settings{URL: srv.URL, Topic: "x", Token: "tk_wrong"}
	_, err := notify(t.Context(), s, alert())
	if _, final := errors.AsType[*sdk.RejectError](err); !final || strings.Contains(err.Error(), "tk_wrong") {
		t.Errorf("error %v", err)
	}
	if err := check(t.Context(), s); err == nil {
		t.Error("check says all is well")
	}
	if err := check(t.Context(), &settings{URL: srv.URL, Topic: "readonly"}); err != nil {
		t.Error(err)
	}
	if last := srv.requests[len(srv.requests)-1]; last.Method != http.MethodGet || last.URL.Path != "/readonly/auth" {
		t.Errorf("check asked %s %s", last.Method, last.URL)
	}
}

func TestTwoWaysToLogIn(t *testing.T) {
	if err := validate(t.Context(), &settings{Topic: "x", Token: "t", Username: "u"}); err == nil {
		t.Error("that is ambiguous")
	}
}
