package httpapi

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// page is the static files of Deps.Web, ready to send. One hash over all of
// them names the directory of the assets, so that they may be cached for ever
// and still import each other by relative paths.
type page struct {
	hash  string
	index file
	files map[string]file
}

// file is one file in both forms in which it is sent.
type file struct {
	kind   string // Content-Type
	plain  []byte
	zipped []byte // nil if it does not gain
}

// assetsMark stands in index.html where the directory of the assets goes.
const assetsMark = "{{assets}}"

// newPage reads all files once. Without a page there is nothing at "/".
func newPage(web fs.FS) (*page, error) {
	p := &page{files: map[string]file{}}
	if web == nil {
		return p, nil
	}
	sum := sha256.New()
	err := fs.WalkDir(web, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(web, name)
		fmt.Fprintf(sum, "%s %d\n%s", name, len(b), b)
		p.files[name] = newFile(name, b)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("page: %w", err)
	}
	index, ok := p.files["index.html"]
	if !ok || !bytes.Contains(index.plain, []byte(assetsMark)) {
		return nil, fmt.Errorf("page: index.html is missing, or does not contain %s", assetsMark)
	}
	p.hash = fmt.Sprintf("%x", sum.Sum(nil)[:8])
	p.index = newFile("index.html", bytes.ReplaceAll(index.plain, []byte(assetsMark), []byte("assets/"+p.hash)))
	return p, nil
}

func newFile(name string, b []byte) file {
	f := file{kind: kindOf(name), plain: b}
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		panic(err) // the level is right
	}
	_, _ = z.Write(b) // into memory
	_ = z.Close()
	if out.Len() < len(b)*9/10 {
		f.zipped = out.Bytes()
	}
	return f
}

// kindOf does not ask the system's table, which differs between machines.
func kindOf(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js", ".mjs":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".json", ".map":
		return "application/json"
	case ".webmanifest":
		return "application/manifest+json"
	case ".svg":
		return "image/svg+xml"
	case ".png":
		return "image/png"
	case ".ico":
		return "image/x-icon"
	case ".woff2":
		return "font/woff2"
	case ".txt":
		return "text/plain; charset=utf-8"
	}
	return "application/octet-stream"
}

func (f file) send(w http.ResponseWriter, r *http.Request, etag string) {
	h := w.Header()
	h.Set("ETag", etag)
	h.Add("Vary", "Accept-Encoding")
	if matches(r.Header.Get("If-None-Match"), etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	body := f.plain
	if f.zipped != nil && acceptsGzip(r) {
		body = f.zipped
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("Content-Type", f.kind)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // a client that left is no fault
}

func matches(header, etag string) bool {
	for tag := range strings.SplitSeq(header, ",") {
		if strings.TrimSpace(tag) == etag {
			return true
		}
	}
	return false
}

func acceptsGzip(r *http.Request) bool {
	for coding := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		kind, params, err := mime.ParseMediaType(strings.TrimSpace(coding))
		if err == nil && kind == "gzip" && params["q"] != "0" {
			return true
		}
	}
	return false
}

// index is the page, the same for everybody: who has no session finds out from
// api/v1/me and is asked for a token. A token in the address becomes a session
// and leaves the address.
func (s *Server) index(w http.ResponseWriter, r *http.Request, v *visit) error {
	if s.page.hash == "" {
		return bridge.Errorf(bridge.CodeNotFound, "this bridge was built without its page")
	}
	if token := r.URL.Query().Get("token"); token != "" {
		if s.cfg.Auth {
			if err := s.openSession(w, r, v, token); err != nil {
				return err
			}
		}
		http.Redirect(w, r, v.prefix+"/", http.StatusSeeOther)
		return nil
	}
	w.Header().Set("Cache-Control", "no-cache")
	s.page.index.send(w, r, `W/"`+s.page.hash+`"`)
	return nil
}

func (s *Server) asset(w http.ResponseWriter, r *http.Request, _ *visit) error {
	f, ok := s.page.files[r.PathValue("file")]
	if !ok || r.PathValue("hash") != s.page.hash {
		return bridge.Errorf(bridge.CodeNotFound, "there is nothing at %.80q: reload the page", r.URL.Path)
	}
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	f.send(w, r, `W/"`+s.page.hash+`"`)
	return nil
}

//go:embed play
var playFiles embed.FS

// playPage is one camera, full window, for frames in other pages and for walls.
var playPage = template.Must(template.ParseFS(playFiles, "play/play.html"))

func (s *Server) play(w http.ResponseWriter, r *http.Request, v *visit) error {
	query := url.Values{"early": {"1"}}
	if v.byURL != "" {
		query.Set("token", v.byURL)
	}
	if fps := r.URL.Query().Get("fps"); fps != "" {
		query.Set("fps", fps)
	}
	var out bytes.Buffer
	if err := playPage.Execute(&out, map[string]string{
		"Name": v.camera.Name,
		"Src":  "../../live/" + s.cfg.App + "/" + v.camera.ID + "/mjpeg?" + query.Encode(),
	}); err != nil {
		return err
	}
	w.Header().Set("Content-Type", kindOf("play.html"))
	_, _ = w.Write(out.Bytes()) // a client that left is no fault
	return nil
}

// playAsset serves the style and the script of that page.
func (s *Server) playAsset(w http.ResponseWriter, r *http.Request, _ *visit) error {
	name := r.PathValue("file")
	b, err := playFiles.ReadFile("play/" + name)
	if err != nil || path.Ext(name) == ".html" {
		return bridge.Errorf(bridge.CodeNotFound, "there is nothing at %.80q", r.URL.Path)
	}
	w.Header().Set("Cache-Control", "no-cache")
	newFile(name, b).send(w, r, fmt.Sprintf(`W/"%x"`, sha256.Sum256(b)))
	return nil
}
