package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/espcam-bridge/espcam-bridge/plugins/sdk"
)

// bePlugin makes this process the plugin by whose name it was started.
func bePlugin() {
	type settings struct {
		URL   string `json:"url" sdk:"required" help:"Where alerts go." example:"http://127.0.0.1:8000/"`
		Token string `json:"token" sdk:"secret" help:"For the door."`
		Tries int    `json:"tries" default:"3" min:"1" max:"9" help:"How often."`
	}
	sdk.Main(sdk.Plugin[settings]{
		Name: "sample", Version: "1.2.0", Summary: "Sends alerts.", Permissions: []string{"snapshot"},
		Notify: func(ctx context.Context, s *settings, a sdk.Alert) (sdk.Receipt, error) {
			if s.Tries == 1 {
				a.JPEG = nil // a service that takes none
			}
			if s.URL == "crash" {
				go func() { panic("as asked") }()
				<-ctx.Done()
			}
			return sdk.Receipt{}, sdk.PostJSON(ctx, s.URL, map[string]any{"title": a.Title, "picture": a.JPEG, "url": a.URL}, nil)
		},
	})
}

// sample makes the folder of a plugin outside of the plugins' directory: its
// program is this test.
func sample(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "work")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]os.FileMode{"README.md": 0o664, ".git/config": 0o644, "sub/data": 0o644} {
		place(t, filepath.Join(dir, name), "text", mode)
	}
	if _, err := copyFile(filepath.Join(dir, "espcam-plugin-sample"), self, maxCopied); err != nil {
		t.Fatal(err)
	}
	return dir
}

func place(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// says runs a command that must end with the code, and returns both outputs.
func says(t *testing.T, dir, stdin string, code int, args ...string) string {
	t.Helper()
	cmd := command(dir, args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if got := cmd.ProcessState.ExitCode(); got != code {
		t.Fatalf("%s: exit code %d (%v), want %d\n%s", strings.Join(args, " "), got, err, code, out)
	}
	return string(out)
}

func contains(t *testing.T, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("it lacks %q:\n%s", want, text)
		}
	}
}

