package httpapi

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

const (
	slowest, fastest = 0.25, 8
	longestGap       = 5 * time.Second // between two pictures of a clip that is played
	largestPart      = 16 << 20        // bytes of one picture of a clip
)

// querySpeed reads how fast a clip is to be played; 0 is "all at once".
func querySpeed(r *http.Request) (float64, error) {
	text := r.URL.Query().Get("speed")
	if text == "" {
		return 0, nil
	}
	speed, err := strconv.ParseFloat(text, 64)
	if err != nil || !(speed >= slowest && speed <= fastest) {
		return 0, bridge.Errorf(bridge.CodeInvalid, "speed is %.20q: it must be from %g to %d, where 1 is as it happened", text, slowest, fastest).At("speed")
	}
	return speed, nil
}

// playClip sends a clip as a stream, at the pace at which it happened times speed.
func (s *Server) playClip(w http.ResponseWriter, r *http.Request, clip io.Reader, speed float64, v *visit) error {
	form, err := styleOf(r)
	if err != nil {
		return err
	}
	if w.Header().Set("X-Accel-Buffering", "no"); r.Method == http.MethodHead {
		return nil
	}
	rc := http.NewResponseController(w)
	p := player{Server: s, v: v, left: r.Context().Done(), speed: speed, rechecked: time.Now()}
	out := &patient{ResponseWriter: w, timeout: s.cfg.Timing.Write}
	p.write = func(parts ...[]byte) error {
		for _, b := range parts {
			if _, err := out.Write(b); err != nil {
				return err
			}
		}
		if err := rc.Flush(); err != nil {
			return err
		}
		return rc.SetWriteDeadline(time.Time{}) // over HTTP/2 one that passes ends the stream, written to or not
	}
	p.run(newClipReader(clip), form)
	return nil
}

// player plays one clip to one client.
type player struct {
	*Server
	v         *visit
	left      <-chan struct{} // the client is gone
	speed     float64
	write     func(...[]byte) error
	rechecked time.Time
}

// run sends the clip's pictures until its end, or until the client leaves, takes
// nothing or may no longer. The last one is closed as such: a browser shows a
// picture only when it sees what follows.
func (p *player) run(clip *clipReader, form style) {
	f, err := clip.next()
	if err != nil || p.write([]byte(form.first)) != nil {
		return
	}
	for {
		following, err := clip.next()
		if err != nil {
			_ = p.write(lastPart(f, form)...) // it ends here, whatever comes of it
			return
		}
		if p.write(form.form(f)) != nil || !p.wait(f, following) {
			return
		}
		f = following
	}
}

// lastPart is a picture with the boundary that ends a stream.
func lastPart(f bridge.Frame, form style) [][]byte {
	part := form.form(f)
	end := len(form.first) // the boundary, and in one form the headers, of a part that does not come
	return [][]byte{part[:len(part)-end], []byte("--" + bridge.Boundary + "--\r\n")}
}

// wait lets the time between two pictures pass; false when it is over.
func (p *player) wait(a, b bridge.Frame) bool {
	gap := time.Duration(float64(b.Time().Sub(a.Time())) / p.speed)
	due := time.NewTimer(min(max(gap, 0), longestGap)) // a clock may have jumped
	defer due.Stop()
	select {
	case <-p.left:
		return false
	case <-p.done:
		return false
	case <-due.C:
	}
	if time.Since(p.rechecked) < p.cfg.Timing.Recheck {
		return true
	}
	p.rechecked = time.Now()
	return p.v.still()
}

// clipReader takes an MJPEG body in machine form apart. What a damaged disk may
// have put into it costs no more than a picture's memory.
type clipReader struct {
	r   *bufio.Reader
	seq uint64
}

func newClipReader(r io.Reader) *clipReader { return &clipReader{r: bufio.NewReader(r)} }

var errClipOver = errors.New("the clip is over")

// next returns the next picture. A part that is cut off, or is none, is the end.
func (c *clipReader) next() (bridge.Frame, error) {
	if line, ok := c.line(); !ok || line != "--"+bridge.Boundary {
		return bridge.Frame{}, errClipOver
	}
	size, at, ok := c.head()
	if !ok {
		return bridge.Frame{}, errClipOver
	}
	b, err := bridge.ReadBuffer(io.LimitReader(c.r, int64(size)), size, size)
	if err != nil || len(b.Bytes()) < size {
		return bridge.Frame{}, errClipOver
	}
	if _, ok := c.line(); !ok { // the line end behind the picture
		return bridge.Frame{}, errClipOver
	}
	c.seq++
	return b.Frame(size, bridge.Frame{Seq: c.seq, Received: at, Captured: at}), nil
}

// maxHeads bounds the header lines of a part.
const maxHeads = 16

// head reads a part's headers: the picture's size in bytes and its time.
func (c *clipReader) head() (size int, at time.Time, ok bool) {
	for range maxHeads {
		line, ok := c.line()
		if !ok {
			return 0, at, false
		}
		if line == "" {
			return size, at, size > 0
		}
		switch name, value, _ := strings.Cut(line, ": "); name {
		case "Content-Length":
			if size, _ = strconv.Atoi(value); size < 1 || size > largestPart {
				return 0, at, false
			}
		case "X-Timestamp":
			if s, err := strconv.ParseFloat(value, 64); err == nil && s >= 0 && s < 1e11 {
				at = time.UnixMicro(int64(s * 1e6))
			}
		}
	}
	return 0, at, false
}

// line reads a short line without its end.
func (c *clipReader) line() (string, bool) {
	b, err := c.r.ReadSlice('\n')
	return strings.TrimRight(string(b), "\r\n"), err == nil
}
