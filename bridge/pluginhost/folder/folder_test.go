package folder

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// write makes a folder of a plugin: a name that ends in * is executable.
func write(t *testing.T, dir string, files map[string]string) string {
	t.Helper()
	for name, text := range files {
		mode := os.FileMode(0o644)
		if bare, ok := strings.CutSuffix(name, "*"); ok {
			name, mode = bare, 0o755
		}
		path := filepath.Join(dir, name)
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
	return dir
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "ntfy"), map[string]string{"espcam-plugin-ntfy*": "x"})
	write(t, filepath.Join(dir, "mail"), map[string]string{"plugin.yaml": "command: [python3, -u, main.py]\n", "main.py": "", ".venv/bin/python3*": "x"})
	write(t, filepath.Join(dir, "other"), map[string]string{"espcam-plugin-thing*": "x"})
	write(t, filepath.Join(dir, "broken"), map[string]string{"plugin.yaml": "comand: [x]\n"})
	write(t, dir, map[string]string{".git/x": "", "README.md": ""})
	found, err := Find(dir)
	must(t, err)
	var names []string
	for _, f := range found {
		names = append(names, f.Type)
	}
	if want := []string{"broken", "mail", "ntfy", "other"}; !slices.Equal(names, want) {
		t.Fatalf("found %v, want %v", names, want)
	}
	if f := found[1]; f.Err != nil || !slices.Equal(f.Command, []string{filepath.Join(f.Path, ".venv/bin/python3"), "-u", filepath.Join(f.Path, "main.py")}) || !f.Interpreted {
		t.Errorf("mail: %+v", f)
	}
	if f := found[2]; f.Err != nil || !slices.Equal(f.Command, []string{filepath.Join(dir, "ntfy/espcam-plugin-ntfy")}) || f.Interpreted {
		t.Errorf("ntfy: %+v", f)
	}
	if err := found[0].Err; err == nil || !strings.Contains(err.Error(), "comand") {
		t.Errorf("a misspelled manifest: %v", err)
	}
	if err := found[3].Err; err == nil || !strings.Contains(err.Error(), `holds the plugin "thing": a plugin's folder has its name`) {
		t.Errorf("a folder of another name: %v", err)
	}
	none, err := Find(filepath.Join(dir, "nowhere"))
	if len(none) != 0 || err != nil {
		t.Errorf("no directory: %v, %v", none, err)
	}
}

func TestCommandRefused(t *testing.T) {
	outside := filepath.Join(write(t, t.TempDir(), map[string]string{"main.py": ""}), "main.py")
	tests := map[string]struct{ manifest, want string }{
		"no program":     {"summary: x", "there is no program to start"},
		"not executable": {"command: [main.py]", "cannot be started: make it a program with `chmod +x`"},
		"unknown":        {"command: [no-such-program-here]", "neither in the folder nor among the programs"},
		"climbs":         {"command: [python3, ../main.py]", "names ../main.py, which is outside of the folder"},
		"elsewhere":      {"command: [python3, " + outside + "]", "which is outside of the folder: nobody would notice"},
		"empty word":     {`command: [python3, ""]`, "a word that is empty"},
		"many words":     {"command: [" + strings.Repeat("a, ", 32) + "a]", "has more than 32 words"},
		"bad name":       {"name: ../ntfy", `"../ntfy" is no plugin's name`},
		"no manifest":    {"[1, 2]", "plugin.yaml cannot be used"},
		"large":          {"summary: " + strings.Repeat("x", maxManifest), "is not a file of at most 64 KiB"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := Open(write(t, t.TempDir(), map[string]string{"plugin.yaml": tt.manifest, "main.py": ""}))
			if f.Err == nil || !strings.Contains(f.Err.Error(), tt.want) || f.Command != nil {
				t.Errorf("got %v and %v, want %q", f.Err, f.Command, tt.want)
			}
		})
	}
	if f := Open("/nowhere/at/all"); f.Err == nil {
		t.Error("a folder that is not there has no error")
	}
}

func TestManifestWrite(t *testing.T) {
	dir := write(t, t.TempDir(), map[string]string{"run*": ""})
	m := Manifest{Name: "x", Version: "1.2.0", API: 1, Summary: "It: does.", Command: []string{"run"}, Roles: []string{"sink"}, Permissions: []string{"frames"}}
	must(t, m.Write(dir))
	f := Open(dir)
	if f.Err != nil || f.Type != "x" || f.Manifest.Summary != "It: does." || !slices.Equal(f.Command, []string{filepath.Join(dir, "run")}) {
		t.Errorf("%+v", f)
	}
}

