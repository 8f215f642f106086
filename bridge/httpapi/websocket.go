package httpapi

import (
	"encoding/binary"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/wire"
)

// The WebSocket frame types that we send.
const (
	opText   = 0x1
	opBinary = 0x2
	opClose  = 0x8
	opPing   = 0x9
	opPong   = 0xA
)

// wsConn is the server's end of a WebSocket. gorilla shakes hands and reads;
// writing is our own, because a picture is to go out in one call and without
// being copied behind its header.
type wsConn struct {
	*websocket.Conn
	timeout time.Duration

	mu    sync.Mutex
	head  [16 + pictureHeader]byte
	parts [2][]byte
	bufs  net.Buffers
}

// forEver is the patience with a client that is never asked for a pong.
const forEver time.Duration = 0

// upgrade turns the request into a WebSocket. It ends when the client says
// nothing for as long as patience, not even a pong. The caller calls release.
func (s *Server) upgrade(w http.ResponseWriter, r *http.Request, patience time.Duration) (c *wsConn, release func(), err error) {
	if !isUpgrade(r) {
		return nil, nil, &answer{
			status: http.StatusUpgradeRequired, header: http.Header{"Upgrade": {"websocket"}},
			err: bridge.Errorf(bridge.CodeInvalid, "this is a WebSocket: connect with ws:// or wss://"),
		}
	}
	up := websocket.Upgrader{
		CheckOrigin: func(*http.Request) bool { return true }, // judge did
		Error: func(w http.ResponseWriter, _ *http.Request, status int, reason error) {
			send(w, status, map[string]fault{"error": {Code: bridge.CodeInvalid, Message: reason.Error()}})
		},
	}
	ws, err := up.Upgrade(w, r, nil)
	if err != nil {
		return nil, nil, errAnswered
	}
	c = &wsConn{Conn: ws, timeout: s.cfg.Timing.Write}
	tune(ws.NetConn())
	heard := func() error {
		if patience == forEver {
			return nil
		}
		return ws.SetReadDeadline(time.Now().Add(patience))
	}
	ws.SetPongHandler(func(string) error { return heard() })
	ws.SetPingHandler(func(data string) error {
		if err := heard(); err != nil {
			return err
		}
		return c.send(opPong, nil, []byte(data))
	})
	ws.SetCloseHandler(func(int, string) error { return nil }) // bye answers
	return c, s.hold(ws.NetConn()), heard()
}

// send writes one message of header and body in one call. The header is at most
// pictureHeader bytes long.
func (c *wsConn) send(op byte, header, body []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	size := len(header) + len(body)
	b := append(c.head[:0], 0x80|op)
	switch {
	case size < 126:
		b = append(b, byte(size))
	case size <= 0xffff:
		b = binary.BigEndian.AppendUint16(append(b, 126), uint16(size))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 127), uint64(size))
	}
	c.parts = [2][]byte{append(b, header...), body}
	c.bufs = c.parts[:]
	conn := c.NetConn()
	if err := conn.SetWriteDeadline(time.Now().Add(c.timeout)); err != nil {
		return err
	}
	_, err := c.bufs.WriteTo(conn)
	c.parts = [2][]byte{} // the picture is not ours to keep
	return err
}

func (c *wsConn) picture(jpeg []byte) error { return c.send(opBinary, nil, jpeg) }

// bye sends a close frame and gives the client a second to answer it, so that
// the frame is not lost to a reset. Somebody must be reading.
func (c *wsConn) bye(code int, reason string) {
	body := append(binary.BigEndian.AppendUint16(nil, uint16(code)), reason...)
	if c.send(opClose, nil, body) != nil || c.SetReadDeadline(time.Now().Add(time.Second)) != nil {
		c.Close()
	}
}

// readAway reads until the client is gone. What it says does not count.
func (c *wsConn) readAway() {
	for {
		if _, _, err := c.NextReader(); err != nil {
			return
		}
	}
}

// rawSocket is StreamHub's viewer: one camera, a JPEG in each message. Faults of
// app and room are told the way StreamHub does, after the upgrade.
func (s *Server) rawSocket(w http.ResponseWriter, r *http.Request, v *visit) error {
	fps, err := queryFPS(r)
	if err != nil {
		return err
	}
	refusal, err := s.chooseRoom(r, v)
	if err != nil {
		return err
	}
	leave, err := s.seat(v)
	if err != nil {
		return err
	}
	defer leave()
	// It may be a client that only reads. One that is gone is noticed by the
	// write deadline, since a picture is sent every few seconds at least.
	c, release, err := s.upgrade(w, r, forEver)
	if err != nil {
		return err
	}
	defer release()
	left := make(chan struct{})
	go func() {
		defer close(left)
		c.readAway()
	}()
	if refusal != "" {
		if c.send(opText, nil, wire.ErrorText(refusal)) == nil {
			c.bye(wire.CloseCode(refusal), string(refusal))
		}
		<-left
		return nil
	}
	s.view(outlet{form: bridge.Frame.JPEG, write: c.picture}, fps, v, left)
	c.bye(websocket.CloseNormalClosure, "")
	<-left
	return nil
}

// chooseRoom finds the camera of ?app=&room=. refusal is what StreamHub would
// call the fault; err is for callers who may not see that camera.
func (s *Server) chooseRoom(r *http.Request, v *visit) (refusal bridge.Reason, err error) {
	q := r.URL.Query()
	app, room := q.Get("app"), q.Get("room")
	switch {
	case app != "" && !bridge.ValidRoom(app):
		return bridge.ReasonInvalidApp, nil
	case app != "" && app != s.cfg.App:
		return bridge.ReasonUnknownApp, nil
	case !validRef(room):
		return bridge.ReasonInvalidRoom, nil
	}
	v.camera, err = s.find(v.who, room)
	if bridge.CodeOf(err) == bridge.CodeNotFound {
		return bridge.ReasonInvalidRoom, nil
	}
	return "", err
}
