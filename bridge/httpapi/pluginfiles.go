package httpapi

import (
	"fmt"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"
)

// This file lets an admin download what a plugin keeps for people, such as videos.
// Nothing can be brought here or removed. What a file holds is the plugin's: it is
// always saved, never shown as a page of ours.

// pluginFileJSON is a file in a list.
type pluginFileJSON struct {
	Name    string    `json:"name"`
	Size    int64     `json:"size"`
	Changed time.Time `json:"changed"`
}

func (s *Server) listPluginFiles(w http.ResponseWriter, r *http.Request, _ *visit) error {
	p, err := s.findPlugin(r)
	if err != nil {
		return err
	}
	files, err := s.deps.Plugins.Files(p.Instance)
	if err != nil {
		return err
	}
	items := make([]pluginFileJSON, len(files))
	for i, f := range files {
		items[i] = pluginFileJSON{Name: f.Name, Size: f.Size, Changed: f.Changed.UTC()}
	}
	send(w, http.StatusOK, map[string]any{"items": items})
	return nil
}

// pluginFile answers with a file, or the part of it that is asked for.
func (s *Server) pluginFile(w http.ResponseWriter, r *http.Request, v *visit) error {
	p, err := s.findPlugin(r)
	if err != nil {
		return err
	}
	f, info, err := s.deps.Plugins.OpenFile(p.Instance, r.PathValue("path"))
	if err != nil {
		return err
	}
	defer f.Close()
	leave, err := s.seat(v)
	if err != nil {
		return err
	}
	defer leave()
	name := path.Base(info.Name)
	h := w.Header()
	h.Set("Content-Type", fileType(name))
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	h.Set("Cache-Control", "private, no-cache") // a download that broke off may go on
	h.Set("Etag", fmt.Sprintf(`"%x-%x"`, info.Size, info.Changed.UnixNano()))
	http.ServeContent(&patient{ResponseWriter: w, timeout: s.cfg.Timing.Write}, r, "", info.Changed, f)
	return nil
}

// fileType is the media type of a file by its name. What browsers would run is
// not among them.
func fileType(name string) string {
	switch strings.ToLower(path.Ext(name)) {
	case ".mkv":
		return "video/matroska" // RFC 9559
	case ".mp4":
		return "video/mp4"
	case ".avi":
		return "video/x-msvideo"
	case ".jpg", ".jpeg":
		return "image/jpeg"
	case ".png":
		return "image/png"
	case ".json":
		return "application/json"
	case ".csv":
		return "text/csv; charset=utf-8"
	case ".txt", ".log":
		return "text/plain; charset=utf-8"
	}
	return "application/octet-stream"
}
