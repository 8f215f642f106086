//go:build unix

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/plugins/sdk"
)

// journal is the log of the plugin.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}

// bench is a shell script and what it needs to run.
type bench struct {
	*settings
	ctx context.Context
	dir string
	log *journal
}

func newBench(t *testing.T, script string) *bench {
	t.Helper()
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("there is no bash here")
	}
	b := &bench{dir: t.TempDir(), log: &journal{}}
	path := filepath.Join(t.TempDir(), "script.sh")
	if err := os.WriteFile(path, []byte("#!/bin/bash\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
	b.settings = &settings{Command: []string{path, "first"}, Mode: "event", For: []string{"notify", "detect", "deliver"}, Timeout: 10 * time.Second, Secret: "tk_1"}
	b.ctx = sdk.NewContext(t.Context(), sdk.Environment{DataDir: b.dir, Log: slog.New(slog.NewJSONHandler(b.log, nil))})
	return b
}

// read returns a file that the script wrote.
func (b *bench) read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(b.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// pictures counts those that lie in the data directory.
func (b *bench) pictures(t *testing.T) int {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(b.dir, "picture-*"))
	if err != nil {
		t.Fatal(err)
	}
	return len(found)
}

func alert() sdk.Alert {
	return sdk.Alert{
		Event: sdk.Event{
			ID: "01jd8v3k9m2xq", Phase: sdk.PhaseBegin, Camera: sdk.Camera{ID: "porch", Name: "Front porch"}, JPEG: []byte("jpeg"),
			Labels: []sdk.Detection{{Label: "person"}, {Label: "dog"}}, Zones: []string{"door"}, Score: 0.5, Begin: time.Unix(1790000000, 0).UTC(),
		},
		Title: `Tür "auf"; rm -rf /`, Text: "A\nB $(id)", Priority: 4, URL: "http://bridge.local/", Attempt: 1, Handle: "h0",
	}
}

func picture() sdk.Picture {
	return sdk.Picture{Camera: "porch", Sequence: 7, JPEG: []byte("jpeg"), Width: 640, Height: 480}
}

func TestOneRunPerEvent(t *testing.T) {
	b := newBench(t, `
echo "$@" > args
printf '%s|' "$ESPCAM_KIND" "$ESPCAM_EVENT" "$ESPCAM_PHASE" "$ESPCAM_CAMERA" "$ESPCAM_CAMERA_NAME" "$ESPCAM_TITLE" "$ESPCAM_TEXT" "$ESPCAM_PRIORITY" "$ESPCAM_URL" "$ESPCAM_LABELS" "$ESPCAM_ZONES" "$ESPCAM_SCORE" "$ESPCAM_BEGIN" "$ESPCAM_HANDLE" "$ROOM" > variables
cat "$ESPCAM_PICTURE" > picture
cat > stdin
echo "hello log"; echo "an error" >&2
echo '{"handle":"h1","message":"sent"}'
`)
	b.Environment = map[string]string{"ROOM": "hall"}
	r, err := notify(b.ctx, b.settings, alert())
	if err != nil || r != (sdk.Receipt{Handle: "h1", Message: "sent"}) {
		t.Fatal(r, err, b.log)
	}
	if args := strings.Fields(b.read(t, "args")); len(args) != 4 || args[0] != "first" || args[1] != "notify" || args[2] != "porch" || !strings.HasPrefix(args[3], b.dir+"/picture-") {
		t.Errorf("arguments %q", args)
	}
	want := `notify|01jd8v3k9m2xq|begin|porch|Front porch|Tür "auf"; rm -rf /|A` + "\n" + `B $(id)|4|http://bridge.local/|person dog|door|0.50|2026-09-21T14:13:20Z|h0|hall|`
	if got := b.read(t, "variables"); got != want {
		t.Errorf("variables %q\nwant      %q", got, want)
	}
	if b.read(t, "picture") != "jpeg" || !strings.Contains(b.read(t, "stdin"), `"secret":"tk_1"`) {
		t.Errorf("picture %q, stdin %q", b.read(t, "picture"), b.read(t, "stdin"))
	}
	if n := b.pictures(t); n != 0 {
		t.Errorf("%d pictures stay", n)
	}
	for _, line := range []string{"hello log", "an error"} {
		if !strings.Contains(b.log.String(), line) {
			t.Errorf("%q is not in the log:\n%s", line, b.log)
		}
	}
}

// readme returns the block of the README that begins so.
func readme(t *testing.T, first string) string {
	t.Helper()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, found := strings.Cut(string(text), "\n    "+first)
	if !found {
		t.Fatalf("the README has no %q", first)
	}
	block, _, _ = strings.Cut(first+block, "\n\n")
	return strings.ReplaceAll(block, "\n    ", "\n")
}

// The README's notifier sends all of it, whatever the texts are.
func TestReadmeExampleInBash(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed")
	}
	var forms []map[string][]string
	var pictures []string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		file, _, err := r.FormFile("attachment")
		if err == nil {
			content, err := io.ReadAll(file)
			if err != nil {
				t.Error(err)
			}
			pictures = append(pictures, string(content))
		}
		forms = append(forms, r.Form)
	}))
	t.Cleanup(server.Close)
	b := newBench(t, strings.ReplaceAll(readme(t, "#!/bin/bash"), "https://api.pushover.net", server.URL))
	a := alert()
	a.Text = "@/etc/passwd\n;type=x"
	if _, err := notify(b.ctx, b.settings, a); err != nil {
		t.Fatal(err, b.log)
	}
	a.JPEG = nil
	if _, err := notify(b.ctx, b.settings, a); err != nil {
		t.Fatal(err, b.log)
	}
	for _, f := range forms {
		if f["title"][0] != a.Title || f["message"][0] != a.Text || f["token"][0] != "APP_TOKEN" {
			t.Errorf("form %q", f)
		}
	}
	if len(forms) != 2 || len(pictures) != 1 || pictures[0] != "jpeg" {
		t.Errorf("%d forms, pictures %q", len(forms), pictures)
	}
}

