package httpapi_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/httpapi"
)

// drawer is an open file in memory.
type drawer struct {
	*bytes.Reader
	close func()
}

func (d drawer) Close() error {
	d.close()
	return nil
}

var changed = time.Date(2026, 9, 21, 14, 13, 20, 5000, time.UTC)

const clip = "the content of a clip"

// Files are those of phone; old has none that can be read.
func (s *shelf) Files(name string) ([]bridge.PluginFile, error) {
	if name != "phone" {
		return nil, bridge.Errorf(bridge.CodeUnavailable, "the files of the plugin %s cannot be read", name)
	}
	return []bridge.PluginFile{{Name: "porch/a ü.mkv", Size: int64(len(clip)), Changed: changed}, {Name: "page.html", Changed: changed}}, s.note("%s files", name)
}

// OpenFile opens whatever it has by that very name.
func (s *shelf) OpenFile(instance, name string) (io.ReadSeekCloser, bridge.PluginFile, error) {
	if err := s.note("%s open %s", instance, name); err != nil {
		return nil, bridge.PluginFile{}, err
	}
	if instance != "phone" || !slices.Contains([]string{"porch/a ü.mkv", "porch/a.mkv", "page.html", `odd"name;.JPG`}, name) {
		return nil, bridge.PluginFile{}, bridge.Errorf(bridge.CodeNotFound, "the plugin %s has no file %.200q", instance, name)
	}
	return drawer{bytes.NewReader([]byte(clip)), func() { _ = s.note("closed") }}, bridge.PluginFile{Name: name, Size: int64(len(clip)), Changed: changed}, nil
}

func TestPluginFiles(t *testing.T) {
	s := newShelf()
	w := open(t, httpapi.Config{}, s.with)
	want := `{"items":[{"name":"porch/a ü.mkv","size":21,"changed":"2026-09-21T14:13:20.000005Z"},{"name":"page.html","size":0,"changed":"2026-09-21T14:13:20.000005Z"}]}`
	if got := w.get(phonePath + "/files"); strings.TrimSpace(string(got.body)) != want {
		t.Errorf("got  %s\nwant %s", got.body, want)
	}
	w.get("/api/v1/plugins/old/files").fails(t, 503, bridge.CodeUnavailable, "cannot be read")
	w.get("/api/v1/plugins/nobody/files").fails(t, 404, bridge.CodeNotFound, "no plugin instance")
	s.change("phone", func(p *bridge.Plugin) { p.Files = true })
	if got := w.get(phonePath); !strings.Contains(string(got.body), `"files":true`) {
		t.Errorf("phone is %s", got.body)
	}
}

func TestDownloadOfAPluginsFile(t *testing.T) {
	s := newShelf()
	w := open(t, httpapi.Config{}, s.with)
	for _, c := range []struct{ path, kind, disposition string }{
		{"porch/a%20%C3%BC.mkv", "video/matroska", "attachment; filename*=utf-8''a%20%C3%BC.mkv"},
		{"porch%2Fa.mkv", "video/matroska", "attachment; filename=a.mkv"},
		{"page.html", "application/octet-stream", "attachment; filename=page.html"},
		{"odd%22name;.JPG", "image/jpeg", `attachment; filename="odd\"name;.JPG"`},
	} {
		got := w.get(phonePath + "/files/" + c.path)
		if got.StatusCode != 200 || string(got.body) != clip {
			t.Errorf("%s: %s %s", c.path, got.Status, got.body)
		}
		for name, value := range map[string]string{
			"Content-Type": c.kind, "Content-Disposition": c.disposition, "X-Content-Type-Options": "nosniff", "Accept-Ranges": "bytes",
			"Last-Modified": "Mon, 21 Sep 2026 14:13:20 GMT", "Cache-Control": "private, no-cache", "Cross-Origin-Resource-Policy": "same-origin",
		} {
			if got.Header.Get(name) != value {
				t.Errorf("%s: %s is %q, want %q", c.path, name, got.Header.Get(name), value)
			}
		}
	}
	if done := s.did(); !slices.Equal(done[:2], []string{"phone open porch/a ü.mkv", "closed"}) || len(done) != 8 {
		t.Errorf("done %q", done)
	}
}

