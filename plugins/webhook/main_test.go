package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/plugins/sdk"
)

// got is one request as it arrived.
type got struct {
	*http.Request
	body string
}

func newServer(t *testing.T, status int) (address string, requests *[]got) {
	requests = &[]got{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		*requests = append(*requests, got{r, string(body)})
		w.WriteHeader(status)
	}))
	t.Cleanup(s.Close)
	return s.URL + "/hooks/key", requests
}

// defaults are those of the tags that the tests rely on.
func defaults(address string) *settings {
	return &settings{
		URL: address, Preset: "json", Method: "POST", Type: "application/json", Picture: "picture",
		SignAs: "X-Signature", TimeAs: "X-Timestamp",
	}
}

func TestPresetsInJSON(t *testing.T) {
	for preset, want := range map[string]map[string]any{
		"json":          {"title": "Motion", "text": "Motion at Front porch", "url": "http://bridge.local/", "picture": "/9j/2Q=="},
		"nodered":       {"title": "Motion", "picture": "/9j/2Q==", "phase": "test"},
		"homeassistant": {"title": "Motion", "picture": nil, "phase": "test"},
		"slack":         {"text": "*Motion*\nMotion at Front porch\n<http://bridge.local/|Look>"},
	} {
		address, requests := newServer(t, http.StatusNoContent)
		s := defaults(address)
		s.Preset = preset
		if _, err := notify(t.Context(), s, sample().alert()); err != nil {
			t.Fatal(preset, err)
		}
		r := (*requests)[0]
		var body map[string]any
		if err := json.Unmarshal([]byte(r.body), &body); err != nil {
			t.Fatal(preset, err, r.body)
		}
		for name, value := range want {
			if body[name] != value {
				t.Errorf("%s: %s is %v, want %v", preset, name, body[name], value)
			}
		}
		if r.Method != http.MethodPost || r.URL.Path != "/hooks/key" || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %s %s, %v", preset, r.Method, r.URL, r.Header)
		}
	}
}

func TestSlackIsEscaped(t *testing.T) {
	a := sample()
	a.Text = "<b> & co"
	body, err := render(presets()["slack"].body, a)
	if err != nil {
		t.Fatal(err)
	}
	var message struct{ Text string }
	if err := json.Unmarshal(body, &message); err != nil || !strings.Contains(message.Text, "&lt;b&gt; &amp; co") {
		t.Errorf("%s: %v", body, err)
	}
}