func TestReadmeExampleInPython(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("there is no Python here")
	}
	b := newBench(t, "")
	b.Command = []string{python, "-c", readme(t, "import json, sys")}
	b.Mode, b.Reply = "lines", true
	t.Cleanup(b.lines.end)
	for range 2 {
		if r, err := notify(b.ctx, b.settings, alert()); err != nil || r.Message != "printed" {
			t.Fatal(r, err, b.log)
		}
	}
}

func TestExitCodes(t *testing.T) {
	for script, final := range map[string]bool{"exit 1": false, "exit 77": true, `echo '{"reject":"no such chat"}'`: true, `echo '{"retry":1.5}'`: false, "kill -9 $$": false} {
		b := newBench(t, script)
		_, err := notify(b.ctx, b.settings, alert())
		if _, rejected := errors.AsType[*sdk.RejectError](err); err == nil || rejected != final {
			t.Errorf("%s: %v", script, err)
		}
		if again, ok := errors.AsType[*sdk.RetryError](err); strings.Contains(script, "retry") && (!ok || again.After != 1500*time.Millisecond) {
			t.Errorf("%s: %#v", script, err)
		}
	}
}

func TestDetections(t *testing.T) {
	answer := `echo '{"detections":[{"label":"cat","score":0.8,"box":{"x":0.1,"y":0.2,"w":0.3,"h":0.4}}]}'`
	want := []sdk.Detection{{Label: "cat", Score: 0.8, Box: sdk.Box{X: 0.1, Y: 0.2, W: 0.3, H: 0.4}}}
	for mode, script := range map[string]string{"event": `[ "$ESPCAM_KIND" = detect ] && ` + answer, "lines": "while read -r line; do " + answer + "; done"} {
		b := newBench(t, script)
		b.Mode, b.Reply = mode, true
		if found, err := detect(b.ctx, b.settings, picture()); err != nil || !reflect.DeepEqual(found, want) {
			t.Errorf("%s: %+v, %v\n%s", mode, found, err, b.log)
		}
		b.lines.end()
	}
	b := newBench(t, `echo '{"busy":true}'`)
	if _, err := detect(b.ctx, b.settings, picture()); !errors.Is(err, sdk.ErrBusy) {
		t.Error(err)
	}
	b.For = []string{"notify"}
	if found, err := detect(b.ctx, b.settings, picture()); err != nil || found != nil {
		t.Error("it was not asked for this", found, err)
	}
}

// gone waits until no process has that id.
func gone(t *testing.T, pid string) {
	t.Helper()
	n, err := strconv.Atoi(strings.TrimSpace(pid))
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.After(5 * time.Second)
	for tick := time.Tick(5 * time.Millisecond); ; {
		if err := syscall.Kill(n, 0); errors.Is(err, syscall.ESRCH) || zombie(n) {
			return
		}
		select {
		case <-tick:
		case <-deadline:
			t.Fatalf("process %d still runs", n)
		}
	}
}

// zombie: it has ended, and who should take note of that (init) has not yet.
func zombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && strings.Contains(string(stat), ") Z ")
}