func TestPartOfAPluginsFile(t *testing.T) {
	s := newShelf()
	w := open(t, httpapi.Config{}, s.with)
	const path = phonePath + "/files/porch/a.mkv"
	part := w.get(path, "Range: bytes=4-10")
	if part.StatusCode != http.StatusPartialContent || string(part.body) != clip[4:11] || part.Header.Get("Content-Range") != fmt.Sprintf("bytes 4-10/%d", len(clip)) {
		t.Errorf("part: %s %v %q", part.Status, part.Header, part.body)
	}
	tag := part.Header.Get("Etag")
	if rest := w.get(path, "Range: bytes=11-", "If-Range: "+tag); rest.StatusCode != http.StatusPartialContent || string(rest.body) != clip[11:] {
		t.Errorf("the rest of it: %s %q", rest.Status, rest.body)
	}
	if whole := w.get(path, "Range: bytes=11-", `If-Range: "another"`); whole.StatusCode != 200 || string(whole.body) != clip {
		t.Errorf("the rest of another: %s %q", whole.Status, whole.body)
	}
	if same := w.get(path, "If-None-Match: "+tag); same.StatusCode != http.StatusNotModified {
		t.Errorf("the same again: %s", same.Status)
	}
	w.get(path, "Range: bytes=1000-").fails(t, http.StatusRequestedRangeNotSatisfiable, bridge.CodeInvalid, "shorter than the range")
	if head := w.ask(http.MethodHead, path, ""); head.StatusCode != 200 || head.Header.Get("Content-Length") != fmt.Sprint(len(clip)) || len(head.body) > 0 {
		t.Errorf("HEAD: %s %v", head.Status, head.Header)
	}
}

// TestPathsOfPluginFiles: a path that means another folder is refused before
// anybody is asked, and what is asked for is asked for by that very name.
func TestPathsOfPluginFiles(t *testing.T) {
	s := newShelf()
	w := open(t, httpapi.Config{}, s.with)
	for _, path := range []string{
		"/files/../own", "/files/..%2fown", "/files/%2e%2e/own", "/files/%2e%2e%2fown", "/files/porch/../../own", "/files/porch%2f..%2f..%2fown",
		"/files//etc/passwd", "/files/%2fetc/passwd", "/files/./page.html", "/files/porch//a.mkv", "/../../x/../../etc/passwd",
	} {
		w.get(phonePath+path).fails(t, 404, bridge.CodeNotFound, "there is nothing at")
	}
	w.get("/api/v1/plugins/..%2fphone/files/page.html").fails(t, 404, bridge.CodeNotFound, "there is nothing at")
	w.get("/api/v1/plugins/Phone/files/page.html").fails(t, 404, bridge.CodeNotFound, "no plugin instance")
	if got := s.did(); len(got) > 0 {
		t.Errorf("somebody was asked: %q", got)
	}
	for path, name := range map[string]string{
		"": "", "porch": "porch", "porch/": "porch/", "none.mkv": "none.mkv", "page.html/": "page.html/", "%252e%252e/own": "%2e%2e/own",
		`..%5cown`: `..\own`, "a%00b": "a\x00b", "own%0d%0aX-Other:%201": "own\r\nX-Other: 1", strings.Repeat("x", 3000): strings.Repeat("x", 3000),
	} {
		got := w.get(phonePath + "/files/" + path)
		got.fails(t, 404, bridge.CodeNotFound, "has no file")
		if asked := s.did(); asked[len(asked)-1] != "phone open "+name || got.Header.Get("X-Other") != "" || len(got.body) > 400 {
			t.Errorf("%.80s: asked for %.80q, answered %s", path, asked[len(asked)-1], got.body)
		}
	}
	w.get("/api/v1/plugins/old/files/page.html").fails(t, 404, bridge.CodeNotFound, "the plugin old has no file")
}
