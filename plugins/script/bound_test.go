//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/plugins/plugintest"
)

// boundTo makes a folder with a notify.sh.
func boundTo(t *testing.T, script string) (program, path string) {
	t.Helper()
	dir := t.TempDir()
	path = filepath.Join(dir, boundName)
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "espcam-plugin-bell"), path
}

func TestBeside(t *testing.T) {
	program, script := boundTo(t, "#!/bin/sh\n")
	for path, want := range map[string]string{
		program:          "bell",
		program + ".exe": "bell",
		filepath.Join(filepath.Dir(program), "espcam-plugin-script"): "", // the plugin script, whatever lies beside it
		filepath.Join(filepath.Dir(program), "bell"):                 "",
		filepath.Join(t.TempDir(), "espcam-plugin-bell"):             "", // without a script
	} {
		name, found := beside(path)
		if name != want || want != "" && found != script {
			t.Errorf("%s: %q, %q; want %q", path, name, found, want)
		}
	}
}

func TestHead(t *testing.T) {
	_, script := boundTo(t, "#!/bin/sh\n# Version: 2.1.0\n#Summary:  Rings the bell. \nset -eu\n# Version: 9\n")
	version, summary, err := head(script)
	if err != nil || version != "2.1.0" || summary != "Rings the bell." {
		t.Errorf("%q, %q, %v", version, summary, err)
	}
	_, script = boundTo(t, "#!/bin/sh\n")
	if version, summary, err = head(script); err != nil || version != "0.0.0" || summary != "Runs notify.sh." {
		t.Errorf("without a head: %q, %q, %v", version, summary, err)
	}
}

func TestBoundSettings(t *testing.T) {
	_, script := boundTo(t, `#!/bin/sh
read -r task
echo "{\"handle\":\"$ESPCAM_SETTING_URL $ESPCAM_SETTING_BELL_SOUND $(printf %s "$task" | sed -n 's/.*"secret":"\([^"]*\)".*/\1/p')\"}"
`)
	b := &bound{URL: "http://a", Token: "t0ken", Options: map[string]string{"bell-sound": "ding"}, Timeout: 5 * time.Second}
	receipt, err := notify((&plugintest.FakeHost{}).Context(t), b.settings(script), alert())
	if err != nil || receipt.Handle != "http://a ding t0ken" {
		t.Errorf("%+v, %v", receipt, err)
	}
}

func TestBoundOptions(t *testing.T) {
	for name, good := range map[string]bool{"sound": true, "bell-sound": true, "A_1": true, "url": false, "a=b": false, "": false, strings.Repeat("x", 65): false} {
		if err := (&bound{Options: map[string]string{name: "x"}}).validate(); (err == nil) != good {
			t.Errorf("%q: %v", name, err)
		}
	}
	if (&bound{Options: map[string]string{"a": "\x00"}}).validate() == nil {
		t.Error("a value with a zero byte is good")
	}
}