func TestTimeLimitKillsTheGroup(t *testing.T) {
	b := newBench(t, "sleep 1000 & echo $! > child; wait")
	b.Timeout = 1500 * time.Millisecond
	_, err := notify(b.ctx, b.settings, alert())
	if err == nil || err.Error() != "the program did not end within 1.5s and was killed" {
		t.Error(err)
	}
	gone(t, b.read(t, "child"))
	if n := b.pictures(t); n != 0 {
		t.Errorf("%d pictures stay", n)
	}
}

func TestWhatAScriptLeavesBehindIsEnded(t *testing.T) {
	b := newBench(t, "sleep 1000 >/dev/null 2>&1 & echo $! > child")
	if _, err := notify(b.ctx, b.settings, alert()); err != nil {
		t.Fatal(err)
	}
	gone(t, b.read(t, "child"))
}

func TestProgramThatStays(t *testing.T) {
	b := newBench(t, `
echo $$ >> pids
while read -r line; do
  echo "$line" >> got
  case $line in *die*) exit 3;; *hang*) sleep 1000;; esac
  echo "log me"
  echo '{"handle":"h2"}'
done`)
	b.Mode, b.Reply = "lines", true
	a := alert()
	for range 3 {
		if r, err := notify(b.ctx, b.settings, a); err != nil || r.Handle != "h2" {
			t.Fatal(r, err, b.log)
		}
	}
	if err := deliver(b.ctx, b.settings, a.Event); err != nil {
		t.Fatal(err)
	}
	if lines, pids := strings.Count(b.read(t, "got"), "\n"), strings.Count(b.read(t, "pids"), "\n"); lines != 4 || pids != 1 {
		t.Errorf("%d lines to %d processes", lines, pids)
	}
	a.Text = "die"
	if _, err := notify(b.ctx, b.settings, a); err == nil || err.Error() != "the program ended instead of an answer" {
		t.Error(err)
	}
	a.Text, b.Timeout = "hang", 1500*time.Millisecond
	if _, err := notify(b.ctx, b.settings, a); err == nil || err.Error() != "the program did not answer within 1.5s and was killed" {
		t.Error(err)
	}
	a.Text, b.Timeout = "go on", 10*time.Second
	if _, err := notify(b.ctx, b.settings, a); err != nil {
		t.Error(err)
	}
	pids := strings.Fields(b.read(t, "pids"))
	if len(pids) != 3 || b.pictures(t) != 0 {
		t.Errorf("processes %v, %d pictures", pids, b.pictures(t))
	}
	b.lines.end()
	for _, pid := range pids {
		gone(t, pid)
	}
	if _, err := notify(b.ctx, b.settings, a); err == nil {
		t.Error("the settings have ended")
	}
}

// Without replies the program is told and no more; its pictures stay a while.
func TestLinesWithoutReply(t *testing.T) {
	b := newBench(t, `while read -r line; do echo "$line" >> got; done; echo bye > bye`)
	b.Mode = "lines"
	for range maxKept + 5 {
		if _, err := notify(b.ctx, b.settings, alert()); err != nil {
			t.Fatal(err)
		}
	}
	if n := b.pictures(t); n != maxKept {
		t.Errorf("%d pictures are there, not %d", n, maxKept)
	}
	b.lines.end() // which lets it read to the end
	if n := strings.Count(b.read(t, "got"), "\n"); n != maxKept+5 || b.read(t, "bye") != "bye\n" || b.pictures(t) != 0 {
		t.Errorf("%d lines, %d pictures", n, b.pictures(t))
	}
}

// A program that reads nothing is not waited for.
func TestProgramThatDoesNotRead(t *testing.T) {
	b := newBench(t, "sleep 1000")
	b.Mode, b.Timeout = "lines", 300*time.Millisecond
	a := alert()
	a.Text = strings.Repeat("x", 200_000) // more than a pipe holds
	if _, err := notify(b.ctx, b.settings, a); err == nil {
		t.Error("who took it?")
	}
}

func TestSettings(t *testing.T) {
	b := newBench(t, "")
	if err := validate(b.ctx, b.settings); err != nil {
		t.Error(err)
	}
	for _, s := range []*settings{
		{Command: []string{"/nonexistent"}, Mode: "event"},
		{Command: b.Command, Mode: "event", For: []string{"notfy"}},
		{Command: b.Command, Mode: "lines", For: []string{"detect"}},
	} {
		if err := validate(b.ctx, s); err == nil {
			t.Errorf("%v %v is taken", s.Command, s.For)
		}
	}
	b.For = nil
	if _, err := notify(b.ctx, b.settings, alert()); err == nil {
		t.Error("it is not for alerts")
	}
}
