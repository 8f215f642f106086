package python_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/espcam-bridge/espcam-bridge/plugins/pluginpb"
)

// What an author's functions are handed, and what becomes of what they return.

func TestDescribe(t *testing.T) {
	d := start(t, "testdata/all.py")
	got, err := d.Describe(t.Context(), &pluginpb.DescribeRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if again, err := d.Describe(t.Context(), &pluginpb.DescribeRequest{}); err != nil || !proto.Equal(got, again) {
		t.Errorf("then: %v, %v", again, err)
	}
	want := &pluginpb.Description{
		Name: "all", Version: "0.1.0", Sdk: "python/1.0.0", Summary: "Does what its test says.",
		Roles:       []pluginpb.Role{pluginpb.Role_ROLE_NOTIFIER, pluginpb.Role_ROLE_DETECTOR, pluginpb.Role_ROLE_SINK},
		Permissions: []string{"snapshot", "publish"},
		Detector:    &pluginpb.DetectorNeeds{MaxFps: 2, MaxWidth: 320, Labels: []string{"person", "cat"}, Stateful: true},
		Notifier:    &pluginpb.NotifierTraits{WantsPicture: true, CanEdit: true, MaxPictureBytes: 1000},
		Fields: []*pluginpb.Field{
			{Name: "topic", Type: pluginpb.FieldType_FIELD_TYPE_STRING, Required: true, Help: "Where to.", Example: "garden"},
			{Name: "token", Type: pluginpb.FieldType_FIELD_TYPE_STRING, Secret: true, Help: "Its password."},
			{Name: "level", Type: pluginpb.FieldType_FIELD_TYPE_INTEGER, DefaultJson: "3", Min: 1, Max: 5},
			{Name: "mode", Type: pluginpb.FieldType_FIELD_TYPE_STRING, DefaultJson: `"plain"`, Choices: []string{"plain", "loud"}},
			{Name: "tags", Type: pluginpb.FieldType_FIELD_TYPE_STRINGS},
			{Name: "headers", Type: pluginpb.FieldType_FIELD_TYPE_MAP},
			{Name: "wait", Type: pluginpb.FieldType_FIELD_TYPE_DURATION, DefaultJson: `"1m30s"`},
			{Name: "loud", Type: pluginpb.FieldType_FIELD_TYPE_BOOLEAN, DefaultJson: "false"},
			{Name: "scale", Type: pluginpb.FieldType_FIELD_TYPE_NUMBER, DefaultJson: "0.5"},
			{Name: "command", Type: pluginpb.FieldType_FIELD_TYPE_STRING, FileOnly: true},
		},
	}
	if !proto.Equal(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
}

func TestSettings(t *testing.T) {
	d := start(t, "testdata/all.py")
	for settings, want := range map[string]string{
		`{}`:                              "topic is required, such as garden",
		`{"topic":""}`:                    "topic is required, such as garden",
		`{"topic":3}`:                     "topic must be a text, such as garden",
		`{"topic":"a","topci":"b"}`:       `topci is not a setting of this plugin; did you mean "topic"?`,
		`{"topic":"a","xyzxyz":1}`:        "xyzxyz is not a setting of this plugin",
		`{"topic":"a","token":"x"}`:       "token is a secret and must come as one",
		`{"topic":"a","level":9}`:         "level must be between 1 and 5",
		`{"topic":"a","level":1.5}`:       "level must be a whole number",
		`{"topic":"a","level":true}`:      "level must be a number",
		`{"topic":"a","mode":"load"}`:     `mode must be one of plain, loud; did you mean "loud"?`,
		`{"topic":"a","tags":"x"}`:        "tags must be a list of texts",
		`{"topic":"a","headers":{"a":1}}`: "headers must be texts by name",
		`{"topic":"a","wait":"1 hour"}`:   "wait must be a duration like 30s or 1h30m",
		`{"topic":"a","loud":"yes"}`:      "loud must be true or false",
		`{"topic":"a","scale":"big"}`:     "scale must be a number",
		`{"topic":"refused"}`:             "topic this topic is taken; choose another",
		`[1]`:                             " the settings are no JSON object",
	} {
		problems := d.configure(settings, 0)
		if len(problems) != 1 || problems[0].GetField()+" "+problems[0].GetMessage() != want {
			t.Errorf("%s: %v, want %q", settings, problems, want)
		}
	}
	if _, err := d.Notify(t.Context(), &pluginpb.Alert{Title: "again"}); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("Notify before it is configured: %v", err)
	}
	if got, err := d.Check(t.Context(), &pluginpb.CheckRequest{}); err != nil || !got.GetDegraded() {
		t.Errorf("Check before it is configured: %v, %v", got, err)
	}
	settings := `{"topic":"a","tags":["x"],"headers":{"k":"v"},"wait":"1h2s","level":null}`
	if problems := d.configure(settings, 0); len(problems) > 0 {
		t.Fatal(problems)
	}
	if _, err := d.Notify(t.Context(), &pluginpb.Alert{Title: "config"}); err != nil {
		t.Fatal(err)
	}
	want := `settings: [('command', ''), ('headers', {'k': 'v'}), ('level', 3), ('loud', False), ('mode', 'plain'), ('scale', 0.5), ('tags', ['x']), ('token', '***'), ('topic', 'a'), ('wait', 3602.0)] pond ['door']`
	d.await(want, func() bool { return strings.Contains(d.stderr.String(), want+"\n") })
}

func TestCheck(t *testing.T) {
	d := ready(t)
	if got, err := d.Check(t.Context(), &pluginpb.CheckRequest{}); err != nil || got.GetDegraded() {
		t.Errorf("%v, %v", got, err)
	}
	d.configure(`{"topic":"garden","mode":"loud"}`, 0)
	if got, err := d.Check(t.Context(), &pluginpb.CheckRequest{}); err != nil || got.GetMessage() != "the mast leans" || !got.GetDegraded() {
		t.Errorf("%v, %v", got, err)
	}
}

func TestNotify(t *testing.T) {
	d := ready(t)
	for title, want := range map[string]*pluginpb.Receipt{
		"again":  {Outcome: pluginpb.Outcome_OUTCOME_DELIVERED, Handle: "edited 17"},
		"config": {Outcome: pluginpb.Outcome_OUTCOME_DELIVERED},
		"retry":  {Outcome: pluginpb.Outcome_OUTCOME_RETRY, RetryAfterMs: 7000, Message: "the server sleeps"},
		"reject": {Outcome: pluginpb.Outcome_OUTCOME_REJECTED, Message: "the token *** is wrong"},
	} {
		got, err := d.Notify(t.Context(), &pluginpb.Alert{Title: title, Handle: "17"})
		if err != nil || !proto.Equal(got, want) {
			t.Errorf("%s: %v, %v; want %v", title, got, err, want)
		}
	}
}

// TestExceptions: an author's exception is the end of that call only.
func TestExceptions(t *testing.T) {
	d := ready(t)
	for title, want := range map[string]string{"boom": "RuntimeError: no such luck: ***", "leave": "SystemExit: 3"} {
		_, err := d.Notify(t.Context(), &pluginpb.Alert{Title: title})
		if status.Code(err) != codes.Unknown || status.Convert(err).Message() != want {
			t.Errorf("%s: %v, want %s", title, err, want)
		}
	}
	log := d.stderr.String()
	if !strings.Contains(log, "Traceback (most recent call last):\n") || !strings.Contains(log, "\nRuntimeError: no such luck: ***\n") {
		t.Errorf("no traceback in %s", log)
	}
	if _, err := d.Notify(t.Context(), &pluginpb.Alert{Title: "again"}); err != nil {
		t.Error(err)
	}
}

func TestLog(t *testing.T) {
	d := ready(t)
	if _, err := d.Notify(t.Context(), &pluginpb.Alert{Title: "leak"}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"half a line of *** and the rest\n", `{"level": "warn", "msg": "token ***"}` + "\n", "from a child\n", "from another\n",
	} {
		d.await(want, func() bool { return strings.Contains(d.stderr.String(), want) })
	}
	if strings.Contains(d.stderr.String(), "quiet") {
		t.Error("debug is logged without being asked for")
	}
	if d.stdout.String() != d.first {
		t.Errorf("more than the handshake on stdout: %q", d.stdout.String())
	}
}

// TestBigMessages: pictures of 8 MiB, beyond gRPC's 4 MiB.
func TestBigMessages(t *testing.T) {
	d := ready(t)
	alert := &pluginpb.Alert{Title: "again", Event: &pluginpb.Event{Jpeg: make([]byte, 8<<20)}}
	if _, err := d.Notify(t.Context(), alert); err != nil {
		t.Error(err)
	}
}

func TestDetect(t *testing.T) {
	d := ready(t)
	got, err := d.Detect(t.Context(), &pluginpb.DetectRequest{Camera: "door"})
	want := &pluginpb.DetectResponse{Detections: []*pluginpb.Detection{
		{Label: "person", Score: 1, Box: &pluginpb.Box{X: 0, Y: 0.25, W: 0.5, H: 0.75}, TrackId: "7"},
	}}
	if err != nil || !proto.Equal(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	if got, err := d.Detect(t.Context(), &pluginpb.DetectRequest{Camera: "busy"}); err != nil || !got.GetBusy() {
		t.Errorf("Busy: %v, %v", got, err)
	}
	if got, err := d.Detect(t.Context(), &pluginpb.DetectRequest{Camera: "dog"}); err != nil || len(got.GetDetections()) > 0 {
		t.Errorf("a label that was not declared: %v, %v", got, err)
	}
	if _, err := d.Detect(t.Context(), &pluginpb.DetectRequest{Camera: "nan"}); status.Code(err) != codes.Unknown {
		t.Errorf("a score that is none: %v", err)
	}
}

// TestDetectOverlap: one picture of a camera at a time, also when the caller of
// the first does not wait any more.
func TestDetectOverlap(t *testing.T) {
	d := ready(t)
	gate := filepath.Join(d.data, "gate")
	request := &pluginpb.DetectRequest{Camera: "slow", Jpeg: []byte(gate)}
	first := make(chan error, 1)
	go func() {
		_, err := d.Detect(t.Context(), request)
		first <- err
	}()
	d.await("call", func() bool { return strings.Contains(d.stderr.String(), "waiting") })
	if got, err := d.Detect(t.Context(), request); err != nil || !got.GetBusy() {
		t.Errorf("beside it: %v, %v", got, err)
	}
	if got, err := d.Detect(t.Context(), &pluginpb.DetectRequest{Camera: "door"}); err != nil || got.GetBusy() {
		t.Errorf("another camera: %v, %v", got, err)
	}
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := <-first; err != nil {
		t.Error(err)
	}
	if got, err := d.Detect(t.Context(), request); err != nil || got.GetBusy() {
		t.Errorf("after it: %v, %v", got, err)
	}
}

func TestDeliver(t *testing.T) {
	d := ready(t)
	deliver := func(first uint64, ids ...string) (uint64, error) {
		request := &pluginpb.DeliverRequest{}
		for i, id := range ids {
			request.Events = append(request.Events, &pluginpb.SinkEvent{Sequence: first + uint64(i), Event: &pluginpb.Event{Id: id}})
		}
		answer, err := d.Deliver(t.Context(), request)
		return answer.GetAcked(), err
	}
	for _, step := range []struct {
		first uint64
		ids   []string
		acked uint64
		fails bool
	}{
		{1, []string{"a", "odd", "b", "bad", "c"}, 3, false}, // one that is refused is done with, one that fails is not
		{4, []string{"bad", "c"}, 0, true},
		{3, []string{"b", "d", "e"}, 5, false}, // b came before
	} {
		acked, err := deliver(step.first, step.ids...)
		if acked != step.acked || (err != nil) != step.fails {
			t.Errorf("%v: acked %d, %v", step, acked, err)
		}
	}
	got, err := os.ReadFile(filepath.Join(d.data, "events"))
	if err != nil || string(got) != "a\nb\nd\ne\n" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestHTTP(t *testing.T) {
	requests := make(chan *http.Request, 20)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests <- r
		switch r.URL.Path {
		case "/later":
			w.Header().Set("Retry-After", "9")
			http.Error(w, "slow down "+secret+"\nplease", http.StatusTooManyRequests)
		case "/down":
			http.Error(w, "", http.StatusBadGateway)
		case "/wrong":
			http.Error(w, "no such token", http.StatusUnauthorized)
		case "/moved":
			http.Redirect(w, r, "http://127.0.0.2:9/"+secret, http.StatusFound)
		case "/cut":
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("and")) // the rest never comes
		case "/near":
			http.Redirect(w, r, "/ok", http.StatusFound)
		case "/ok":
			_, _ = w.Write([]byte("thanks")) // a test's answer
		}
	}))
	defer server.Close()
	closed := httptest.NewServer(nil)
	closed.Close()
	d := ready(t)
	host := strings.TrimPrefix(server.URL, "http://")
	for path, want := range map[string]*pluginpb.Receipt{
		"/ok?key=" + url.QueryEscape(secret): {Outcome: pluginpb.Outcome_OUTCOME_DELIVERED, Handle: "thanks"},
		"/later":                             {Outcome: pluginpb.Outcome_OUTCOME_RETRY, RetryAfterMs: 9000, Message: "POST http://HOST: 429 Too Many Requests: slow down ***"},
		"/down":                              {Outcome: pluginpb.Outcome_OUTCOME_RETRY, Message: "POST http://HOST: 502 Bad Gateway"},
		"/wrong":                             {Outcome: pluginpb.Outcome_OUTCOME_REJECTED, Message: "POST http://HOST: 401 Unauthorized: no such token"},
		"/moved":                             {Outcome: pluginpb.Outcome_OUTCOME_REJECTED, Message: "POST http://HOST: 302 Found"},
	} {
		want.Message = strings.ReplaceAll(want.GetMessage(), "HOST", host)
		got, err := d.Notify(t.Context(), &pluginpb.Alert{Title: "http", Text: "hi", Url: server.URL + path})
		if err != nil || !proto.Equal(got, want) {
			t.Errorf("%s: %v, %v; want %v", path, got, err, want)
		}
		r := <-requests
		if r.Header.Get("Title") != "Gärten X: y" || r.Header.Get("Content-Type") != "application/json" || len(r.Header.Values("Empty")) > 0 {
			t.Errorf("headers %v", r.Header)
		}
	}
	for address, want := range map[string]pluginpb.Outcome{
		closed.URL:            pluginpb.Outcome_OUTCOME_RETRY,
		"ftp://127.0.0.1/x":   pluginpb.Outcome_OUTCOME_REJECTED,
		"nowhere":             pluginpb.Outcome_OUTCOME_REJECTED,
		"http://[::1/" + "x":  pluginpb.Outcome_OUTCOME_REJECTED,
		server.URL + "/moved": pluginpb.Outcome_OUTCOME_REJECTED,
		server.URL + "/cut":   pluginpb.Outcome_OUTCOME_RETRY,
		server.URL + "/near":  pluginpb.Outcome_OUTCOME_DELIVERED,
	} {
		got, err := d.Notify(t.Context(), &pluginpb.Alert{Title: "fetch", Url: address})
		if err != nil || got.GetOutcome() != want {
			t.Errorf("%s: %v, %v; want %v", address, got, err, want)
		}
	}
	for address, want := range map[string]string{server.URL + "/wrong": "401", server.URL + "/down": "502", closed.URL: "0"} {
		got, err := d.Notify(t.Context(), &pluginpb.Alert{Title: "status", Url: address})
		if err != nil || got.GetHandle() != want {
			t.Errorf("the status of %s: %v, %v; want %s", address, got, err, want)
		}
	}
	if log := d.stderr.String(); strings.Contains(log, "s3cret") {
		t.Error("the secret is in the log:", log)
	}
}

// TestCancelled: a call whose caller has gone does not hold up others, and the
// request that it made ends with the call's time.
func TestCancelled(t *testing.T) {
	gone := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		defer close(gone)
		if _, err := io.Copy(io.Discard, r.Body); err == nil {
			<-r.Context().Done()
		}
	}))
	defer server.Close()
	d := ready(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := d.Notify(ctx, &pluginpb.Alert{Title: "http", Url: server.URL}); status.Code(err) != codes.DeadlineExceeded {
		t.Error(err)
	}
	select {
	case <-gone:
	case <-time.After(3 * time.Second):
		t.Error("its request goes on")
	}
	if _, err := d.Notify(t.Context(), &pluginpb.Alert{Title: "again"}); err != nil {
		t.Error(err)
	}
}