// TestManifestFields: what is written is what is read, for each kind of value.
func TestManifestFields(t *testing.T) {
	want := Declared{
		{Name: "topic", Type: "string", Required: true, Help: "Where: \"to\"?\nSay <it> é 😀.", Example: "true", Choices: []string{"1", "no"}},
		{Name: "tries", Type: "integer", Default: []byte("3"), Min: 1, Max: 9},
		{Name: "ratio", Type: "number", Default: []byte("0.5"), Max: 0.75},
		{Name: "tags", Type: "strings", Default: []byte(`["a","2"]`)},
		{Name: "headers", Type: "map", Default: []byte(`{"A":"b"}`), FileOnly: true},
		{Name: "token", Type: "string", Secret: true},
	}
	for name, fields := range map[string]Declared{"all": want, "none": {}, "not asked": nil} {
		dir := write(t, t.TempDir(), map[string]string{"run*": ""})
		must(t, Manifest{Name: "x", Command: []string{"run"}, Fields: fields}.Write(dir))
		if f := Open(dir); f.Err != nil || !reflect.DeepEqual(f.Manifest.Fields, fields) {
			t.Errorf("%s: %v\n%+v", name, f.Err, f.Manifest.Fields)
		}
	}
	err := Manifest{Fields: Declared{{Name: "a", Type: "string", Help: strings.Repeat("x", maxManifest)}}}.Write(t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "says more of itself than 64 KiB") {
		t.Errorf("too much of it: %v", err)
	}
	for _, bad := range []string{"[{name: A, type: string}]", "[{name: a, typ: string}]", "[{name: a, type: string, default: 5}]", "text"} {
		if f := Open(write(t, t.TempDir(), map[string]string{"plugin.yaml": "fields: " + bad})); f.Err == nil || !strings.Contains(f.Err.Error(), "plugin.yaml cannot be used") {
			t.Errorf("%s: %v", bad, f.Err)
		}
	}
}

func TestHashIsTheSameElsewhere(t *testing.T) {
	files := map[string]string{"espcam-plugin-x*": "program", "sub/data": "1", ".hidden": "2", "empty": ""}
	a, b := write(t, t.TempDir(), files), write(t, t.TempDir(), files)
	for _, dir := range []string{a, b} {
		must(t, os.Symlink("sub/data", filepath.Join(dir, "link")))
	}
	must(t, os.Chtimes(filepath.Join(b, "sub/data"), time.Unix(1, 0), time.Unix(1, 0)))
	ha, err := Hash(a)
	must(t, err)
	hb, err := Hash(b)
	must(t, err)
	if ha.Sum() != hb.Sum() || len(ha) != 5 {
		t.Errorf("%v\n%v", ha, hb)
	}
	if got := ha["link"]; got != "link to sub/data" {
		t.Errorf("a link is %q", got)
	}
	// What sha256sum says of "1" without a newline.
	if got := ha["sub/data"]; got != "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b" {
		t.Errorf("sub/data is %s", got)
	}
}

func TestVerify(t *testing.T) {
	const accept = "accept it with: espcam-bridge plugin install "
	change := map[string]struct {
		do   func(t *testing.T, path string)
		want []string
	}{
		"nothing": {func(*testing.T, string) {}, nil},
		"touched": {func(t *testing.T, path string) {
			must(t, os.Chtimes(filepath.Join(path, "lib/a"), time.Unix(1, 0), time.Unix(1, 0)))
		}, nil},
		"changed": {func(t *testing.T, path string) {
			write(t, path, map[string]string{"lib/a": "A"})
		}, []string{"lib/a was changed: expected SHA-256 ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb, actual 559aead08264d5795d3909718cdd05abd49572e84fe55590eef31a88a08fdffd; ", accept}},
		"new": {func(t *testing.T, path string) {
			write(t, path, map[string]string{"sitecustomize.py": "x"})
		}, []string{"sitecustomize.py is new: expected no such file, actual SHA-256 2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881", accept}},
		"missing": {func(t *testing.T, path string) {
			must(t, os.Remove(filepath.Join(path, "lib/a")))
		}, []string{"lib/a is missing: expected SHA-256 ca978112", ", actual none", accept}},
		"other link": {func(t *testing.T, path string) {
			must(t, os.Remove(filepath.Join(path, "link")))
			must(t, os.Symlink("espcam-plugin-x", filepath.Join(path, "link")))
		}, []string{"link was changed: expected SHA-256 link to lib/a, actual link to espcam-plugin-x", accept}},
		"many": {func(t *testing.T, path string) {
			write(t, path, map[string]string{"lib/a": "A", "b": "", "c": ""})
		}, []string{"lib/a was changed", "(and 2 more)", accept}},
	}
	for name, tt := range change {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := write(t, filepath.Join(dir, "x"), map[string]string{"espcam-plugin-x*": "p", "lib/a": "a"})
			must(t, os.Symlink("lib/a", filepath.Join(path, "link")))
			_, err := Accept(dir, Open(path), "1.0.0", []string{"snapshot"}, time.Unix(0, 0))
			must(t, err)
			tt.do(t, path)
			e, err := Verify(dir, Open(path))
			if tt.want == nil {
				if err != nil || !slices.Equal(e.Permissions, []string{"snapshot"}) || e.Version != "1.0.0" {
					t.Fatalf("%+v, %v", e, err)
				}
				return
			}
			for _, want := range append(tt.want, path) {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v\nwant %q", err, want)
				}
			}
		})
	}
}