func TestInstall(t *testing.T) {
	dir, src := configured(t, quiet), sample(t)
	out := says(t, dir, "", 0, "plugin", "install", src, "--yes")
	installed := filepath.Join(dir, "espcam-plugins", "sample")
	contains(t, out, "sample 1.2.0: Sends alerts.", "it is a notifier, started with: ",
		"look at the newest picture of its cameras at any time (snapshot)",
		"sample 1.2.0 is installed in "+installed+" (4 files are in plugins.lock, SHA-256 ",
		"plugins:\n      instances:\n        sample:\n          type: sample\n          settings:\n            url: \"http://127.0.0.1:8000/\"  # Where alerts go.\n            # token: env:NAME_OF_A_VARIABLE  # For the door.\n            # tries: 3  # How often.\n",
		"    alerts:\n      - {to: sample, on: [motion]}\n", "espcam-bridge plugin test sample")
	if strings.Contains(out, "warning: ") || strings.Contains(out, "is not repeated") {
		t.Errorf("it speaks of a file that says nothing:\n%s", out)
	}
	info, err := os.Stat(filepath.Join(installed, "README.md"))
	if err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("the copy: %v, %v", info.Mode(), err)
	}
	if _, err := os.Stat(filepath.Join(installed, ".git")); err == nil {
		t.Error(".git was copied")
	}
	manifest, err := os.ReadFile(filepath.Join(installed, "plugin.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	contains(t, string(manifest), "name: sample\nversion: 1.2.0\napi: 1\nsummary: Sends alerts.\n", "- notifier", "- snapshot", "fields:\n    - name: url\n      type: string\n      required: true\n")
	contains(t, says(t, dir, "", 0, "plugin", "list"), "PLUGIN  VERSION  ROLES     FILES\nsample  1.2.0    notifier  as accepted on ")

	place(t, filepath.Join(installed, "sub/data"), "other", 0o644)
	contains(t, says(t, dir, "", 0, "plugin", "list"),
		`plugin "sample": sub/data was changed: expected SHA-256 982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1, actual d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa`, "accept it with: espcam-bridge plugin install "+installed)
	contains(t, says(t, dir, "y\n", 0, "plugin", "install", installed), "in the place of 1.2.0, accepted on", "Accept it? [y/N]", "is installed in")
	contains(t, says(t, dir, "", 0, "plugin", "list"), "as accepted on ")
	contains(t, says(t, dir, "", 0, "plugin", "install", src, "--yes"), "in the place of 1.2.0")
	left, err := filepath.Glob(filepath.Join(dir, "espcam-plugins", ".*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left in the directory: %v, %v", left, err)
	}
}

func TestInstallAsks(t *testing.T) {
	dir, src := configured(t, quiet), sample(t)
	contains(t, says(t, dir, "n\n", 1, "plugin", "install", src), "Accept it? [y/N]", "nothing was installed")
	contains(t, says(t, dir, "", 2, "plugin", "install", src), "nobody is there to answer: nothing was installed; --yes agrees")
	contains(t, says(t, dir, "", 0, "plugin", "list"), "No plugin is installed in espcam-plugins")
}

func TestInstallRefuses(t *testing.T) {
	tests := map[string]struct {
		spoil func(t *testing.T, src string)
		want  string
	}{
		"no program": {func(t *testing.T, src string) {
			if err := os.Remove(filepath.Join(src, "espcam-plugin-sample")); err != nil {
				t.Fatal(err)
			}
		}, "there is no program to start"},
		"another name": {func(t *testing.T, src string) {
			if err := os.Rename(filepath.Join(src, "espcam-plugin-sample"), filepath.Join(src, "espcam-plugin-other")); err != nil {
				t.Fatal(err)
			}
		}, `the plugin in espcam-plugin-other calls itself "sample"`},
		"a link out": {func(t *testing.T, src string) {
			if err := os.Symlink("/etc/hostname", filepath.Join(src, "name")); err != nil {
				t.Fatal(err)
			}
		}, "is a link out of the folder, to /etc/hostname: put the file itself there"},
		"no plugin": {func(t *testing.T, src string) {
			place(t, filepath.Join(src, "plugin.yaml"), "command: [false]\nname: sample\n", 0o644)
		}, "sample"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir, src := configured(t, quiet), sample(t)
			tt.spoil(t, src)
			contains(t, says(t, dir, "", 1, "plugin", "install", src, "--yes"), tt.want)
			left, err := os.ReadDir(filepath.Join(dir, "espcam-plugins"))
			if err == nil && len(left) > 0 {
				t.Errorf("left in the directory: %v", left)
			}
		})
	}
}

func TestRemove(t *testing.T) {
	dir, src := configured(t, quiet), sample(t)
	contains(t, says(t, dir, "", 1, "plugin", "remove", "sample"), `there is no plugin "sample" in espcam-plugins: `)
	contains(t, says(t, dir, "", 2, "plugin", "remove", "../data"), `"../data" is no plugin's name`)
	says(t, dir, "", 0, "plugin", "install", src, "--yes")
	used := "plugins: {instances: {phone: {type: sample, settings: {url: \"http://127.0.0.1:1/\"}}}}\n"
	place(t, filepath.Join(dir, "bridge.yaml"), quiet+used, 0o600)
	contains(t, says(t, dir, "", 1, "plugin", "remove", "sample"), `sample is used by the instance "phone" (bridge.yaml:4): take that out of the file first`)
	contains(t, says(t, dir, "", 0, "plugin", "list"), "phone", "sample", "the bridge is not running")
	place(t, filepath.Join(dir, "bridge.yaml"), quiet, 0o600)
	contains(t, says(t, dir, "", 0, "plugin", "remove", "sample"), "sample is gone.")
	contains(t, says(t, dir, "", 0, "plugin", "list"), "No plugin is installed")
}

// TestFoldersOfOthers: what lies in the directory and was not installed stays.
func TestFoldersOfOthers(t *testing.T) {
	dir, src := configured(t, quiet), sample(t)
	work := filepath.Join(dir, "espcam-plugins", "sample", "main.go")
	place(t, work, "package main", 0o644)
	const never = "sample is there and was never installed: move it away"
	contains(t, says(t, dir, "", 1, "plugin", "install", src, "--yes"), never)
	contains(t, says(t, dir, "", 1, "plugin", "remove", "sample"), never)
	if _, err := os.Stat(work); err != nil {
		t.Error(err)
	}
}

func TestPluginsOfNoBridge(t *testing.T) {
	dir := configured(t, quiet)
	for _, verb := range []string{"enable", "disable", "test"} {
		contains(t, says(t, dir, "", 1, "plugin", verb, "phone"), "the bridge is not running on data: start it with `espcam-bridge serve`")
	}
}

