package bridge

import (
	"io"
	"strconv"
	"time"
)

// Boundary is the multipart boundary of every MJPEG stream. It has no dashes
// of its own: several clients add or strip them wrongly.
const Boundary = "frame"

const (
	contentType = "Content-Type: image/jpeg\r\n"
	lengthName  = "Content-Length: "
	stampName   = "X-Timestamp: "

	// FirstBoundary opens an MJPEG body, before the first part's headers.
	FirstBoundary = "--" + Boundary + "\r\n"
	// EarlyHeaders are a part's headers in the browser form.
	EarlyHeaders = contentType + "\r\n"

	tailBoundary = "\r\n" + FirstBoundary
	tail         = tailBoundary + EarlyHeaders

	// headRoom is the space before the picture: the longest machine-form header
	// is 26 + 16+8+2 + 13+18+2 + 2 bytes.
	headRoom = 96
)

// Frame is one JPEG picture of one camera. It is a value that holds one shared,
// immutable buffer: everybody sends slices of that buffer, nobody copies or
// recycles it (paho keeps slices it was given). The zero Frame means "none".
//
// The buffer holds the picture in all forms in which it leaves:
//
//	headers with Content-Length | JPEG | CRLF --frame CRLF | headers without length
//	'--------------- Machine ------------------------------'
//	                              '------------ Browser ---------------------------'
type Frame struct {
	Camera      string    // camera id
	Seq         uint64    // 1, 2, 3 ... per camera since the program started
	Received    time.Time // when its last byte arrived, with monotonic clock
	Captured    time.Time // the camera's own clock; zero if it sent none
	Width       int       // pixels
	Height      int       // pixels
	Placeholder bool      // drawn by the bridge because there is no picture

	buf  []byte
	head int // where the machine form begins
	size int // length of the JPEG
}

// IsZero reports whether f is "no frame".
func (f Frame) IsZero() bool { return f.buf == nil }

// JPEG returns the picture. Callers must not change it.
func (f Frame) JPEG() []byte { return f.buf[headRoom : headRoom+f.size : headRoom+f.size] }

// Machine returns one MJPEG part with Content-Length, followed by the boundary.
// The boundary before it was sent with the part before, or as FirstBoundary.
func (f Frame) Machine() []byte {
	end := headRoom + f.size + len(tailBoundary)
	return f.buf[f.head:end:end]
}

// Browser returns the picture followed at once by the boundary and headers of
// the next part: Chromium and WebKit show a part only when the next one's
// headers are complete. FirstBoundary and EarlyHeaders go before the first.
func (f Frame) Browser() []byte { return f.buf[headRoom:] }

// Time is when the picture was taken: the camera's clock if it sent one, else
// the time of arrival.
func (f Frame) Time() time.Time {
	if f.Captured.IsZero() {
		return f.Received
	}
	return f.Captured
}

// Buffer is a camera's message on its way to becoming a Frame: bytes with room
// in front and behind, so that a Frame needs no copy.
type Buffer struct{ b []byte }

// ReadBuffer reads r to its end. guess is the expected size in bytes; a good
// guess means one allocation. A message longer than limit bytes is an *Error
// with CodeTooLarge, and the rest of r is left unread.
func ReadBuffer(r io.Reader, guess, limit int) (Buffer, error) {
	if guess > limit {
		guess = limit
	}
	// One byte more than needed, so that the last Read can see the end.
	b := make([]byte, headRoom, headRoom+guess+len(tail)+1)
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if len(b)-headRoom > limit {
			return Buffer{}, Errorf(CodeTooLarge, "message is larger than %d bytes", limit)
		}
		if err == io.EOF {
			return Buffer{b}, nil
		}
		if err != nil {
			return Buffer{}, err
		}
	}
}

// NewBuffer copies jpeg into a Buffer, for pictures that do not come from a
// reader (placeholders, tests).
func NewBuffer(jpeg []byte) Buffer {
	b := make([]byte, headRoom, headRoom+len(jpeg)+len(tail))
	return Buffer{append(b, jpeg...)}
}

// Bytes returns the message as it arrived.
func (b Buffer) Bytes() []byte { return b.b[headRoom:] }

// Frame turns the buffer into a frame whose JPEG is its first size bytes (what
// follows is padding and is overwritten). The caller fills meta's Camera, Seq,
// Received, Captured, Width, Height and Placeholder, and must not use the
// Buffer again.
func (b Buffer) Frame(size int, meta Frame) Frame {
	meta.buf = append(b.b[:headRoom+size], tail...)
	meta.size = size
	var room [headRoom]byte
	h := append(room[:0], contentType+lengthName...)
	h = strconv.AppendInt(h, int64(size), 10)
	h = append(h, "\r\n"+stampName...)
	h = appendSeconds(h, meta.Time())
	h = append(h, "\r\n\r\n"...)
	meta.head = headRoom - len(h)
	copy(meta.buf[meta.head:], h)
	return meta
}

// appendSeconds writes t as seconds since 1970 with six decimals, the form of
// X-Timestamp in Espressif's and µStreamer's servers.
func appendSeconds(b []byte, t time.Time) []byte {
	micros := max(t.UnixMicro(), 0)
	b = strconv.AppendInt(b, micros/1e6, 10)
	b = append(b, '.')
	frac := micros % 1e6
	for div := int64(1e5); div > 0; div /= 10 {
		b = append(b, byte('0'+frac/div%10))
	}
	return b
}
