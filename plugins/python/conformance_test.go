package python_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/espcam-bridge/espcam-bridge/plugins/plugintest"
)

// install puts a plugin's files and the SDK into a folder, as the build does,
// and returns the command that starts it.
func install(t *testing.T, main string) []string {
	t.Helper()
	dir := t.TempDir()
	for from, to := range map[string]string{main: "main.py", "espcam_plugin.py": "espcam_plugin.py"} {
		data, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, to), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return []string{interpreter(t), filepath.Join(dir, "main.py")}
}

// conforms runs the conformance kit, every point of which must hold.
func conforms(t *testing.T, target plugintest.Target) {
	t.Helper()
	t.Log("\n" + plugintest.Run(t, target).Table())
}

func TestConformanceOfSmallest(t *testing.T) {
	t.Parallel()
	conforms(t, plugintest.Target{Command: install(t, "testdata/smallest.py")})
}

func TestConformanceOfApprise(t *testing.T) {
	t.Parallel()
	conforms(t, plugintest.Target{
		Command: install(t, "../apprise/main.py"),
		URLs:    map[string]string{"urls": "json://{host}/hook"},
	})
}

func TestConformanceOfPerson(t *testing.T) {
	t.Parallel()
	picture, err := os.ReadFile("../person/testdata/person.jpg")
	if err != nil {
		t.Fatal(err)
	}
	conforms(t, plugintest.Target{
		Command:  install(t, "../person/main.py"),
		Pictures: [][]byte{picture},
		Bad:      map[string]any{"threshold": 7, "model": "/no/such/file"},
	})
}
