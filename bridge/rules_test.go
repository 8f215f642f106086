package bridge_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// This file holds who may import whom; style_test.go beside it holds the other
// rules of the house, and TestRulesNotice there shows that each rule notices.

const module = "github.com/espcam-bridge/espcam-bridge/"

// layers: a package may import those of the lines above its own, never one of
// its own line. A package that stands nowhere fails.
var layers = []struct {
	name     string
	packages []string
}{
	{"nouns", []string{"bridge"}},
	{"words", []string{"bridge/wording"}},
	{"page", []string{"web"}},
	{"plugin wire", []string{"plugins/pluginpb"}},
	{"plugin parts", []string{"plugins/launch", "plugins/python", "plugins/sdk"}},
	{"parts", []string{"bridge/aside", "bridge/config", "bridge/hub", "bridge/jpeg", "bridge/pluginhost/folder", "bridge/store", "bridge/wire"}},
	{"pixels", []string{"motion"}},
	{"clips", []string{"motion/score"}},
	{"adapters", []string{"bridge/alert", "bridge/auth", "bridge/broker", "bridge/fakecam", "bridge/fleet", "bridge/httpapi", "bridge/ingest", "bridge/journal", "bridge/mqtt", "bridge/pluginhost", "bridge/watch"}},
	{"app", []string{"bridge/app"}},
	{"plugin tests", []string{"plugins/plugintest"}},
	{"plugins", []string{"plugins/chaos", "plugins/http-detector", "plugins/ntfy", "plugins/recorder", "plugins/script", "plugins/smtp", "plugins/telegram", "plugins/webhook"}},
	{"programs", []string{"cmd/espcam-bench", "cmd/espcam-bridge", "cmd/fakecam"}},
	{"test parts", []string{"bridge/app/hatest", "bridge/mqtt/fakeha"}}, // only tests may import these
}

// narrow: what these packages may import of ours, where their line is too wide.
var narrow = map[string][]string{
	"bridge":             nil,
	"bridge/wording":     {"bridge"},
	"web":                nil,
	"bridge/fakecam":     {"bridge", "bridge/jpeg", "bridge/wire"}, // knows nothing of the bridge but the wire
	"bridge/mqtt/fakeha": nil,                                      // knows Home Assistant's rules, not ours
	"motion":             {"bridge/jpeg"},                          // knows pixels, not cameras
	"motion/score":       {"bridge/jpeg", "motion"},
	"cmd/espcam-bench":   nil, // measures from outside
	"cmd/fakecam":        {"bridge/fakecam"},

	// What people write plugins with and against knows the protocol, not the bridge.
	"plugins/pluginpb":      nil,
	"plugins/python":        nil,
	"plugins/launch":        {"plugins/pluginpb"},
	"plugins/sdk":           {"plugins/pluginpb"},
	"plugins/plugintest":    {"plugins/launch", "plugins/pluginpb", "plugins/sdk"},
	"plugins/chaos":         {"plugins/sdk"},
	"plugins/http-detector": {"plugins/sdk"},
	"plugins/ntfy":          {"plugins/sdk"},
	"plugins/recorder":      {"plugins/sdk"},
	"plugins/script":        {"plugins/sdk"},
	"plugins/smtp":          {"plugins/sdk"},
	"plugins/telegram":      {"plugins/sdk"},
	"plugins/webhook":       {"plugins/sdk"},
}

// confined: which packages may import a module of others, or one of ours that
// is not for everybody. A module that stands nowhere may not be imported
// outside tests.
var confined = map[string][]string{
	"github.com/eclipse/paho.mqtt.golang": {"bridge/mqtt", "bridge/mqtt/fakeha"},
	"github.com/gorilla/websocket":        {"bridge/fakecam", "bridge/httpapi", "bridge/ingest", "cmd/espcam-bench"},
	"github.com/mochi-mqtt/server/v2":     {"bridge/broker"},
	"github.com/prometheus/client_golang": {"bridge/httpapi"},
	"github.com/spf13/cobra":              {"cmd/espcam-bridge", "cmd/fakecam"},
	"github.com/hashicorp/go-hclog":       {"plugins/launch", "plugins/sdk"}, // go-plugin wants one of its loggers
	"github.com/hashicorp/go-plugin":      {"plugins/launch", "plugins/sdk"},
	"github.com/wneessen/go-mail":         {"plugins/smtp"},
	"go.etcd.io/bbolt":                    {"bridge/store"},
	"gocv.io/x/gocv":                      {"motion"},
	"golang.org/x/image":                  {"bridge/app", "bridge/fakecam", "bridge/httpapi", "bridge/jpeg"},
	"golang.org/x/sys":                    {"bridge/aside", "bridge/httpapi", "cmd/espcam-bench", "plugins/launch", "plugins/sdk"},
	"golang.org/x/time":                   {"bridge/auth", "bridge/httpapi", "bridge/ingest", "bridge/pluginhost"},
	"google.golang.org/grpc":              {"bridge/pluginhost", "plugins/launch", "plugins/plugintest", "plugins/pluginpb", "plugins/sdk"},
	"google.golang.org/protobuf":          {"bridge/pluginhost", "plugins/launch", "plugins/plugintest", "plugins/pluginpb", "plugins/sdk"},
	"gopkg.in/yaml.v3":                    {"bridge/config", "bridge/pluginhost/folder"},
	module + "motion":                     {"bridge/watch", "cmd/espcam-bridge", "motion/score"},
	module + "web":                        {"bridge/app"},
}

