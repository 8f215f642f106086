package ingest

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/hub"
	"github.com/espcam-bridge/espcam-bridge/bridge/wire"
)

// conn is one camera's connection. It is the bridge.Link that fleet gets, so
// Set, Do and Close may come from any goroutine; end is how everybody ends it.
type conn struct {
	// Set at construction.
	in      *Ingest
	ws      *websocket.Conn
	address string
	hold    time.Duration // nothing is written before, unless the camera spoke
	spoke   chan struct{} // closed by the reader when the camera's first bytes came
	over    chan struct{} // closed by end
	written chan struct{} // closed by the writer when it is done

	out      outbox
	requests requests

	// Instants since in.start in nanoseconds, set by the reader for the watch.
	heard  atomic.Int64  // the last sign of life
	began  atomic.Int64  // the message that is being read; 0: none
	active atomic.Int64  // what last showed that the camera is not idle
	pinged time.Duration // the same, owned by the watch

	mu      sync.Mutex
	reason  bridge.Reason // why it is over; "" while it is not
	closeBy time.Time     // when the TCP connection ends at the latest

	// Owned by the reader.
	session bridge.Session // nil if refused
	feed    *hub.Feed
	dialect dialect
	talking bool // spoke is closed
	paused  bool // the camera said that it sends no pictures
	guess   int  // size of the next frame in bytes
	bad     int  // damaged frames in a row
	frames  bucket
	texts   bucket
	text    bytes.Buffer
	limited io.LimitedReader
}

// dialect is what differs between the cameras that use this endpoint. All its
// methods are called by the reader.
type dialect interface {
	// hear takes a text message of the camera and reports whether it had a use.
	hear(wire.Message) bool
	// garbled takes the error of a text that is no message.
	garbled(error)
	// anyMessageCounts reports whether each message shows that the camera is
	// not idle; else only accepted frames do.
	anyMessageCounts() bool
}

var _ bridge.Link = (*conn)(nil)

func newConn(in *Ingest, ws *websocket.Conn, r *http.Request) *conn {
	c := &conn{
		in: in, ws: ws, address: r.RemoteAddr,
		spoke: make(chan struct{}), over: make(chan struct{}), written: make(chan struct{}),
		out:   outbox{wake: make(chan struct{}, 1)},
		guess: firstGuess,
	}
	// This client throws away what follows the 101 in the same read.
	if strings.HasPrefix(r.UserAgent(), "ESP32 Websocket Client") {
		c.hold = in.cfg.Timing.Hold
	}
	now := in.instant(in.cfg.Now())
	c.heard.Store(int64(now))
	c.active.Store(int64(now))
	c.pinged = now
	ws.SetPingHandler(func(data string) error {
		c.signOfLife()
		c.out.answer(data)
		return nil
	})
	ws.SetPongHandler(func(string) error {
		c.signOfLife()
		return nil
	})
	// The writer answers a close frame, in farewell.
	ws.SetCloseHandler(func(int, string) error { return nil })
	return c
}

// instant is t as connections keep it: monotonic, since the endpoint began.
func (in *Ingest) instant(t time.Time) time.Duration { return t.Sub(in.start) }

// run lives as long as the connection.
func (c *conn) run(claim bridge.Claim, malformed bridge.Reason) {
	go c.write()
	c.enter(claim, malformed)
	err := c.read()
	if errors.Is(err, websocket.ErrReadLimit) && c.session != nil {
		c.tooLarge() // it claimed a length beyond all numbers
	}
	c.end(reasonOf(err))
	if c.session != nil {
		c.in.counts.ended.add(c.reason)
		c.in.log.Debug("camera connection over", "event", "camera_disconnected",
			"camera", c.session.Camera(), "reason", c.reason, "err", err)
		c.session.End(c.reason)
	}
	c.linger()
}

// enter gets the camera admitted and says so, or refuses it.
func (c *conn) enter(claim bridge.Claim, reason bridge.Reason) {
	var err error
	if reason == "" {
		c.session, reason, err = c.in.admit(claim, c)
	}
	if reason != "" {
		c.end(c.in.refused(reason, c.address, err))
		return
	}
	camera := c.session.Camera()
	c.feed = c.in.hub.Feed(camera)
	c.dialect = streamHub{c}
	c.out.text(c.ready(camera, claim.Room))
	c.in.log.Debug("camera connected", "event", "camera_connected", "camera", camera, "address", c.address)
}

