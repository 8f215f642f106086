//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// habit is how a viewer reads.
type habit int

const (
	reads habit = iota
	readsSlowly
	readsNever
)

// viewer watches one camera's MJPEG stream.
type viewer struct {
	load   *load
	camera int
	how    habit
	ready  chan struct{} // closed at the first picture
	port   atomic.Int32  // its own end of the connection

	last stamp // of the newest good picture; its number is 0 before the first

	// Read when run has returned; of the window, but for broken.
	frames, missing, broken int
	ages                    []int32 // µs
	headers                 []int32 // µs
}

func (v *viewer) run(ctx context.Context) error {
	conn, err := v.dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	accept := "*/*"
	if v.load.Browser {
		accept = "image/avif,image/webp,image/*,*/*;q=0.8"
	}
	path := "/live/live/" + cameraName(v.camera) + "/mjpeg"
	_, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nAccept: %s\r\n\r\n",
		path, v.load.Server, viewerToken, accept)
	if err != nil {
		return err
	}
	if v.how == readsNever {
		<-ctx.Done()
		return nil
	}
	p, err := openParts(conn)
	if err != nil {
		return err
	}
	return v.watch(p)
}

func (v *viewer) dial(ctx context.Context) (net.Conn, error) {
	d := net.Dialer{Timeout: 10 * time.Second}
	conn, err := d.DialContext(ctx, "tcp", v.load.Server)
	if err != nil {
		return nil, err
	}
	v.port.Store(int32(conn.LocalAddr().(*net.TCPAddr).Port))
	if v.how == reads {
		return conn, nil
	}
	if err := conn.(*net.TCPConn).SetReadBuffer(16 << 10); err != nil { // a small window, as a phone on a bad link has
		return nil, errors.Join(err, conn.Close())
	}
	if v.how == readsSlowly {
		return slowConn{conn, v.load.SlowRate}, nil
	}
	return conn, nil
}

// watch reads pictures until the stream ends.
func (v *viewer) watch(p *parts) error {
	for {
		picture, err := p.next()
		if err != nil {
			return err
		}
		open := v.load.open.Load()
		if open && !p.previous.IsZero() {
			v.headers = append(v.headers, int32(p.headersAt.Sub(p.previous).Microseconds()))
		}
		v.take(picture, p.arrived, open)
	}
}

// take books one picture. Pictures before the first stamped one may be the
// server's own; afterwards every one must be ours, whole and newer, also before
// the window.
func (v *viewer) take(picture []byte, arrived time.Time, open bool) {
	s, ok := readStamp(picture)
	first := v.last.seq == 0
	switch {
	case !ok && first:
		return
	case !ok, !whole(picture), int(s.camera) != v.camera, s.seq <= v.last.seq:
		v.broken++
		return
	case first:
		close(v.ready)
	case open:
		v.missing += int(s.seq - v.last.seq - 1)
	}
	v.last = s
	if open {
		v.frames++
		v.ages = append(v.ages, int32(min(s.age(arrived), time.Minute).Microseconds()))
	}
}

// slowConn reads no more than rate bytes per second.
type slowConn struct {
	net.Conn
	rate int
}

func (c slowConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p[:min(len(p), 2048)])
	time.Sleep(time.Duration(n) * time.Second / time.Duration(c.rate))
	return n, err
}

// parts reads an MJPEG answer, in the form with Content-Length or without.
type parts struct {
	r        *bufio.Reader
	boundary string
	buf      []byte

	headersAt time.Time // when the current part's headers were complete
	arrived   time.Time // when its last byte was there
	previous  time.Time // the same of the part before; zero for the first
}

func openParts(conn io.Reader) (*parts, error) {
	r := bufio.NewReaderSize(conn, 64<<10)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		return nil, err
	}
	kind, params, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if resp.StatusCode != http.StatusOK || err != nil || kind != "multipart/x-mixed-replace" || params["boundary"] == "" {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 300))
		return nil, fmt.Errorf("not an MJPEG stream: %s, Content-Type %q: %s", resp.Status, resp.Header.Get("Content-Type"), text)
	}
	if len(resp.TransferEncoding) > 0 {
		r = bufio.NewReaderSize(resp.Body, 64<<10)
	}
	return &parts{r: r, boundary: "--" + params["boundary"]}, nil
}

// next returns the next picture; it is valid until the call after.
func (p *parts) next() ([]byte, error) {
	length, err := p.header()
	if err != nil {
		return nil, err
	}
	p.previous, p.headersAt = p.arrived, time.Now()
	if length >= 0 {
		p.buf = append(p.buf[:0], make([]byte, length)...)
		_, err = io.ReadFull(p.r, p.buf)
	} else {
		err = p.toEnd()
	}
	p.arrived = time.Now()
	return p.buf, err
}

// header reads the boundary line and the part's headers. The length is -1 if
// they do not say it.
func (p *parts) header() (length int, err error) {
	text := textproto.NewReader(p.r)
	line, err := text.ReadLine()
	if err == nil && line == "" { // ends the picture before
		line, err = text.ReadLine()
	}
	if err != nil {
		return 0, err
	}
	if line != p.boundary {
		return 0, fmt.Errorf("boundary expected, got %.60q", line)
	}
	length = -1
	for {
		line, err := text.ReadLine()
		if err != nil || line == "" {
			return length, err
		}
		if name, value, _ := strings.Cut(line, ":"); strings.EqualFold(name, "Content-Length") {
			if length, err = strconv.Atoi(strings.TrimSpace(value)); err != nil || length < 0 || length > 16<<20 {
				return 0, fmt.Errorf("bad Content-Length %q", value)
			}
		}
	}
}

// toEnd reads up to the end-of-image marker, which stands nowhere else in a
// picture made here.
func (p *parts) toEnd() error {
	p.buf = p.buf[:0]
	for len(p.buf) < 16<<20 {
		chunk, err := p.r.ReadSlice(0xD9)
		p.buf = append(p.buf, chunk...)
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
		if err == nil && whole(p.buf) {
			return nil
		}
	}
	return errors.New("no end of image within 16 MiB")
}