func TestRules(t *testing.T) {
	pkgs := loadPackages(t)
	if len(pkgs) < 3 {
		t.Fatalf("go list found only %d packages", len(pkgs))
	}
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			for _, p := range pkgs {
				for _, complaint := range r.check(p) {
					t.Error(complaint)
				}
			}
		})
	}
}

// rule checks one package and returns a sentence for each breach.
type rule struct {
	name  string
	check func(pack) []string
}

var rules = []rule{
	{"imports", checkImports},
	{"package comment", checkPackageComment},
	{"file length", checkFileLength},
	{"function length", checkFunctionLength},
	{"no init", checkInit},
	{"no changing package variable", checkPackageVariables},
	{"no background context", checkContexts},
	{"no sleeping test", checkSleep},
	{"no catch-all package", checkNames},
}

// pack is one package with all its files, those behind build tags too.
type pack struct {
	path  string // below the module, such as bridge/hub
	fset  *token.FileSet
	files []source
}

type source struct {
	name  string // such as bridge/hub/hub.go
	lines int
	test  bool
	*ast.File
}

// code yields the files that are not tests.
func (p pack) code() []source {
	return slices.DeleteFunc(slices.Clone(p.files), func(f source) bool { return f.test })
}

// program reports whether a process begins in the package: with sdk.Main a plugin's does.
func (p pack) program() bool { return strings.HasPrefix(p.path, "cmd/") || p.path == "plugins/sdk" }

func (p pack) at(n ast.Node) string {
	pos := p.fset.Position(n.Pos())
	return fmt.Sprintf("%s:%d", pos.Filename, pos.Line)
}

func checkImports(p pack) []string {
	layer := layerOf(p.path)
	if layer < 0 {
		return []string{fmt.Sprintf("%s has no line in the table of layers: add it there and to the README, or put the code elsewhere", p.path)}
	}
	var out []string
	for _, imp := range imports(p.code()) {
		if why := forbidden(p.path, layer, imp); why != "" {
			out = append(out, fmt.Sprintf("%s imports %s: %s, see README", p.path, strings.TrimPrefix(imp, module), why))
		}
	}
	return out
}

// forbidden says why the package may not import imp, or "".
func forbidden(path string, layer int, imp string) string {
	users, known := usersOf(imp)
	switch host, _, _ := strings.Cut(imp, "/"); {
	case known && !slices.Contains(users, path):
		return fmt.Sprintf("only %s may", strings.Join(users, ", "))
	case strings.HasPrefix(imp, module):
	case known, !strings.Contains(host, "."): // or the standard library
		return ""
	default:
		return "this module stands in no row of the table of modules"
	}
	imp = strings.TrimPrefix(imp, module)
	if allowed, ok := narrow[path]; ok && !slices.Contains(allowed, imp) {
		return fmt.Sprintf("it may import only %v of ours", allowed)
	}
	switch other := layerOf(imp); {
	case other == layer:
		return layers[layer].name + " must not import each other"
	case other > layer:
		return fmt.Sprintf("%s must not know %s", layers[layer].name, layers[other].name)
	}
	return ""
}

// usersOf returns who may import a confined package, and whether it is one.
func usersOf(imp string) ([]string, bool) {
	for mod, users := range confined {
		if imp == mod || strings.HasPrefix(imp, mod+"/") {
			return users, true
		}
	}
	return nil, false
}

func layerOf(path string) int {
	for i, l := range layers {
		if slices.Contains(l.packages, path) {
			return i
		}
	}
	return -1
}

func imports(files []source) []string {
	var out []string
	for _, f := range files {
		for _, s := range f.Imports {
			if path, err := strconv.Unquote(s.Path.Value); err == nil {
				out = append(out, path)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// loadPackages asks the go command for the module's packages and parses all
// their files.
func loadPackages(t *testing.T) []pack {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=Dir,ImportPath", "./...")
	cmd.Dir = ".."
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var pkgs []pack
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var l struct{ Dir, ImportPath string }
		if err := dec.Decode(&l); err == io.EOF {
			return pkgs
		} else if err != nil {
			t.Fatalf("go list: %v", err)
		}
		pkgs = append(pkgs, parsePackage(t, strings.TrimPrefix(l.ImportPath, module), readFiles(t, l.Dir)))
	}
}

func readFiles(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, name := range names {
		if files[filepath.Base(name)], err = os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func parsePackage(t *testing.T, path string, files map[string][]byte) pack {
	t.Helper()
	p := pack{path: path, fset: token.NewFileSet()}
	for name, text := range files {
		f, err := parser.ParseFile(p.fset, path+"/"+name, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		if ast.IsGenerated(f) {
			continue // nobody wrote it
		}
		p.files = append(p.files, source{
			name: path + "/" + name, lines: bytes.Count(text, []byte("\n")),
			test: strings.HasSuffix(name, "_test.go"), File: f,
		})
	}
	slices.SortFunc(p.files, func(a, b source) int { return strings.Compare(a.name, b.name) })
	return p
}
