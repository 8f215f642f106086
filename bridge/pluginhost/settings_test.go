//go:build linux

package pluginhost

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/pluginhost/folder"
)

func (r *rig) set(text string) error {
	ctx, cancel := context.WithTimeout(r.t.Context(), 20*time.Second)
	defer cancel()
	return r.Set(ctx, "phone", json.RawMessage(text))
}

func TestSettingsOfThePage(t *testing.T) {
	r := newRig(t)
	r.install("roles=notifier")
	phone := Instance{Name: "phone", Settings: map[string]any{"topic": "cats", "token": "s3cret-token"}}
	r.add(phone)
	r.start()
	r.reaches(bridge.PluginReady)
	tests := []struct {
		set, code, want string
	}{
		{`{"topic":"dogs"}`, "", ""},
		{`[]`, "invalid", "must be a JSON object"},
		{`{"topik":"x"}`, "invalid", "did you mean topic?"},
		{`{"priority":9}`, "invalid", "must be a whole number from 1 to 5"},
		{`{"path":"/bin/sh"}`, "conflict", "can only be set in the bridge's own file"},
		{`{"topic":"forbidden"}`, "invalid", `topic: is forbidden: choose another; the token is [redacted]`},
		{`{"priority":4,"token":"an0ther"}`, "", ""},
	}
	for _, tt := range tests {
		err := r.set(tt.set)
		if string(bridge.CodeOf(err)) != tt.code || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.set, err)
		}
	}
	if got := string(r.plugin("phone").Settings); got != `{"priority":4,"topic":"dogs"}` || r.file("configured") != "dogsan0ther" || r.starts() != 1 {
		t.Errorf("in force are %s, in the plugin %s after %d starts", got, r.file("configured"), r.starts())
	}
	if err := r.set(`{"token":null}`); err != nil || r.file("configured") != "dogss3cret-token" {
		t.Errorf("taken back: %v, in the plugin %s", err, r.file("configured"))
	}
	if err := r.set(`{"topic":"anew"}`); err != nil {
		t.Error(err)
	}
	r.until("the restart that the plugin asked for", func() bool { return r.starts() == 2 && r.plugin("phone").State == bridge.PluginReady })

	// They hold over a restart of the bridge, until the file changes.
	r.stop()
	r.start()
	r.reaches(bridge.PluginReady)
	if r.file("configured") != "anews3cret-token" {
		t.Errorf("after a restart the plugin has %s", r.file("configured"))
	}
	r.stop()
	r.cfg.Instances[0].Settings = map[string]any{"topic": "birds", "token": "s3cret-token"}
	r.start()
	r.until("the value of the file", func() bool { return r.file("configured") == "birdss3cret-token" })
}

// TestTheFormOfWhatNeverRan: what a plugin said when it was installed is enough to
// show and to take settings.
func TestTheFormOfWhatNeverRan(t *testing.T) {
	r := newRig(t)
	r.write("roles=notifier")
	f := folder.Open(filepath.Join(r.dir, "evil"))
	f.Manifest.Summary, f.Manifest.Fields = "Is evil.", folder.Declared{{Name: "topic", Type: "string", Help: "Where to."}}
	if err := f.Manifest.Write(f.Path); err != nil {
		t.Fatal(err)
	}
	if _, err := folder.Accept(r.dir, f, "1.2.0", nil, time.Now()); err != nil {
		t.Fatal(err)
	}
	r.add(Instance{Name: "phone"})
	r.cfg.Instances[0].Enabled = false
	r.start()
	p := r.plugin("phone")
	if len(p.Fields) != 1 || p.Fields[0].Help != "Where to." || p.Version != "1.2.0" || p.Summary != "Is evil." {
		t.Errorf("%+v", p)
	}
	if err := r.set(`{"tpic":"anew"}`); bridge.CodeOf(err) != bridge.CodeInvalid || !strings.Contains(err.Error(), "did you mean topic?") {
		t.Errorf("a misspelled setting: %v", err)
	}
	if err := r.set(`{"topic":"anew"}`); err != nil || r.starts() != 0 {
		t.Errorf("%v after %d starts", err, r.starts())
	}
}

