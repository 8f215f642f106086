//go:build linux || darwin

package httpapi

import (
	"crypto/tls"
	"errors"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// shortcut writes to a TCP socket without waiting, from any goroutine. It costs
// one write(2), no allocation and no wake-up of another goroutine, which is
// what a frame for many viewers otherwise costs most.
//
// It goes through syscall.RawConn, which keeps the descriptor from being closed
// and reused meanwhile. The caller makes sure that nobody else is writing.
type shortcut struct {
	raw     syscall.RawConn
	attempt func(fd uintptr) bool // made once, so that a write allocates nothing
	out     []byte
	wrote   int
	err     error
}

// newShortcut returns nil where there is none: over TLS, whose records cannot
// be written in halves.
func newShortcut(c net.Conn) *shortcut {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil
	}
	s := &shortcut{raw: raw}
	s.attempt = func(fd uintptr) bool {
		s.wrote, s.err = unix.Write(int(fd), s.out)
		return true // once, whatever came of it
	}
	return s
}

// write writes what fits into the socket now, which may be nothing.
func (s *shortcut) write(b []byte) (int, error) {
	s.out, s.wrote, s.err = b, 0, nil
	err := s.raw.Write(s.attempt)
	s.out = nil
	if err == nil {
		err = s.err
	}
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
		return 0, nil
	}
	return max(s.wrote, 0), err
}

// notSent is how much of a stream the kernel may hold unsent. Every byte there
// is an old picture: without the limit a slow viewer is seconds behind.
const notSent = 16 << 10

// tune limits what the kernel holds for a viewer. A kernel that cannot leaves
// slow viewers further behind, nothing else.
func tune(c net.Conn) {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return
	}
	if raw, err := tcp.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) {
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, notSent)
		})
	}
}
