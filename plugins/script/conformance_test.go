//go:build unix

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/espcam-bridge/espcam-bridge/plugins/plugintest"
)

// TestMain is the plugin itself where it is started as one.
func TestMain(m *testing.M) {
	if os.Getenv("ESPCAM_PLUGIN") != "" {
		main()
	}
	os.Exit(m.Run())
}

// curl is the README's notifier, with the answer's status as exit code.
const curl = `#!/bin/bash
status=$(curl -sS --max-time 12 -H "Title: $ESPCAM_TITLE" -H "Message: $ESPCAM_TEXT" -H "Filename: $ESPCAM_CAMERA.jpg" \
  -T "${ESPCAM_PICTURE:-/dev/null}" -o answer -w '%{http_code}' "$1/porch-7hq2kx")
case $status in 2*) exit 0 ;; 401) exit 77 ;; *) exit 1 ;; esac
`

// served is the kit's server, with its address as the script's argument.
type served struct {
	*plugintest.Recorder
	script string
}

func (s served) Fill(settings map[string]any, _ map[string]string) {
	settings["command"] = []string{s.script, s.URL()}
}

func TestConformance(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed")
	}
	script := filepath.Join(t.TempDir(), "notify.sh")
	if err := os.WriteFile(script, []byte(curl), 0o700); err != nil {
		t.Fatal(err)
	}
	r, err := plugintest.NewRecorder(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	plugintest.Run(t, plugintest.Target{
		Command:  []string{os.Args[0]},
		Bad:      map[string]any{"mode": "stdin", "for": []string{"nothing"}, "command": []string{"/nonexistent"}, "timeout": "1h"},
		Upstream: served{r, script},
	})
}

// stay is a program that stays and does all three, told its secret and not
// telling it.
const stay = `#!/bin/bash
while read -r line; do
  echo '{"handle":"h","detections":[{"label":"person","score":0.9,"box":{"x":0.1,"y":0.1,"w":0.5,"h":0.5}}]}'
done
`

func TestConformanceOfLines(t *testing.T) {
	script := filepath.Join(t.TempDir(), "stay.sh")
	if err := os.WriteFile(script, []byte(stay), 0o700); err != nil {
		t.Fatal(err)
	}
	plugintest.Run(t, plugintest.Target{
		Command: []string{os.Args[0]},
		URLs:    map[string]string{},
		Settings: map[string]any{
			"command": []string{script}, "mode": "lines", "reply": true, "for": []string{"notify", "detect", "deliver"},
		},
	})
}
