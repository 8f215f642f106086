//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"github.com/gorilla/websocket"
)

// floor is the least that a relay can be: frames come in by WebSocket and leave
// as MJPEG, at the bridge's paths, without checks, limits, counters or features.
//
//	raw     the goroutine that received a frame writes it to every viewer with
//	        one write(2) each; a viewer that cannot take it whole is dropped
//	hybrid  the same, but what a viewer could not take is left to a goroutine of
//	        its own, so that it hurts nobody else: the least that still isolates
type floor struct {
	hybrid   bool
	upgrader websocket.Upgrader

	mu      sync.Mutex
	cameras map[string]*floorCamera
}

func newFloor(mode string) (*floor, error) {
	if mode != "raw" && mode != "hybrid" {
		return nil, usageError{fmt.Errorf("there is no floor %q: use raw or hybrid", mode)}
	}
	return &floor{
		hybrid:   mode == "hybrid",
		upgrader: websocket.Upgrader{ReadBufferSize: 64 << 10, CheckOrigin: func(*http.Request) bool { return true }},
		cameras:  map[string]*floorCamera{},
	}, nil
}

// runFloor serves until stdin ends, which it does when the benchmark is gone.
func runFloor(ctx context.Context, args []string, stdin io.Reader, out io.Writer) error {
	f, err := newFloor(append(args, "")[0])
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		_, _ = io.Copy(io.Discard, stdin) // its end is the message
		cancel()
	}()
	srv := &http.Server{Handler: f.handler(), ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { _ = srv.Close() }) // hijacked connections end with the process
	fmt.Fprintf(out, "ready http=%s\n", ln.Addr())
	if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (f *floor) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/ingest/ws", f.ingest)
	mux.HandleFunc("/live/live/{camera}/mjpeg", f.mjpeg)
	return mux
}

func (f *floor) camera(id string) *floorCamera {
	f.mu.Lock()
	defer f.mu.Unlock()
	c, ok := f.cameras[id]
	if !ok {
		c = &floorCamera{}
		f.cameras[id] = c
	}
	return c
}

func (f *floor) ingest(w http.ResponseWriter, r *http.Request) {
	ws, err := f.upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // the upgrader has answered
	}
	defer ws.Close()
	if err := ws.WriteMessage(websocket.TextMessage, []byte(`{"type":"ready"}`)); err != nil {
		return
	}
	c := f.camera(r.URL.Query().Get("room"))
	guess := 16 << 10
	for {
		kind, rd, err := ws.NextReader()
		if err != nil {
			return
		}
		if kind != websocket.BinaryMessage {
			continue
		}
		part, err := readPart(rd, guess)
		if err != nil {
			return
		}
		guess = len(part) + len(part)/8
		c.publish(part)
	}
}

const (
	partHeader = "Content-Type: image/jpeg\r\nContent-Length: "
	partTail   = "\r\n--frame\r\n"
	partRoom   = 64 // for the header with its number
)

// readPart reads a picture straight into the part that viewers get.
func readPart(r io.Reader, guess int) ([]byte, error) {
	b := make([]byte, partRoom, partRoom+guess+len(partTail)+1)
	for {
		if len(b) == cap(b) {
			b = slices.Grow(b, 1)
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	header := strconv.AppendInt([]byte(partHeader), int64(len(b)-partRoom), 10)
	header = append(header, "\r\n\r\n"...)
	start := partRoom - len(header)
	copy(b[start:], header)
	return append(b, partTail...)[start:], nil
}

func (f *floor) mjpeg(w http.ResponseWriter, r *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	const head = "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\nConnection: close\r\n\r\n--frame\r\n"
	if _, err := io.WriteString(conn, head); err != nil {
		return
	}
	v, err := newFloorViewer(conn.(*net.TCPConn), f.hybrid)
	if err != nil {
		return
	}
	c := f.camera(r.PathValue("camera"))
	c.add(v)
	left := make(chan struct{})
	go func() {
		defer close(left)
		_, _ = io.Copy(io.Discard, conn) // only a reader notices that a viewer left
	}()
	v.serve(left)
	c.remove(v)
}

type floorCamera struct {
	mu      sync.Mutex
	viewers []*floorViewer
}

func (c *floorCamera) add(v *floorViewer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.viewers = append(c.viewers, v)
}

func (c *floorCamera) remove(v *floorViewer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.viewers = slices.DeleteFunc(c.viewers, func(o *floorViewer) bool { return o == v })
}

// publish holds the lock while it writes, so that no viewer's socket is closed
// under it. Nothing here waits.
func (c *floorCamera) publish(part []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, v := range c.viewers {
		v.offer(part)
	}
}

// floorViewer is one MJPEG connection.
type floorViewer struct {
	conn   *net.TCPConn
	raw    syscall.RawConn
	fd     int
	hybrid bool
	wake   chan struct{}

	attempt func(uintptr) bool // writes out once and sets wrote and errno

	mu    sync.Mutex
	busy  bool   // serve has the socket
	rest  []byte // what the socket did not take
	next  []byte // the newest part since
	out   []byte
	wrote int
	errno syscall.Errno
}

func newFloorViewer(conn *net.TCPConn, hybrid bool) (*floorViewer, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	v := &floorViewer{conn: conn, raw: raw, hybrid: hybrid, wake: make(chan struct{}, 1)}
	v.attempt = func(fd uintptr) bool {
		v.wrote, v.errno = writeOnce(int(fd), v.out)
		return true
	}
	return v, raw.Control(func(fd uintptr) { v.fd = int(fd) })
}

// writeOnce is write(2) without telling the scheduler, which is right only
// because the socket does not block.
func writeOnce(fd int, b []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

func (v *floorViewer) offer(part []byte) {
	if !v.hybrid {
		if n, _ := writeOnce(v.fd, part); n < len(part) {
			_ = v.conn.CloseRead() // ends serve, which removes it
		}
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.busy {
		v.next = part
		return
	}
	v.out = part
	if err := v.raw.Write(v.attempt); err != nil || v.errno != 0 && v.errno != syscall.EAGAIN {
		_ = v.conn.CloseRead()
		return
	}
	if v.wrote < len(part) {
		v.busy, v.rest = true, part[v.wrote:]
		select {
		case v.wake <- struct{}{}:
		default:
		}
	}
}

// serve finishes what did not fit, until the viewer left or takes nothing for
// five seconds.
func (v *floorViewer) serve(left <-chan struct{}) {
	for {
		select {
		case <-left:
			return
		case <-v.wake:
		}
		for b := v.pending(); b != nil; b = v.pending() {
			if v.conn.SetWriteDeadline(time.Now().Add(5*time.Second)) != nil {
				return
			}
			if _, err := v.conn.Write(b); err != nil {
				return
			}
		}
	}
}

func (v *floorViewer) pending() []byte {
	v.mu.Lock()
	defer v.mu.Unlock()
	b := v.rest
	if b == nil {
		b, v.next = v.next, nil
	}
	v.rest = nil
	v.busy = b != nil
	return b
}