// parts reads a multipart body.
func parts(t *testing.T, r got) map[string]string {
	t.Helper()
	_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	form, err := multipart.NewReader(strings.NewReader(r.body), params["boundary"]).ReadForm(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for name, values := range form.Value {
		out[name] = values[0]
	}
	for name, files := range form.File {
		f, err := files[0].Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(f)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = files[0].Filename + " " + files[0].Header.Get("Content-Type") + " " + string(content)
	}
	return out
}

func TestDiscord(t *testing.T) {
	address, requests := newServer(t, http.StatusNoContent)
	s := defaults(address)
	s.Preset = "discord"
	if _, err := notify(t.Context(), s, sample().alert()); err != nil {
		t.Fatal(err)
	}
	p := parts(t, (*requests)[0])
	if p["files[0]"] != "porch.jpg image/jpeg \xff\xd8\xff\xd9" {
		t.Errorf("file %q", p["files[0]"])
	}
	var payload struct {
		Embeds []struct {
			Title, Description, URL, Timestamp string
			Image                              struct{ URL string }
		}
	}
	if err := json.Unmarshal([]byte(p["payload_json"]), &payload); err != nil {
		t.Fatal(err, p["payload_json"])
	}
	if e := payload.Embeds[0]; e.Title != "Motion" || e.Image.URL != "attachment://porch.jpg" || e.URL == "" || e.Timestamp == "" {
		t.Errorf("embed %+v", e)
	}
}

func TestOwnFormAndBody(t *testing.T) {
	address, requests := newServer(t, http.StatusOK)
	s := defaults(address)
	s.Form = map[string]string{"message": "{{.Camera.Name}}: {{range .Labels}}{{.Label}} {{end}}", "token": "abc"}
	s.Picture = "attachment"
	if _, err := notify(t.Context(), s, sample().alert()); err != nil {
		t.Fatal(err)
	}
	if p := parts(t, (*requests)[0]); p["message"] != "Front porch: person " || p["token"] != "abc" || !strings.HasPrefix(p["attachment"], "porch.jpg image/jpeg") {
		t.Errorf("form %q", p)
	}
	s = defaults(address)
	s.Method, s.Body, s.Type, s.Token, s.Headers = "PUT", "{{.Title}} {{len .JPEG}}", "text/plain", "tok", map[string]string{"X-Room": "hall"}
	if _, err := notify(t.Context(), s, sample().alert()); err != nil {
		t.Fatal(err)
	}
	r := (*requests)[1]
	if r.body != "Motion 4" || r.Method != "PUT" || r.Header.Get("Content-Type") != "text/plain" || r.Header.Get("Authorization") != "Bearer tok" || r.Header.Get("X-Room") != "hall" {
		t.Errorf("%s %q %v", r.Method, r.body, r.Header)
	}
}

func TestSignature(t *testing.T) {
	address, requests := newServer(t, http.StatusOK)
	s := defaults(address)
	s.Secret, s.SignAs, s.Preset = "shared", "X-Hub", "discord"
	if _, err := notify(t.Context(), s, sample().alert()); err != nil {
		t.Fatal(err)
	}
	r := (*requests)[0]
	at, err := strconv.ParseInt(r.Header.Get("X-Timestamp"), 10, 64)
	if err != nil || time.Since(time.Unix(at, 0)).Abs() > time.Minute {
		t.Errorf("time %q", r.Header.Get("X-Timestamp"))
	}
	mac := hmac.New(sha256.New, []byte("shared"))
	mac.Write([]byte(r.Header.Get("X-Timestamp") + "." + r.body))
	if want := hex.EncodeToString(mac.Sum(nil)); r.Header.Get("X-Hub") != want {
		t.Errorf("signature %q, want %q", r.Header.Get("X-Hub"), want)
	}
}

func TestFailures(t *testing.T) {
	for status, final := range map[int]bool{http.StatusUnauthorized: true, http.StatusTooManyRequests: false, http.StatusBadGateway: false} {
		address, _ := newServer(t, status)
		_, err := notify(t.Context(), defaults(address), sample().alert())
		if _, rejected := errors.AsType[*sdk.RejectError](err); err == nil || rejected != final || strings.Contains(err.Error(), "/hooks/key") {
			t.Errorf("%d: %v", status, err)
		}
	}
}

func TestBadTemplatesAreToldEarly(t *testing.T) {
	for _, s := range []settings{
		{URL: "http://x", Body: "{{.Title"}, {URL: "http://x", Body: "{{.Nothing}}"},
		{URL: "http://x", Form: map[string]string{"a": "{{nothing}}"}}, {URL: "ftp://x"}, {URL: "http://x", Body: "a", Form: map[string]string{"a": "b"}},
	} {
		if err := validate(t.Context(), &s); err == nil {
			t.Errorf("%q %q is taken", s.Body, s.Form)
		}
	}
	for name, p := range presets() {
		s := settings{URL: "http://x", Body: p.body, Form: p.form}
		if err := validate(t.Context(), &s); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	field, _ := reflect.TypeFor[settings]().FieldByName("Preset")
	choices := strings.Split(field.Tag.Get("choices"), ",")
	for name := range presets() {
		if !slices.Contains(choices, name) || len(choices) != len(presets()) {
			t.Errorf("the choices of preset are %q, the presets have %s", choices, name)
		}
	}
}

// alert is the sample as the bridge gives it.
func (a alertData) alert() sdk.Alert {
	return sdk.Alert{Event: a.Event, Title: a.Title, Text: a.Text, Priority: a.Priority, URL: a.URL, Attempt: a.Attempt}
}
