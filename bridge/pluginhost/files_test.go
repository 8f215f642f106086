//go:build linux

package pluginhost

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// cabinet is a host with the instances videos and other, which need not run to
// have files.
func cabinet(t *testing.T) *rig {
	r := newRig(t)
	for _, name := range []string{"videos", "other"} {
		r.cfg.Instances = append(r.cfg.Instances, Instance{Name: name, Type: "evil"})
	}
	r.start()
	return r
}

// lay writes a file into an instance's data directory, changed so many minutes ago.
func (r *rig) lay(instance, name, content string, minutes int) {
	r.t.Helper()
	p := filepath.Join(r.data, "plugins", instance, name)
	at := time.Now().Add(-time.Duration(minutes) * time.Minute)
	if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(content), 0o600); err != nil {
		r.t.Fatal(err)
	}
	if err := os.Chtimes(p, at, at); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) link(target, name string) {
	r.t.Helper()
	if err := os.Symlink(target, filepath.Join(r.data, "plugins", name)); err != nil {
		r.t.Fatal(err)
	}
}

// files are the names that are listed.
func (r *rig) files(instance string) (names []string) {
	r.t.Helper()
	all, err := r.Files(instance)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, f := range all {
		names = append(names, f.Name)
	}
	return names
}

func (r *rig) missing(instance, name string) {
	r.t.Helper()
	f, _, err := r.OpenFile(instance, name)
	if bridge.CodeOf(err) != bridge.CodeNotFound || !strings.Contains(err.Error(), "has no file") {
		r.t.Errorf("%s of %s: %v", name, instance, err)
	}
	if err == nil {
		f.Close()
	}
}

func TestFilesOfAPlugin(t *testing.T) {
	r := cabinet(t)
	if len(r.files("videos")) > 0 || r.plugin("videos").Files {
		t.Error("there are files before there are any")
	}
	if _, err := r.Files("nobody"); bridge.CodeOf(err) != bridge.CodeNotFound {
		t.Errorf("of another instance: %v", err)
	}
	if _, _, err := r.OpenFile("nobody", "a"); bridge.CodeOf(err) != bridge.CodeNotFound {
		t.Errorf("of another instance: %v", err)
	}
	r.lay("videos", "files/porch/2026-09-21/a.mkv", "older", 9)
	r.lay("videos", "files/porch/2026-09-22/b ü.mkv.part", "newest", 1)
	r.lay("videos", "files/list.txt", "list", 5)
	r.lay("videos", "files/.check", "hidden", 0)
	r.lay("videos", "files/.git/x", "hidden", 0)
	r.lay("videos", "files/no\xff.mkv", "no UTF-8", 0)
	r.lay("videos", "files/1/2/3/4/5/deep", "deep", 30)
	r.lay("videos", "files/1/2/3/4/5/6/deeper", "deeper", 30)
	r.lay("videos", "own", "its own", 0)
	if got := fmt.Sprint(r.files("videos")); got != "[porch/2026-09-22/b ü.mkv.part list.txt porch/2026-09-21/a.mkv 1/2/3/4/5/deep]" {
		t.Errorf("listed %s", got)
	}
	if !r.plugin("videos").Files || r.plugin("other").Files {
		t.Error("the list of plugins does not say who has files")
	}
	f, info, err := r.OpenFile("videos", "porch/2026-09-21/a.mkv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Seek(2, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(f)
	if err != nil || string(rest) != "der" || info.Size != 5 || time.Since(info.Changed) < 8*time.Minute {
		t.Errorf("read %q of %+v, %v", rest, info, err)
	}
}

// TestNoFileOfSomethingElse: names and links lead nowhere else, and what is no file
// is not opened.
func TestNoFileOfSomethingElse(t *testing.T) {
	r := cabinet(t)
	r.lay("other", "files/theirs", "theirs", 0)
	r.lay("videos", "own", "its own", 0)
	r.lay("videos", "files/a/mine", "mine", 0)
	r.lay("videos", "files/a/.hidden", "hidden", 0)
	r.link("/etc/passwd", "videos/files/absolute")
	r.link("../own", "videos/files/own")
	r.link("../../other/files", "videos/files/folder")
	r.link("a/mine", "videos/files/within")
	r.link("loop", "videos/files/loop")
	pipe := filepath.Join(r.data, "plugins/videos/files/pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"", ".", "/", "..", "../own", "a/../../own", "../../other/files/theirs", "/etc/passwd", "a", "a/", "a//mine", "a/./mine", "./a/mine",
		"a/.hidden", "absolute", "own", "folder/theirs", "theirs", "loop", "pipe", "none", "a/mine/x", "a\x00mine", "no\xff.mkv", `..\own`, strings.Repeat("x", 5000), "a/mine\n",
	} {
		r.missing("videos", name)
	}
	f, _, err := r.OpenFile("videos", "within")
	if err != nil {
		t.Fatalf("a link within the folder: %v", err)
	}
	f.Close()
	if got := fmt.Sprint(r.files("videos")); got != "[a/mine]" {
		t.Errorf("listed %s", got)
	}
}

// TestTheFolderItselfLeadsOut: a plugin that makes its folder a link shows nobody
// what it may not read itself, and the list says why it is none.
func TestTheFolderItselfLeadsOut(t *testing.T) {
	r := cabinet(t)
	r.lay("videos", "own", "its own", 0)
	r.link("/etc", "videos/files")
	if _, err := r.Files("videos"); bridge.CodeOf(err) != bridge.CodeUnavailable || !strings.Contains(err.Error(), "the files of the plugin videos cannot be read: ") {
		t.Errorf("listed: %v", err)
	}
	r.missing("videos", "passwd")
	if !r.plugin("videos").Files {
		t.Error("nobody is told that there is something wrong")
	}
	r.lay("other", "files", "no folder", 0)
	if _, err := r.Files("other"); bridge.CodeOf(err) != bridge.CodeUnavailable {
		t.Errorf("a file in its place: %v", err)
	}
}

// TestTooManyFiles: the list is bounded, and so is the search; the newest days of
// all cameras come first.
func TestTooManyFiles(t *testing.T) {
	r := cabinet(t)
	const each = 140
	for _, camera := range []string{"porch", "yard"} {
		for day := range 3 {
			for n := range each {
				r.lay("videos", fmt.Sprintf("files/%s/2026-09-%02d/%04d.mkv", camera, day, n), "", 1000-day*each-n)
			}
		}
	}
	names := r.files("videos")
	if len(names) != maxListed || names[0] != "yard/2026-09-02/0139.mkv" || names[1] != "porch/2026-09-02/0139.mkv" {
		t.Errorf("listed %d: %q ...", len(names), names[:min(len(names), 10)])
	}
	root, err := r.byName["videos"].openFiles()
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	const folders = 2 + 6
	found, err := lookThrough(root, folders+3*each)
	if err != nil || len(found) != 3*each {
		t.Errorf("looked at %d, %v", len(found), err)
	}
	counts := map[string]int{}
	for _, f := range found {
		counts[filepath.Dir(f.Name)]++
	}
	if counts["porch/2026-09-02"] != each || counts["yard/2026-09-02"] != each || counts["porch/2026-09-00"]+counts["yard/2026-09-00"] > 0 {
		t.Errorf("looked at %v", counts)
	}
}