// TestCheckConfigJudgesInstances: without starting anything.
func TestCheckConfigJudgesInstances(t *testing.T) {
	dir, src := configured(t, quiet), sample(t)
	says(t, dir, "", 0, "plugin", "install", src, "--yes")
	tests := map[string]struct {
		instance string
		code     int
		want     []string
	}{
		"good":       {`{type: sample, settings: {url: x, tries: 4}}`, 0, []string{"bridge.yaml is good."}},
		"misspelled": {`{type: sample, settings: {ulr: x, tries: 40}}`, 2, []string{"bridge.yaml:4: plugins.instances.phone.settings.ulr: is not a setting of this plugin, which has url, token, tries; did you mean url?", "settings.tries: must be a whole number from 1 to 9, not 40", "warning: bridge.yaml:4: plugins.instances.phone.settings.url: is required: Where alerts go, such as http://127.0.0.1:8000/; without it here, somebody must set it on the page"}},
		"over there": {`{type: sample}`, 0, []string{"warning: ", "url: is required", "bridge.yaml is good."}},
		"no plugin":  {`{type: sampel}`, 2, []string{`bridge.yaml:4: plugins.instances.phone: no plugin "sampel" is installed in espcam-plugins: `, "did you mean sample?"}},
		"off":        {`{type: sampel, enabled: false}`, 0, []string{"bridge.yaml is good."}},
		"dev":        {`{type: sample, dev: true, settings: {newest: x}}`, 0, []string{"bridge.yaml is good."}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			place(t, filepath.Join(dir, "bridge.yaml"), quiet+"plugins: {instances: {phone: "+tt.instance+"}}\n", 0o600)
			contains(t, says(t, dir, "", tt.code, "check-config"), tt.want...)
		})
	}
	place(t, filepath.Join(dir, "bridge.yaml"), quiet+"plugins: {instances: {phone: {type: sample, settings: {ulr: x}}}}\n", 0o600)
	contains(t, says(t, dir, "", 0, "plugin", "list"), "the bridge is not running", "did you mean url?")
	place(t, filepath.Join(dir, "bridge.yaml"), quiet+"plugins: {instances: {phone: {type: sample, settings: {url: x}}}}\n", 0o600)
	place(t, filepath.Join(dir, "espcam-plugins/sample/sub/data"), "other", 0o644)
	contains(t, says(t, dir, "", 2, "check-config"), `plugins.instances.phone: plugin "sample": sub/data was changed`)
}

// TestPluginsFromAnotherShell: what only the bridge's own environment has is not
// needed to speak with it.
func TestPluginsFromAnotherShell(t *testing.T) {
	dir, src := configured(t, quiet), sample(t)
	server := recorder(t)
	text := quiet + "plugins: {instances: {phone: {type: sample, settings: {url: \"" + server.URL() + "\", token: \"env:DOOR_TOKEN\"}}}}\nalerts: [{to: phone, on: [motion]}]\n"
	place(t, filepath.Join(dir, "bridge.yaml"), text, 0o644)
	says(t, dir, "", 0, "plugin", "install", src, "--yes")
	contains(t, says(t, dir, "", 2, "check-config"), "needs the environment variable DOOR_TOKEN, which is not set")
	contains(t, says(t, dir, "", 1, "plugin", "test", "phone"), "the bridge is not running on data", "needs the environment variable DOOR_TOKEN")
	t.Setenv("DOOR_TOKEN", "s3cret")
	p := start(t, dir, "serve")
	if err := os.Unsetenv("DOOR_TOKEN"); err != nil {
		t.Fatal(err)
	}
	if out := says(t, dir, "", 0, "plugin", "test", "phone"); out != "phone sent it\n" {
		t.Errorf("it says more than needed:\n%s", out)
	}
	if m := server.Messages(); len(m) != 1 || !strings.Contains(string(m[0]), `"url":"`+p.http+`/"`) {
		t.Errorf("without a camera, the page itself is to be linked: %.900s", m)
	}
	contains(t, says(t, dir, "", 0, "plugin", "list"), "phone     sample  ready")
	place(t, filepath.Join(dir, "bridge.yaml"), text+"data: []\n", 0o644)
	contains(t, says(t, dir, "", 2, "plugin", "list"), "the configuration cannot be used:", "data")
}