// read takes in what the camera sends, until there is nothing more to read. Its
// error is never nil. Once the connection is over it throws everything away:
// a camera that is being closed must not be cut in the middle of a write, or it
// never reads why.
func (c *conn) read() error {
	for {
		kind, r, err := c.ws.NextReader()
		if err != nil {
			return err
		}
		if c.isOver() {
			continue
		}
		now := c.signOfLife()
		c.began.Store(int64(c.in.instant(now)))
		if kind == websocket.BinaryMessage {
			err = c.binary(r, now)
		} else {
			err = c.textual(r, now)
		}
		if err != nil {
			return err
		}
		c.began.Store(0)
	}
}

// signOfLife notes that something came, and when. A camera that is switched off
// or paused is not idle; its time begins anew when it is wanted again.
func (c *conn) signOfLife() time.Time {
	now := c.in.cfg.Now()
	c.heard.Store(int64(c.in.instant(now)))
	if !c.talking {
		c.talking = true
		close(c.spoke)
	}
	if c.session != nil && (c.paused || !c.session.Wanted()) {
		c.keepActive(now)
	}
	return now
}

func (c *conn) keepActive(now time.Time) { c.active.Store(int64(c.in.instant(now))) }

// reasonOf says what the reader's error means.
func reasonOf(err error) bridge.Reason {
	var closed *websocket.CloseError
	var network net.Error
	switch {
	case errors.As(err, &closed) && closed.Code != websocket.CloseAbnormalClosure:
		return bridge.ReasonNormal
	case closed != nil, errors.As(err, &network), errors.Is(err, net.ErrClosed):
		return bridge.ReasonLost
	}
	return bridge.ReasonProtocol // gorilla has sent code 1002
}

// Close implements bridge.Link.
func (c *conn) Close(r bridge.Reason) { c.end(r) }

// end ends the connection for that reason, unless another was first. It does
// not wait: the writer says why, the reader goes on until the camera has hung
// up or the grace is over.
func (c *conn) end(r bridge.Reason) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reason != "" {
		return
	}
	c.reason = r
	c.closeBy = time.Now()
	if r != bridge.ReasonLost {
		c.closeBy = c.closeBy.Add(c.hold + c.in.cfg.Timing.Grace)
	}
	c.ws.NetConn().SetDeadline(c.closeBy)
	close(c.over)
}

func (c *conn) isOver() bool {
	select {
	case <-c.over:
		return true
	default:
		return false
	}
}

// write sends what is in the outbox, and at the end the reason. There is no
// deadline: after one, the connection could never be written to again, and a
// camera that reads late is a good camera.
func (c *conn) write() {
	defer close(c.written)
	c.holdBack()
	for {
		select {
		case <-c.over:
			c.farewell()
			return
		case <-c.out.wake:
			c.flush()
		}
	}
}

func (c *conn) holdBack() {
	t := time.NewTimer(c.hold)
	defer t.Stop()
	select {
	case <-t.C:
	case <-c.spoke:
	}
}

func (c *conn) flush() {
	for !c.isOver() {
		l := c.out.next()
		if l == nil {
			return
		}
		if c.send(l) != nil {
			c.out.fail()
		}
	}
}

func (c *conn) send(l *letter) error {
	if l.kind == websocket.TextMessage {
		return c.ws.WriteMessage(l.kind, l.data)
	}
	return c.ws.WriteControl(l.kind, l.data, time.Time{})
}

// farewell tells the camera why and ends our direction of the connection, for
// which some clients wait. Errors do not matter any more.
func (c *conn) farewell() {
	if c.reason != bridge.ReasonLost && c.reason != bridge.ReasonProtocol {
		c.ws.SetWriteDeadline(c.closeBy)
		if text := wire.ErrorText(c.reason); text != nil {
			c.ws.WriteMessage(websocket.TextMessage, text)
		}
		closing := websocket.FormatCloseMessage(wire.CloseCode(c.reason), string(c.reason))
		c.ws.WriteControl(websocket.CloseMessage, closing, c.closeBy)
	}
	if half, ok := c.ws.NetConn().(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
	}
}

// linger ends the connection when both sides have, or the grace is over. What
// the camera still sends is read: a socket that is closed with unread bytes
// sends a reset, and the camera would lose the reason.
func (c *conn) linger() {
	io.Copy(io.Discard, c.ws.NetConn()) // ends by closeBy
	t := time.NewTimer(time.Until(c.closeBy))
	defer t.Stop()
	select {
	case <-c.written:
	case <-t.C:
	}
	c.ws.Close()
	<-c.written
}
