package config_test

import (
	"fmt"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/config"
)

// The example is the manual, so these tests keep it true.
const example = "../../configs/bridge.yaml"

func readExample(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

var commentedOut = regexp.MustCompile(`(?m)^( *)#([^ #\n])`)

// everything is the example with all # removed that stand directly before a word.
func everything(text string) string { return commentedOut.ReplaceAllString(text, "$1$2") }

func TestExampleShowsTheDefaults(t *testing.T) {
	text := readExample(t)
	if c := parse(t, text); !reflect.DeepEqual(c, config.Default()) {
		t.Errorf("the example is\n%+v\nthe default\n%+v", c, config.Default())
	}
	shown := paths(t, text)
	for _, k := range config.Keys() {
		if k.Variable != "" && !strings.HasSuffix(k.Path, "_file") && !shown[k.Path] {
			t.Errorf("the example does not show the default of %s", k.Path)
		}
	}
}

func TestExampleHasEveryKey(t *testing.T) {
	text := everything(readExample(t))
	_, _, err := config.Parse("bridge.yaml", []byte(text), []string{
		"NVR_TOKEN=a-token-of-the-recorder", "HA_PASSWORD=secret", "PORCH_KEY=wsk_abcdefghijklmnopqrstuvwxyz", "NTFY_TOKEN=tk_0123",
	}, "wsk_0123456789abcdefghijklmn")
	if err != nil {
		t.Errorf("with every example in it:\n%v", err)
	}
	shown := paths(t, text)
	for _, k := range config.Keys() {
		if !shown[k.Path] {
			t.Errorf("the example does not have %s", k.Path)
		}
	}
}

func TestExampleShowsTheRangesOfSettings(t *testing.T) {
	text := readExample(t)
	for _, p := range bridge.Properties() {
		if p.Kind != bridge.Number || p.Name == "led" {
			continue
		}
		line := regexp.MustCompile(`(?m)^ +#` + p.Name + `: .*`).FindString(text)
		if want := fmt.Sprintf("%d to %d", p.Min, p.Max); !strings.Contains(line, want) {
			t.Errorf("%q does not say %s", line, want)
		}
	}
}

// paths returns the keys in a file, in the form of config.Key.
func paths(t *testing.T, text string) map[string]bool {
	t.Helper()
	var root map[string]any
	if err := yaml.Unmarshal([]byte(text), &root); err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	collect(root, "", found)
	return found
}

func collect(v any, path string, found map[string]bool) {
	found[strings.TrimPrefix(path, ".")] = true
	switch v := v.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if path == ".cameras" || path == ".plugins.instances" || strings.HasSuffix(path, ".zones") {
				collect(v[key], path+".*", found)
				continue
			}
			collect(v[key], path+"."+key, found)
		}
	case []any:
		for _, item := range v {
			collect(item, path+"[]", found)
		}
	}
}

// TestReadmeOfConfigs keeps the names of variables in the page true.
func TestReadmeOfConfigs(t *testing.T) {
	b, err := os.ReadFile("../../configs/README.md")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]string{}
	for _, k := range config.Keys() {
		known[k.Path] = k.Variable
	}
	rows := regexp.MustCompile("(?m)^\\| `([a-z._]+)` \\| `(ESPCAM_[A-Z_]+)` \\|$").FindAllStringSubmatch(string(b), -1)
	if len(rows) < 4 {
		t.Fatalf("found %d variables in the page", len(rows))
	}
	for _, row := range rows {
		if known[row[1]] != row[2] {
			t.Errorf("the page says that %s sets %s; it is %q", row[2], row[1], known[row[1]])
		}
	}
}

// TestRoutesByExample loads the examples of the pages about alerts.
func TestRoutesByExample(t *testing.T) {
	found := 0
	for page, heading := range map[string]string{"../alert/README.md": "\n## Routes by example\n", "../../README.md": "\n## Alerts\n"} {
		b, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		_, section, _ := strings.Cut(string(b), heading)
		section, _, _ = strings.Cut(section, "\n## ")
		for _, block := range regexp.MustCompile(`(?m)(^    .*\n)+`).FindAllString(section, -1) {
			if !strings.Contains(block, "alerts:") {
				block = "    alerts:\n" + block
			}
			if !strings.Contains(block, "plugins:") {
				block += "    plugins: {instances: {phone: {type: ntfy}, chat: {type: telegram}, mail: {type: smtp}}}\n"
			}
			c := parse(t, regexp.MustCompile(`(?m)^    `).ReplaceAllString(block, ""))
			found += len(c.Alerts)
		}
	}
	if found != 7 {
		t.Errorf("found %d routes in the pages", found)
	}
}