func TestNeverAccepted(t *testing.T) {
	dir := t.TempDir()
	x := Open(write(t, filepath.Join(dir, "x"), map[string]string{"espcam-plugin-x*": "p"}))
	_, err := Verify(dir, x)
	if err == nil || !strings.Contains(err.Error(), `plugin "x": its files were never accepted: look at it, then accept it with: espcam-bridge plugin install `+x.Path) {
		t.Errorf("%v", err)
	}
	_, err = Accept(dir, x, "1", nil, time.Unix(0, 0))
	must(t, err)
	lock, err := os.ReadFile(filepath.Join(dir, LockName))
	must(t, err)
	if !strings.Contains(string(lock), `"permissions": []`) {
		t.Errorf("nothing is granted, and the lock says\n%s", lock)
	}
	must(t, Forget(dir, "x"))
	if _, err := Verify(dir, x); err == nil {
		t.Error("a plugin that was forgotten is trusted")
	}
}

func TestWritableByOthers(t *testing.T) {
	places := map[string]func(dir string) string{
		"a file":                     func(dir string) string { return filepath.Join(dir, "x/lib/a") },
		"a directory":                func(dir string) string { return filepath.Join(dir, "x/lib") },
		"the folder":                 func(dir string) string { return filepath.Join(dir, "x") },
		"the lock file":              func(dir string) string { return filepath.Join(dir, LockName) },
		"the directory of the lock ": func(dir string) string { return dir },
	}
	for name, place := range places {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			x := Open(write(t, filepath.Join(dir, "x"), map[string]string{"espcam-plugin-x*": "p", "lib/a": "a"}))
			_, err := Accept(dir, x, "1", nil, time.Unix(0, 0))
			must(t, err)
			info, err := os.Stat(place(dir))
			must(t, err)
			must(t, os.Chmod(place(dir), info.Mode()|0o020))
			_, err = Verify(dir, x)
			if bridge.CodeOf(err) != bridge.CodeDenied || !strings.Contains(err.Error(), "chmod go-w "+place(dir)) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestBelongsToAnother(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file away")
	}
	dir := t.TempDir()
	x := Open(write(t, filepath.Join(dir, "x"), map[string]string{"espcam-plugin-x*": "p"}))
	must(t, os.Chown(x.Command[0], 12345, -1))
	if _, err := Hash(x.Path); err == nil || !strings.Contains(err.Error(), "belongs to another user (12345)") {
		t.Errorf("got %v", err)
	}
}

func TestLinks(t *testing.T) {
	outside := write(t, t.TempDir(), map[string]string{"lib.py": ""})
	tests := map[string]struct{ name, target, want string }{
		"inside":            {"sub/link", "../main.py", ""},
		"absolute":          {"link", outside, "is a link out of the plugin's folder"},
		"climbing":          {"link", "../../elsewhere", "is a link out of the plugin's folder"},
		"interpreter":       {".venv/bin/python3", "/usr/bin/python3", ""},
		"not quite a .venv": {".venvx/python3", "/usr/bin/python3", "is a link out"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := write(t, t.TempDir(), map[string]string{"main.py": "", "sub/x": "", ".venv/bin/x": "", ".venvx/x": ""})
			must(t, os.Symlink(tt.target, filepath.Join(path, tt.name)))
			_, err := Hash(path)
			if (tt.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestBrokenLock(t *testing.T) {
	dir := write(t, t.TempDir(), map[string]string{LockName: "{", "x/espcam-plugin-x*": ""})
	_, err := Verify(dir, Open(filepath.Join(dir, "x")))
	if bridge.CodeOf(err) != bridge.CodeInvalid || !strings.Contains(err.Error(), "remove it, and accept each plugin again") {
		t.Errorf("got %v", err)
	}
}

func TestReadTrial(t *testing.T) {
	dir := t.TempDir()
	none, err := ReadTrial(dir)
	if err != nil || none.Settings != nil {
		t.Errorf("without a file: %+v, %v", none, err)
	}
	write(t, dir, map[string]string{TrialName: "settings: {topic: x}\nurls: {url: \"json://{host}\"}\nskip: {13: it cannot edit}\n", "other.yaml": "setings: {}"})
	got, err := ReadTrial(dir)
	if err != nil || got.Settings["topic"] != "x" || got.URLs["url"] != "json://{host}" || got.Skip[13] != "it cannot edit" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := ReadTrial(filepath.Join(dir, "other.yaml")); err == nil || !strings.Contains(err.Error(), "setings") {
		t.Errorf("a misspelled key: %v", err)
	}
	if _, err := ReadTrial(filepath.Join(dir, "missing.yaml")); err == nil {
		t.Error("a file that was named and is not there is no error")
	}
}
