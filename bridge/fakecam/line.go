package fakecam

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// line is one WebSocket connection. A goroutine of its own reads; whoever dialled
// is the only one to write, so that a pong waits for a picture as it does on a
// board. Pictures are framed here, like the firmware's: masked with zeros, which
// needs no second copy, in one frame or in fragments.
type line struct {
	ws  *websocket.Conn
	raw net.Conn
	buf []byte // reused for every picture

	inbox chan heard    // closed when the connection is over
	quit  chan struct{} // closed by close
	once  sync.Once
	err   error // why it is over; good once inbox is closed
}

// heard is a text, ping or pong from the server.
type heard struct {
	kind int // websocket.TextMessage, PingMessage, PongMessage
	data []byte
}

const (
	dialTime  = 10 * time.Second
	writeTime = 10 * time.Second
	maxHeard  = 1 << 20 // bytes of a message; a server's texts are far smaller
)

// dialling is how a dialect opens its connection.
type dialling struct {
	header       http.Header
	query        string // the key, if it goes into the URL
	subprotocols []string
	insecure     bool          // do not look at the server's certificate
	silence      time.Duration // the connection is over after that long without a byte; 0: never
}

func dial(ctx context.Context, url string, d dialling) (*line, error) {
	dialer := websocket.Dialer{
		NetDialContext:   (&net.Dialer{}).DialContext,
		TLSClientConfig:  &tls.Config{InsecureSkipVerify: d.insecure},
		HandshakeTimeout: dialTime,
		Subprotocols:     d.subprotocols,
		WriteBufferSize:  4096,
	}
	ws, response, err := dialer.DialContext(ctx, url, d.header)
	if err != nil {
		if response != nil {
			err = errors.New("server answered " + response.Status)
		}
		return nil, err
	}
	l := &line{ws: ws, raw: ws.NetConn(), inbox: make(chan heard, 16), quit: make(chan struct{})}
	ws.SetReadLimit(maxHeard)
	ws.SetPingHandler(func(data string) error { return l.deliver(heard{websocket.PingMessage, []byte(data)}, d.silence) })
	ws.SetPongHandler(func(data string) error { return l.deliver(heard{websocket.PongMessage, []byte(data)}, d.silence) })
	l.awake(d.silence)
	go l.read(d.silence)
	return l, nil
}

func (l *line) awake(silence time.Duration) {
	if silence > 0 {
		_ = l.ws.SetReadDeadline(time.Now().Add(silence)) // fails only on a closed connection, which read sees
	}
}

func (l *line) read(silence time.Duration) {
	defer close(l.inbox)
	for {
		kind, data, err := l.ws.ReadMessage()
		if err == nil && kind == websocket.TextMessage {
			err = l.deliver(heard{kind, data}, silence)
		}
		if err != nil {
			l.err = err
			return
		}
	}
}

var errClosed = errors.New("closed")

// deliver waits until the camera takes what was heard.
func (l *line) deliver(h heard, silence time.Duration) error {
	l.awake(silence)
	select {
	case l.inbox <- h:
		return nil
	case <-l.quit:
		return errClosed
	}
}

// close breaks the connection without a close frame and waits for the reader.
func (l *line) close() {
	l.once.Do(func() {
		close(l.quit)
		_ = l.raw.Close()
	})
	for range l.inbox { // until the reader closes it
	}
}

// bye says that the camera goes on purpose.
func (l *line) bye() {
	text := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	_ = l.ws.WriteControl(websocket.CloseMessage, text, time.Now().Add(time.Second))
}

func (l *line) text(b []byte) error {
	_ = l.ws.SetWriteDeadline(time.Now().Add(writeTime))
	return l.ws.WriteMessage(websocket.TextMessage, b)
}

func (l *line) control(kind int, data []byte) error {
	return l.ws.WriteControl(kind, data, time.Now().Add(writeTime))
}

// picture sends b as one binary message, in fragments of that many bytes (0:
// unfragmented).
func (l *line) picture(b []byte, fragment int) error {
	opcode := byte(websocket.BinaryMessage)
	for first := true; first || len(b) > 0; first = false {
		part := b
		if fragment > 0 && len(part) > fragment {
			part = part[:fragment]
		}
		b = b[len(part):]
		if len(b) == 0 {
			opcode |= 0x80 // the last one
		}
		if err := l.write(l.frame(opcode, part)); err != nil {
			return err
		}
		opcode = 0 // continuation
	}
	return nil
}

// frame puts a header before b. The mask is zero, as the common client library's
// is, and 65,535 bytes get the long form of the length, which is not the
// shortest: the same library does that.
func (l *line) frame(opcode byte, b []byte) []byte {
	const masked = 0x80
	f := append(l.buf[:0], opcode)
	switch n := len(b); {
	case n < 126:
		f = append(f, masked|byte(n))
	case n < 65535:
		f = binary.BigEndian.AppendUint16(append(f, masked|126), uint16(n))
	default:
		f = binary.BigEndian.AppendUint64(append(f, masked|127), uint64(n))
	}
	f = append(f, 0, 0, 0, 0)
	l.buf = append(f, b...)
	return l.buf
}

func (l *line) write(b []byte) error {
	if err := l.raw.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return err
	}
	_, err := l.raw.Write(b)
	return err
}

// dribble sends b byte by byte, a thousand a second.
func (l *line) dribble(ctx context.Context, b []byte) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	f := l.frame(websocket.BinaryMessage|0x80, b)
	for i := range f {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if err := l.write(f[i : i+1]); err != nil {
			return err
		}
	}
	return nil
}
