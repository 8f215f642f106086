package main

import (
	"net/http"
	"os"
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

func TestConformance(t *testing.T) {
	plugintest.Run(t, plugintest.Target{
		Command:  []string{os.Args[0]},
		Settings: map[string]any{"parallel": 64}, // point 10 leaves many requests without an answer
		Bad:      map[string]any{"api": "rekognition", "min_confidence": 2, "url": "nowhere"},
		Reply:    func(*http.Request, []byte) (int, string) { return http.StatusOK, answer },
	})
}
