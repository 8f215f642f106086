package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge/fakecam"
	"github.com/espcam-bridge/espcam-bridge/plugins/plugintest"
)

// TestNewPlugin does what `plugin new` prints, word for word, for each language:
// build, test, check, dev, install, configure, serve, send a first notification.
func TestNewPlugin(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a minute")
	}
	for _, lang := range languages {
		t.Run(lang, func(t *testing.T) {
			t.Parallel()
			begin := time.Now()
			s := &reader{t: t, lang: lang, dir: configured(t, quiet), name: "my-" + lang}
			s.server = recorder(t)
			text := says(t, s.dir, "", 0, append([]string{"plugin", "new", "--lang", lang, s.name}, s.needs()...)...)
			for _, c := range commandsIn(text) {
				s.do(c)
			}
			s.arrived()
			if took := time.Since(begin); took > 5*time.Minute {
				t.Errorf("it took %v", took)
			}
		})
	}
}

func recorder(t *testing.T) *plugintest.Recorder {
	t.Helper()
	r, err := plugintest.NewRecorder(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// commandsIn returns what is to be typed: the lines behind a dollar sign, with
// what a here-document adds to them.
func commandsIn(text string) []string {
	var out []string
	open := false
	for line := range strings.Lines(text) {
		typed, isCommand := strings.CutPrefix(line, "$ ")
		switch {
		case open:
			out[len(out)-1] += line
			open = line != "END\n"
		case isCommand:
			out = append(out, typed)
			open = strings.HasSuffix(typed, "<<'END'\n")
		}
	}
	return out
}

// reader is somebody who follows the text.
type reader struct {
	t         *testing.T
	lang      string
	name      string
	dir, back string // where they are and were
	server    *plugintest.Recorder
}

// needs are the flags that somebody needs whose program is not where it was built.
func (r *reader) needs() []string {
	root, err := filepath.Abs("../..")
	if err != nil {
		r.t.Fatal(err)
	}
	switch r.lang {
	case "go":
		return []string{"--sdk", root}
	case "sh":
		program := filepath.Join(r.t.TempDir(), "espcam-plugin-script")
		cmd := exec.Command("go", "build", "-o", program, "./plugins/script")
		cmd.Dir = root
		if out, err := cmd.CombinedOutput(); err != nil {
			r.t.Fatalf("%v\n%s", err, out)
		}
		return []string{"--script", program}
	}
	return nil
}

func (r *reader) do(typed string) {
	r.t.Helper()
	words := strings.Fields(typed)
	switch {
	case words[0] == "cd" && words[1] == "-":
		r.dir, r.back = r.back, r.dir
	case words[0] == "cd":
		r.dir, r.back = filepath.Join(r.dir, words[1]), r.dir
	case words[len(words)-1] == "&":
		start(r.t, r.dir, words[1:len(words)-1]...)
	case typed == "make dev\n":
		r.dev()
	default:
		typed = strings.ReplaceAll(typed, "http://127.0.0.1:8000/alerts", r.server.URL()+"/alerts")
		r.enter(typed, strings.NewReader("y\ny\n"))
	}
}

func (r *reader) shell(typed string) *exec.Cmd {
	cmd := command(r.dir)
	cmd.Path, cmd.Args = "/bin/sh", []string{"sh", "-c", typed}
	return cmd
}

// enter runs a command, which must succeed.
func (r *reader) enter(typed string, in io.Reader) {
	r.t.Helper()
	cmd := r.shell(typed)
	cmd.Stdin = in
	out, err := cmd.CombinedOutput()
	if err != nil && typed == "make\n" && cannotHave(out) {
		r.t.Skipf("grpcio cannot be had here, so a Python plugin cannot be tried: %s", lastLine(out))
	}
	if err != nil {
		r.t.Fatalf("$ %s%v\n%s", typed, err, out)
	}
	r.t.Logf("$ %s%s", typed, out)
}

func cannotHave(out []byte) bool {
	return bytes.Contains(out, []byte("No matching distribution")) || bytes.Contains(out, []byte("ensurepip")) || bytes.Contains(out, []byte("No module named venv"))
}

func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}

// dev presses t when the plugin is ready, and q when its alert has arrived.
func (r *reader) dev() {
	r.t.Helper()
	d := startDev(r.t, r.shell("make dev"))
	d.await(" is ready after ")
	d.press("t")
	d.await("sent     POST /")
	d.await("OUTCOME_DELIVERED")
	d.press("q")
	if err := d.cmd.Wait(); err != nil {
		r.t.Fatalf("make dev: %v\n%s", err, d.text())
	}
}

// arrived wants the alert of "plugin test", with a picture.
func (r *reader) arrived() {
	r.t.Helper()
	messages := r.server.Messages()
	if len(messages) != 1 {
		r.t.Fatalf("%d messages arrived", len(messages))
	}
	if m := messages[0]; !bytes.Contains(m, []byte("POST /alerts")) || !bytes.Contains(m, []byte("\xff\xd8\xff")) && !bytes.Contains(m, []byte("/9j/")) {
		r.t.Errorf("the alert has no picture:\n%.600q", m)
	}
}

func TestNewRefuses(t *testing.T) {
	dir := configured(t, quiet)
	contains(t, says(t, dir, "", 2, "plugin", "new", "Door"), `"Door" is no plugin's name: it has 1 to 32 small letters`)
	contains(t, says(t, dir, "", 2, "plugin", "new", "--lang", "rust", "door"), `--lang is "rust": use one of go, python, sh`)
	contains(t, says(t, dir, "", 2, "plugin", "new", "--sdk", dir, "door"), "which does not hold the bridge's source")
	contains(t, says(t, dir, "", 2, "plugin", "new", "--lang", "sh", "door"), "espcam-plugin-script, which runs shell scripts for the bridge, was not found")
	says(t, dir, "", 0, "plugin", "new", "--lang", "python", "door")
	contains(t, says(t, dir, "", 1, "plugin", "new", "--lang", "python", "door"), "the folder cannot be made: ")
	for _, name := range []string{"main.py", "test_main.py", "espcam_plugin.py", "README.md", "Makefile", ".github/workflows/test.yml", ".gitignore"} {
		if info, err := os.Stat(filepath.Join(dir, "door", name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPageForAuthors builds the whole program that plugins/README.md shows.
func TestPageForAuthors(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes some seconds")
	}
	page, err := os.ReadFile("../../plugins/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```go\npackage main\n")
	program, _, _ := strings.Cut(rest, "```\n")
	r := &reader{t: t, lang: "go", dir: configured(t, quiet), name: "page"}
	says(t, r.dir, "", 0, append([]string{"plugin", "new", r.name}, r.needs()...)...)
	r.do("cd page\n")
	place(t, filepath.Join(r.dir, "main.go"), "package main\n"+program, 0o644)
	place(t, filepath.Join(r.dir, "main_test.go"), "package main\n", 0o644)
	r.enter("go vet -mod=mod .\n", nil)
}

// TestUseItOfThePage does what "Use it" in plugins/README.md shows, with its file:
// an installed plugin gets the test, and then the alert of a camera.
func TestUseItOfThePage(t *testing.T) {
	page, err := os.ReadFile("../../plugins/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "\n## Use it\n")
	_, rest, _ = strings.Cut(rest, "```yaml\n")
	text, _, _ := strings.Cut(rest, "```\n")
	server, dir := recorder(t), t.TempDir()
	text = strings.NewReplacer("127.0.0.1:8080", "127.0.0.1:0", "127.0.0.1:1883", "127.0.0.1:0", "doorbell", "sample", "https://push.example.org", server.URL()).Replace(text)
	place(t, filepath.Join(dir, "bridge.yaml"), text, 0o600)
	t.Setenv("PUSH_TOKEN", "s3cret")
	says(t, dir, "y\n", 0, "plugin", "install", sample(t))
	if out := says(t, dir, "", 0, "check-config"); out != "bridge.yaml is good.\n" {
		t.Error(out)
	}
	p := start(t, dir, "serve")
	contains(t, says(t, dir, "", 0, "plugin", "test", "bell"), "bell sent it")
	key, _, _ := strings.Cut(says(t, dir, "", 0, "keys", "add", "porch"), "\n")
	play(t, p, fakecam.Config{Key: key, Plan: "motion"})
	eventually(t, "the alert of the camera arrives", func() bool {
		messages := server.Messages()
		return bytes.Contains(messages[len(messages)-1], []byte("Motion at porch"))
	})
}
