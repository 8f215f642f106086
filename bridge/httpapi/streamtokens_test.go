package httpapi_test

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/httpapi"
)

// streamTokenJSON is a stream token as the API shows it.
type streamTokenJSON struct {
	ID, Name, Role, Masked, Token string
	Cameras                       []string
	Created                       time.Time `json:"created_at"`
}

// mintStream asks for a token for the pictures of cameras.
func (w *world) mintStream(name string, cameras string) (made streamTokenJSON) {
	w.t.Helper()
	r := w.ask("POST", "/api/v1/stream-tokens", fmt.Sprintf(`{"name":%q,"cameras":%s}`, name, cameras), bearer(adminToken)...)
	if r.decode(w.t.(*testing.T), &made); r.StatusCode != http.StatusCreated {
		w.t.Errorf("minted: %s", r.Status)
	}
	return made
}

// TestStreamTokenOpensPicturesOnly walks the table: a token that was made for the
// porch opens the pictures of the porch, and nothing else there is.
func TestStreamTokenOpensPicturesOnly(t *testing.T) {
	w := open(t, httpapi.Config{Auth: true})
	w.publish("porch", picture(4000))
	made := w.mintStream("Home Assistant", `["Room-porch"]`)
	want := streamTokenJSON{ID: made.ID, Name: "Home Assistant", Role: "viewer", Masked: made.Token[:8] + "…", Token: made.Token, Cameras: []string{"porch"}, Created: made.Created}
	if !reflect.DeepEqual(made, want) || time.Since(made.Created) > time.Minute {
		t.Errorf("minted %+v, want %+v", made, want)
	}
	media := map[string]bool{"GET /live/{app}/{camera}/mjpeg": true, "GET /live/{app}/{camera}/frame.jpg": true, "GET /play/{app}/{camera}": true}
	seen := 0
	for _, route := range httpapi.Routes() {
		method, path, _ := strings.Cut(route.On, " ")
		if method == "page" || route.Role == bridge.Public || path == "/live/ws" {
			continue
		}
		for _, camera := range []string{"porch", "yard"} {
			where := concrete(path, camera) + "?token=" + made.Token
			switch got := w.ask(method, where, body(method)); {
			case media[route.On] && camera == "porch":
				if seen++; got.StatusCode != http.StatusOK {
					t.Errorf("%s of the porch: %s %s", route.On, got.Status, got.body)
				}
			case media[route.On]:
				got.fails(t, http.StatusForbidden, bridge.CodeDenied, `"Home Assistant" may not see a camera "yard"`)
			default:
				got.fails(t, http.StatusForbidden, bridge.CodeDenied, `the token "Home Assistant" is for pictures only`)
			}
		}
	}
	if seen != len(media) {
		t.Errorf("%d rows were open", seen)
	}
	if got := w.get("/live/ws?room=porch&token="+made.Token, strings.Split(upgradeHeaders, "|")...); got.StatusCode != http.StatusSwitchingProtocols {
		t.Errorf("the raw socket: %s %s", got.Status, got.body)
	}
	w.get("/live/ws?room=yard&token="+made.Token, strings.Split(upgradeHeaders, "|")...).fails(t, 403, bridge.CodeDenied, "may not see")
	w.ask("POST", "/api/v1/login", `{"token":"`+made.Token+`"}`).fails(t, 403, bridge.CodeDenied, "pictures only")
	if strings.Contains(w.log.String(), "wrong token") || strings.Contains(w.log.String(), made.Token) || !strings.Contains(w.log.String(), "stream token minted") {
		t.Errorf("the log: %s", w.log)
	}
}

func TestStreamTokensAreListedAndRevoked(t *testing.T) {
	w := open(t, httpapi.Config{Auth: true, Timing: httpapi.Timing{Recheck: 50 * time.Millisecond}})
	w.publish("porch", picture(4000))
	made, other := w.mintStream("Home Assistant", `["porch"]`), w.mintStream("NVR", `["yard","porch"]`)
	list := func() (out struct{ Items []streamTokenJSON }) {
		r := w.get("/api/v1/stream-tokens", bearer(adminToken)...)
		if r.decode(t, &out); strings.Contains(string(r.body), made.Token) || strings.Contains(string(r.body), "token") {
			t.Errorf("the list has secrets: %s", r.body)
		}
		return out
	}
	shown := func(s streamTokenJSON) streamTokenJSON { s.Token = ""; return s }
	if got := list().Items; !reflect.DeepEqual(got, []streamTokenJSON{shown(made), shown(other)}) {
		t.Errorf("listed %+v", got)
	}
	s := w.stream(mjpegPath + "?token=" + made.Token)
	s.part()
	if got := w.ask("DELETE", "/api/v1/stream-tokens/"+made.ID, "", bearer(adminToken)...); string(got.body) != "{\"ok\":true}\n" {
		t.Errorf("revoked: %s %s", got.Status, got.body)
	}
	until(t, "the stream that it opened is over", func() bool { return w.hub.Feed("porch").Stats().Viewers == 0 })
	w.get(mjpegPath+"?token="+made.Token).fails(t, 401, bridge.CodeDenied, "the token is wrong")
	w.ask("DELETE", "/api/v1/stream-tokens/"+made.ID, "", bearer(adminToken)...).fails(t, 404, bridge.CodeNotFound, "no stream token")
	if got := list().Items; len(got) != 1 || got[0].ID != other.ID {
		t.Errorf("left: %+v", got)
	}
}

func TestWrongStreamTokens(t *testing.T) {
	w := open(t, httpapi.Config{Auth: true})
	mint := func(body string) reply { return w.ask("POST", "/api/v1/stream-tokens", body, bearer(adminToken)...) }
	for body, field := range map[string]string{
		`{}`: "name", `{"name":"x"}`: "cameras", `{"cameras":["porch"]}`: "name", `{"name":"x","cameras":[]}`: "cameras",
		`{"name":"x","cameras":["a b"]}`: "cameras", `{"name":"x","cameras":["porch"],"role":"admin"}`: "role",
	} {
		got := mint(body)
		if got.fails(t, 400, bridge.CodeInvalid, ""); len(got.body) == 0 {
			t.Errorf("%s: no body", body)
		}
		if _, _, f := got.fault(); f != field {
			t.Errorf("%s: field %q, want %q", body, f, field)
		}
	}
	mint(`{"name":"x","cameras":["cellar"]}`).fails(t, 404, bridge.CodeNotFound, `no camera "cellar"`)
	free := open(t, httpapi.Config{})
	free.ask("POST", "/api/v1/stream-tokens", `{"name":"x","cameras":["porch"]}`).fails(t, 409, bridge.CodeConflict, "nobody needs a token")
	free.ask("DELETE", "/api/v1/stream-tokens/x", "").fails(t, 409, bridge.CodeConflict, "nobody needs a token")
	if got := free.get("/api/v1/stream-tokens"); string(got.body) != "{\"items\":[]}\n" {
		t.Errorf("without tokens: %s %s", got.Status, got.body)
	}
}
