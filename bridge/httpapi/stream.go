package httpapi

import (
	"bytes"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// style is one of the two forms of an MJPEG stream.
type style struct {
	first string // what goes before the first part
	form  func(bridge.Frame) []byte
}

// styleOf chooses the form: browsers, which say in Accept that they want an
// image, get the next part's headers with each picture, because they show a
// picture only then. Machines get a Content-Length.
func styleOf(r *http.Request) (style, error) {
	machine := style{bridge.FirstBoundary, bridge.Frame.Machine}
	browser := style{bridge.FirstBoundary + bridge.EarlyHeaders, bridge.Frame.Browser}
	q := r.URL.Query()
	switch {
	case q.Get("style") == "length":
		return machine, nil
	case q.Has("style"):
		return machine, bridge.Errorf(bridge.CodeInvalid, "style is %.20q: it may be length, or be left out", q.Get("style")).At("style")
	case q.Get("early") == "1", strings.Contains(r.Header.Get("Accept"), "image/"):
		return browser, nil
	}
	return machine, nil
}

func queryFPS(r *http.Request) (float64, error) {
	text := r.URL.Query().Get("fps")
	if text == "" {
		return 0, nil
	}
	fps, err := strconv.ParseFloat(text, 64)
	if err != nil || !(fps >= 0.01 && fps <= 1000) {
		return 0, bridge.Errorf(bridge.CodeInvalid, "fps is %.20q: it must be from 0.01 to 1000", text).At("fps")
	}
	return fps, nil
}

// seat counts a stream: Close waits for it, and there may be only so many.
func (s *Server) seat(v *visit) (leave func(), err error) {
	end, err := s.begin()
	if err != nil {
		return nil, err
	}
	rise, err := s.seats.take(v.address)
	if err != nil {
		end()
		return nil, err
	}
	return func() { rise(); end() }, nil
}

func (s *Server) mjpeg(w http.ResponseWriter, r *http.Request, v *visit) error {
	form, err := styleOf(r)
	if err != nil {
		return err
	}
	fps, err := queryFPS(r)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "multipart/x-mixed-replace; boundary="+bridge.Boundary)
	h.Set("X-Accel-Buffering", "no")
	if r.Method == http.MethodHead {
		return nil
	}
	leave, err := s.seat(v)
	if err != nil {
		h.Del("X-Accel-Buffering")
		return err
	}
	defer leave()
	if r.ProtoMajor == 1 {
		h.Set("Connection", "close")
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			s.mjpegSocket(conn, h, form, fps, v)
			return nil
		}
	}
	s.mjpegFlush(w, r, form, fps, v)
	return nil
}

// mjpegSocket serves a stream on the connection itself: one write a frame, no
// copy, no chunks.
func (s *Server) mjpegSocket(conn net.Conn, h http.Header, form style, fps float64, v *visit) {
	defer s.hold(conn)()
	write := func(b []byte) error {
		if err := conn.SetWriteDeadline(time.Now().Add(s.cfg.Timing.Write)); err != nil {
			return err
		}
		if _, err := conn.Write(b); err != nil {
			return err
		}
		return conn.SetWriteDeadline(time.Time{}) // one that passed would stop the shortcut
	}
	var head bytes.Buffer
	head.WriteString("HTTP/1.1 200 OK\r\n")
	h.Set("Date", s.now().UTC().Format(http.TimeFormat))
	_ = h.Write(&head) // into memory
	head.WriteString("\r\n" + form.first)
	if write(head.Bytes()) != nil {
		return
	}
	tune(conn)
	left := make(chan struct{})
	go func() {
		defer close(left)
		readAway(conn)
	}()
	s.view(outlet{form: form.form, write: write, shortcut: newShortcut(conn)}, fps, v, left)
	conn.Close()
	<-left
}

// readAway reads until the client is gone: only a reader notices that.
func readAway(conn net.Conn) {
	var b [64]byte
	for {
		if _, err := conn.Read(b[:]); err != nil {
			return
		}
	}
}

// mjpegFlush serves a stream where the connection is not ours: over HTTP/2.
func (s *Server) mjpegFlush(w http.ResponseWriter, r *http.Request, form style, fps float64, v *visit) {
	w.Header().Del("Connection")
	rc := http.NewResponseController(w)
	write := func(b []byte) error {
		if err := rc.SetWriteDeadline(time.Now().Add(s.cfg.Timing.Write)); err != nil {
			return err
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
		if err := rc.Flush(); err != nil {
			return err
		}
		return rc.SetWriteDeadline(time.Time{}) // over HTTP/2 one that passes ends the stream, written to or not
	}
	if write([]byte(form.first)) == nil {
		s.view(outlet{form: form.form, write: write}, fps, v, r.Context().Done())
	}
}

// view makes a viewer of the visit's camera and runs it to its end.
func (s *Server) view(o outlet, fps float64, v *visit, left <-chan struct{}) {
	camera := v.camera.ID
	feed := s.deps.Hub.Feed(camera)
	o.skipped = func() { feed.Drop(bridge.DropSlow) }
	viewer := newViewer(o, fps, s.now)
	feed.Join(viewer)
	defer feed.Leave(viewer)
	picture := func() bridge.Frame { return s.picture(camera) }
	if viewer.show(picture) {
		viewer.run(watch{left: left, closing: s.done, still: v.still, picture: picture, timing: s.cfg.Timing})
	}
}

// picture returns what there is to see of a camera now: its newest frame while
// it is online, else a placeholder. It is zero for a camera that is gone.
func (s *Server) picture(camera string) bridge.Frame {
	c, err := s.deps.Fleet.Camera(camera)
	if err != nil || c.ID != camera {
		return bridge.Frame{}
	}
	if c.State == bridge.Online && c.Enabled {
		if f := s.deps.Hub.Latest(camera); !f.IsZero() {
			return f
		}
	}
	return s.painter.placeholder(c)
}
