package main

import (
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
		Command: []string{os.Args[0]},
		Bad:     map[string]any{"pre_roll": "2h", "keep_gb": -1, "memory_mb": 0},
	})
}
