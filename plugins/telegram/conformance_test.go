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
		Settings: map[string]any{"chat_id": "-42"},
		Bad:      map[string]any{"silent_below": 9},
		Reply: func(*http.Request, []byte) (int, string) {
			return http.StatusOK, `{"ok":true,"result":{"message_id":77}}`
		},
	})
}
