package plugintest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"image/jpeg"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/espcam-bridge/espcam-bridge/plugins/pluginpb"
	"github.com/espcam-bridge/espcam-bridge/plugins/sdk"
)

func good(t *testing.T) *pluginpb.Description {
	t.Helper()
	d, err := (&twin{}).Describe(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestJudge: each mistake in a description is named.
func TestJudge(t *testing.T) {
	if problems := judge(good(t)); len(problems) > 0 {
		t.Fatal(problems)
	}
	for want, spoil := range map[string]func(*pluginpb.Description){
		"the name":              func(d *pluginpb.Description) { d.Name = "No" },
		"no version":            func(d *pluginpb.Description) { d.Version = "" },
		"no summary":            func(d *pluginpb.Description) { d.Summary = "" },
		"its roles":             func(d *pluginpb.Description) { d.Roles = nil },
		"its roles are [ROLE_U": func(d *pluginpb.Description) { d.Roles[0] = 0 },
		"no permission":         func(d *pluginpb.Description) { d.Permissions = []string{"root"} },
		"two fields":            func(d *pluginpb.Description) { d.Fields[1].Name = "url" },
		"a name that is not":    func(d *pluginpb.Description) { d.Fields[0].Name = "URL" },
		"has no type":           func(d *pluginpb.Description) { d.Fields[0].Type = 0 },
		"has no help":           func(d *pluginpb.Description) { d.Fields[0].Help = "" },
		"looks like a":          func(d *pluginpb.Description) { d.Fields[1].Secret = false },
		"and not a string":      func(d *pluginpb.Description) { d.Fields[1].Type = pluginpb.FieldType_FIELD_TYPE_MAP },
		"a min above":           func(d *pluginpb.Description) { d.Fields[2].Min = 10 },
		"is no string":          func(d *pluginpb.Description) { d.Fields[2].Choices = []string{"3"} },
		"although it is":        func(d *pluginpb.Description) { d.Fields[2].Required = true },
		"not of its type":       func(d *pluginpb.Description) { d.Fields[2].DefaultJson = "1.5" },
		"not of its type ":      func(d *pluginpb.Description) { d.Fields[2].DefaultJson = "{" },
		"none of its": func(d *pluginpb.Description) {
			d.Fields[2] = &pluginpb.Field{Name: "a", Help: "a", Type: 1, Choices: []string{"x"}, DefaultJson: `"y"`}
		},
	} {
		d := proto.Clone(good(t)).(*pluginpb.Description)
		spoil(d)
		if got := strings.Join(judge(d), "; "); !strings.Contains(got, strings.TrimSpace(want)) {
			t.Errorf("%s: %q", want, got)
		}
	}
}

func TestJudgeDetection(t *testing.T) {
	for want, d := range map[string]*pluginpb.Detection{
		"":            {Label: "dog", Score: 1, Box: &pluginpb.Box{X: 0.3, Y: 0.3, W: 0.7, H: 0.7}},
		"no label":    {Score: 1, Box: &pluginpb.Box{W: 1, H: 1}},
		"not among":   {Label: "cat", Score: 1, Box: &pluginpb.Box{W: 1, H: 1}},
		"the score":   {Label: "dog", Score: 1.1, Box: &pluginpb.Box{W: 1, H: 1}},
		"the box":     {Label: "dog", Score: 1, Box: &pluginpb.Box{X: 0.5, W: 0.6, H: 1}},
		"not inside":  {Label: "dog", Score: 1, Box: &pluginpb.Box{X: -0.1, W: 0.6, H: 1}},
		"is not insi": {Label: "dog", Score: 1},
	} {
		if got := judgeDetection(d, []string{"dog"}); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
	if got := judgeDetection(&pluginpb.Detection{Label: "anything", Box: &pluginpb.Box{W: 1, H: 1}}, nil); got != "" {
		t.Error(got)
	}
}

func TestFill(t *testing.T) {
	d := &pluginpb.Description{Fields: []*pluginpb.Field{
		{Name: "optional", Type: pluginpb.FieldType_FIELD_TYPE_STRING},
		{Name: "text", Type: pluginpb.FieldType_FIELD_TYPE_STRING, Required: true, Example: "home"},
		{Name: "digits", Type: pluginpb.FieldType_FIELD_TYPE_STRING, Required: true, Example: "123"},
		{Name: "choice", Type: pluginpb.FieldType_FIELD_TYPE_STRING, Required: true, Choices: []string{"a", "b"}},
		{Name: "number", Type: pluginpb.FieldType_FIELD_TYPE_INTEGER, Required: true, Min: 2, Max: 3},
		{Name: "shown", Type: pluginpb.FieldType_FIELD_TYPE_NUMBER, Required: true, Example: "2.5"},
		{Name: "list", Type: pluginpb.FieldType_FIELD_TYPE_STRINGS, Required: true, Example: "one"},
		{Name: "map", Type: pluginpb.FieldType_FIELD_TYPE_MAP, Required: true, Example: `{"a":"b"}`},
		{Name: "span", Type: pluginpb.FieldType_FIELD_TYPE_DURATION, Required: true, Min: 60, Max: 120},
		{Name: "flag", Type: pluginpb.FieldType_FIELD_TYPE_BOOLEAN, Required: true},
		{Name: "given", Type: pluginpb.FieldType_FIELD_TYPE_STRING, Required: true},
		{Name: "key", Type: pluginpb.FieldType_FIELD_TYPE_STRING, Secret: true},
	}}
	settings, secrets := fill(d, Target{Settings: map[string]any{"given": "mine"}})
	text, err := json.Marshal(settings)
	const want = `{"choice":"a","digits":"123","flag":false,"given":"mine","list":["one"],"map":{"a":"b"},"number":2,"shown":2.5,"span":"1m0s","text":"home"}`
	if err != nil || string(text) != want {
		t.Errorf("%s %v", text, err)
	}
	if len(secrets["key"]) < 10 {
		t.Error(secrets)
	}
}

func TestURLs(t *testing.T) {
	d := &pluginpb.Description{Fields: []*pluginpb.Field{
		{Name: "url", Type: pluginpb.FieldType_FIELD_TYPE_STRING, Secret: true},
		{Name: "api_url", Type: pluginpb.FieldType_FIELD_TYPE_STRING},
		{Name: "server", Type: pluginpb.FieldType_FIELD_TYPE_STRING, DefaultJson: `"https://ntfy.sh"`},
		{Name: "door", Type: pluginpb.FieldType_FIELD_TYPE_STRING, Example: "http://example.org"},
		{Name: "curl", Type: pluginpb.FieldType_FIELD_TYPE_STRING},
		{Name: "urls", Type: pluginpb.FieldType_FIELD_TYPE_STRINGS},
	}}
	if got := urls(d, Target{}); len(got) != 4 || got["curl"] != "" {
		t.Error(got)
	}
	u := httpUpstream{Recorder: &Recorder{url: "http://127.0.0.1:9"}, lists: lists(d), urls: map[string]string{"url": "", "server": "", "urls": "json://{host}/x"}}
	settings, secrets := map[string]any{}, map[string]string{"url": "made up"}
	u.Fill(settings, secrets)
	list, _ := settings["urls"].([]string)
	if settings["server"] != u.url || len(list) != 1 || list[0] != "json://127.0.0.1:9/x" || len(secrets["url"]) < len(u.url)+10 {
		t.Error(settings, secrets)
	}
}

func post(ctx context.Context, url, body string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, errors.Join(err, resp.Body.Close())
}

func TestRecorder(t *testing.T) {
	r, err := NewRecorder(t.Context(), func(req *http.Request, body []byte) (int, string) { return http.StatusAccepted, "" })
	if err != nil {
		t.Fatal(err)
	}
	for answer, want := range map[Answer]int{AnswerOK: 202, AnswerBroken: 500, AnswerDenied: 401} {
		r.Answer(answer)
		if got, err := post(t.Context(), r.URL()+"/a?b=c+d", "body"); err != nil || got != want {
			t.Error(got, err)
		}
	}
	m := string(r.Messages()[0])
	if !strings.Contains(m, "POST /a?b=c+d") || !strings.Contains(m, "b=c d") || !strings.HasSuffix(m, "\n\nbody") {
		t.Errorf("%q", m)
	}
	r.Answer(AnswerSlow)
	done := make(chan int, 1)
	go func() {
		got, err := post(t.Context(), r.URL(), "slow")
		if err != nil {
			t.Error(err)
		}
		done <- got
	}()
	if err := arrivedSince(t.Context(), r, 3, []byte("slow")); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-done:
		t.Error("it answered", got)
	default:
	}
	r.Answer(AnswerOK)
	if got := <-done; got != 202 {
		t.Error(got)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for n, want := range map[int]string{2: "2 messages arrived, all without it", 3: "one message arrived, without it", 4: "nothing arrived"} {
		if err := arrivedSince(over, r, n, []byte("picture")); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func TestFakeHost(t *testing.T) {
	h := &FakeHost{}
	ctx := h.Context(t)
	host := sdk.Host(ctx)
	cameras, err := host.Cameras(ctx)
	if err != nil || len(cameras) != 1 || cameras[0].ID != CameraID {
		t.Error(cameras, err)
	}
	f, err := host.Snapshot(ctx, CameraID, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := jpeg.Decode(bytes.NewReader(f.JPEG)); err != nil || f.Sequence == 0 || f.Width != width {
		t.Error(err)
	}
	if _, err := host.Snapshot(ctx, "nowhere", 0); err == nil {
		t.Error("there is no such camera")
	}
	var last uint64
	for f, err := range host.Frames(ctx, sdk.FramesOptions{Camera: CameraID}) {
		if err != nil || f.Sequence <= last {
			t.Fatal(f.Sequence, err)
		}
		if last = f.Sequence; last > 3 {
			break
		}
	}
	if err := errors.Join(host.Publish(ctx, "note", []byte("x")), host.SetState(ctx, "state", "on"), host.Command(ctx, CameraID, "led", 5)); err != nil {
		t.Error(err)
	}
	if string(h.Published("note")) != "x" || h.State("state") != "on" || h.Commands()[0] != "porch led 5" || h.Asked("Frames") != 1 {
		t.Error(h.published, h.states, h.commands, h.asked)
	}
	h.Granted = []string{"snapshot"}
	if _, err := host.Snapshot(ctx, CameraID, 0); err != nil {
		t.Error(err)
	}
	if err := host.SetState(ctx, "state", "off"); !errors.Is(err, sdk.ErrDenied) || h.State("state") != "on" {
		t.Error(err)
	}
}

func TestPadded(t *testing.T) {
	p := Padded(Picture(1, width, height), 6<<20)
	if len(p) < 6<<20 || len(p) > 6<<20+70_000 {
		t.Error(len(p))
	}
	if _, err := jpeg.Decode(bytes.NewReader(p)); err != nil {
		t.Error(err)
	}
}

func TestWithin(t *testing.T) {
	script := filepath.Join(t.TempDir(), "espcam-plugin-x")
	if err := os.WriteFile(script, []byte("#!/usr/bin/env python3\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for want, command := range map[time.Duration][]string{5 * time.Second: {os.Args[0]}, 20 * time.Second: {"/usr/bin/python3.11", "main.py"}} {
		if got := (Target{}).within(command); got != want {
			t.Error(command, got)
		}
	}
	command, err := Target{Dir: filepath.Dir(script)}.command()
	if err != nil || (Target{}).within(command) != 20*time.Second {
		t.Error(command, err)
	}
}

func TestTierAndTable(t *testing.T) {
	result := func(failed int) []Result {
		var out []Result
		for _, p := range points() {
			r := Result{Point: p.number, Name: p.name, State: None}
			if p.number == failed {
				r.State, r.Detail = Fail, "for a reason"
			}
			out = append(out, r)
		}
		return out
	}
	for failed, want := range map[int]string{0: Silver, 1: "", 11: "", 12: Bronze, 22: Bronze} {
		if got := tier(result(failed)); got != want {
			t.Errorf("%d: %q", failed, got)
		}
	}
	r := Report{Plugin: "x", Version: "1", SDK: "go/1", Roles: []string{"sink"}, Points: result(7), Tier: Bronze}
	none := Report{Points: []Result{{Point: 1, Name: "handshake", State: Fail, Detail: "nothing; stderr: Traceback\n  File x\nNo module\n"}, {Point: 2, State: Left}, {Point: 3, State: Left}}}
	if table := none.Table(); table != "a plugin that did not say what it is\n 1  handshake  fail  nothing; stderr: Traceback\n\n1, further:\n      File x\n    No module\n\nthe other 2 were not tried\nno tier: a point of 1 to 11 failed\n" {
		t.Error(table)
	}
	if table := r.Table(); !r.Failed() || !strings.Contains(table, " 7  Check answers in time                     fail  for a reason\n") || !strings.HasSuffix(table, "tier: bronze\n") {
		t.Error(table)
	}
}