func TestAnInstanceIsSwitchedOffAndOn(t *testing.T) {
	r := newRig(t)
	r.install("roles=notifier")
	r.start()
	r.reaches(bridge.PluginReady)
	if err := r.Enable("phone", false); err != nil {
		t.Fatal(err)
	}
	r.reaches(bridge.PluginDisabled)
	if err := r.Restart("phone"); bridge.CodeOf(err) != bridge.CodeUnavailable {
		t.Errorf("a restart of what is off: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := r.Await(ctx, "phone"); bridge.CodeOf(err) != bridge.CodeUnavailable || !strings.Contains(err.Error(), "plugin phone is disabled") {
		t.Errorf("awaited: %v", err)
	}
	r.stop()
	r.start()
	if err := r.Enable("phone", true); err != nil {
		t.Fatal(err)
	}
	r.reaches(bridge.PluginReady)
	if n := r.starts(); n != 2 {
		t.Errorf("it was started %d times", n)
	}
	if err := r.Enable("x", true); bridge.CodeOf(err) != bridge.CodeNotFound {
		t.Errorf("another instance: %v", err)
	}
}

func TestBadSettingsWaitForOthers(t *testing.T) {
	r := newRig(t)
	r.install("roles=notifier")
	r.add(Instance{Name: "phone", Settings: map[string]any{"topik": "cats", "priority": "high", "token": "s3cret-token"}, Source: "bridge.yaml:7"})
	r.start()
	p := r.reaches(bridge.PluginBadConfig)
	for _, want := range []string{`settings of plugin "phone" (bridge.yaml:7): `, "did you mean topic?", "priority: must be a whole number from 1 to 5"} {
		if !strings.Contains(p.Problem, want) {
			t.Errorf("the problem is %q, want %q", p.Problem, want)
		}
	}
	r.stop()
	r.cfg.Instances[0].Settings = map[string]any{"topic": "forbidden", "token": "s3cret-token"}
	r.start()
	if p := r.reaches(bridge.PluginBadConfig); !strings.Contains(p.Problem, "topic: is forbidden: choose another; the token is [redacted]") || !p.Next.IsZero() || len(p.Fields) != 4 {
		t.Errorf("it is shown as %+v", p)
	}
	n := r.starts()
	if err := r.set(`{"topic":"good"}`); err != nil {
		t.Fatal(err)
	}
	r.reaches(bridge.PluginReady)
	if got := r.starts(); got != n+1 {
		t.Errorf("it was started %d times, want %d: it must not try again by itself", got, n+1)
	}
	if s := r.Stats()[0]; s.Exits != 0 {
		t.Errorf("%d exits are counted", s.Exits)
	}
}

func TestOnlyAcceptedFilesRun(t *testing.T) {
	r := newRig(t)
	r.start()
	if p := r.reaches(bridge.PluginMissing); !strings.Contains(p.Problem, `no plugin "evil" is installed in `+r.dir+": install it with `espcam-bridge plugin install PATH`") {
		t.Errorf("missing: %s", p.Problem)
	}
	r.write("roles=notifier")
	if p := r.reaches(bridge.PluginUntrusted); !strings.Contains(p.Problem, "its files were never accepted") || !strings.Contains(p.Problem, "espcam-bridge plugin install "+r.dir+"/evil") {
		t.Errorf("new: %s", p.Problem)
	}
	if r.starts() != 0 {
		t.Fatal("it was run before it was accepted")
	}
	r.install("roles=notifier")
	r.reaches(bridge.PluginReady)
	if err := os.WriteFile(filepath.Join(r.dir, "evil", "more.py"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.Restart("phone"); err != nil {
		t.Fatal(err)
	}
	if p := r.reaches(bridge.PluginUntrusted); !strings.Contains(p.Problem, "more.py is new") {
		t.Errorf("changed: %s", p.Problem)
	}
	if _, err := r.tell("hello"); bridge.CodeOf(err) != bridge.CodeUnavailable {
		t.Errorf("untrusted it works: %v", err)
	}
}

func TestInDevelopmentAChangeIsTakenWithoutAPause(t *testing.T) {
	r := newRig(t)
	r.write("roles=notifier", "permissions=snapshot")
	r.add(Instance{Name: "phone", Dev: true})
	r.start()
	p := r.reaches(bridge.PluginReady)
	if !p.Dev || len(p.Permissions) != 1 {
		t.Errorf("it is shown as %+v", p)
	}
	pid := r.pid()
	again := func(what string, ok func() bool) {
		t.Helper()
		r.until(what, func() bool {
			if _, err := r.tell("hello"); err != nil {
				t.Fatalf("meanwhile: %v", err)
			}
			return ok()
		})
	}
	r.write("roles=notifier", "garbage=1")
	again("the complaint", func() bool { return r.plugin("phone").State == bridge.PluginDegraded })
	if p := r.plugin("phone"); !strings.Contains(p.Problem, `its changed files are not used: plugin "evil" did not start: the first line on its stdout is "Hello!"`) || r.pid() != pid || p.Started.IsZero() {
		t.Errorf("with bad files it is shown as %+v", p)
	}
	r.write("roles=notifier,sink", "permissions=snapshot")
	again("the new one", func() bool { return r.pid() != pid })
	if p := r.reaches(bridge.PluginReady); len(p.Roles) != 2 || p.Problem != "" {
		t.Errorf("afterwards it is shown as %+v", p)
	}
	r.until("the end of the old one", func() bool { return syscall.Kill(pid, 0) != nil })
	if n := r.Stats()[0].Entered[bridge.PluginDraining]; n != 0 {
		t.Errorf("it was draining %d times", n)
	}
}

func TestAnotherProtocol(t *testing.T) {
	r := newRig(t)
	r.install("roles=notifier", "api=2")
	r.start()
	want := `plugin "evil" 1.2.0 was built for plugin API 2; this bridge speaks API 1; update the bridge, or install a version of evil for plugin API 1`
	if p := r.reaches(bridge.PluginIncompatible); p.Problem != want || !p.Next.IsZero() {
		t.Errorf("it is shown as %+v", p)
	}
	if n := r.starts(); n != 1 {
		t.Errorf("it was started %d times", n)
	}
	r.stop()

	// Where another version was accepted before, that one is named.
	r.cfg.Instances[0].Dev = true
	r.install("roles=notifier")
	if _, err := folder.Accept(r.dir, folder.Open(filepath.Join(r.dir, "evil")), "1.1.0", nil, time.Now()); err != nil {
		t.Fatal(err)
	}
	r.write("roles=notifier", "api=2")
	r.start()
	want = `plugin "evil" 1.2.0 was built for plugin API 2; this bridge speaks API 1; update the bridge, or install evil 1.1.0`
	if p := r.reaches(bridge.PluginIncompatible); p.Problem != want {
		t.Errorf("the problem is %s", p.Problem)
	}
	r.write("roles=notifier", "name=other")
	r.until("its name", func() bool { return strings.Contains(r.plugin("phone").Problem, `calls itself "other"`) })
	r.write("roles=notifier")
	r.reaches(bridge.PluginReady)
}

func TestDirectoriesMayBeRelative(t *testing.T) {
	r := newRig(t)
	r.install("roles=notifier")
	r.start()
	r.reaches(bridge.PluginReady)
	r.stop()
	t.Chdir(r.data)
	dir, err := filepath.Rel(r.data, r.dir)
	if err != nil {
		t.Fatal(err)
	}
	r.cfg.Dir, r.cfg.DataDir = dir, "."
	r.start()
	r.reaches(bridge.PluginReady)
	if n := r.starts(); n != 2 || r.file("home") != filepath.Join(r.data, "plugins", "phone") {
		t.Errorf("after %d starts its home is %q", n, r.file("home"))
	}
}
