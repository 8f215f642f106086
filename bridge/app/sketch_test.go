package app_test

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// This file is a StreamHub camera made of bytes on a TCP connection, from what
// is known of the sketch and of the library it is built on (Links2004's
// WebSocketsClient), and of nothing else: no part of the bridge, no WebSocket
// module.

const (
	opMore, opText, opBinary, opClose, opPing, opPong = 0, 1, 2, 8, 9, 10

	finBit  = 0x80
	maskBit = 0x80
)

// sketch is a connected camera. One goroutine reads, as the library's loop
// does, and answers pings and the close frame.
type sketch struct {
	t    *testing.T
	conn net.Conn

	writing sync.Mutex
	ready   chan string // the text with "ready" in it
	errors  chan string // texts with "error" in them
	pongs   chan []byte
	over    chan struct{} // closed when the connection is
	maxFPS  int           // as the sketch finds it in ready; read after ready
	code    int           // of the close frame, 0 if none came; read after over
	reason  string
	ended   error // what ended the reading
}

// showKey says how the sketch shows its key. The sketch's own header takes the
// place of the library's Origin, so only a key in the URL comes with one.
type showKey int

const (
	keyInHeader showKey = iota
	keyInQuery
)

// connect dials wsURL, as the provisioning API returns it, and shakes hands.
func connect(t *testing.T, wsURL, key string, how showKey) *sketch {
	t.Helper()
	u, err := url.Parse(wsURL)
	if err != nil {
		t.Fatal(err)
	}
	extra := "Authorization: Bearer " + key
	if how == keyInQuery {
		u.RawQuery += "&key=" + key
		extra = "Origin: file://"
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	nonce := make([]byte, 16)
	rand.Read(nonce)
	accept := base64.StdEncoding.EncodeToString(nonce)
	// The library always writes the port, even the usual one.
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\nSec-WebSocket-Protocol: arduino\r\n%s\r\n"+
		"User-Agent: arduino-WebSocket-Client\r\n\r\n", u.RequestURI(), u.Host, accept, extra)
	s := &sketch{t: t, conn: conn, ready: make(chan string, 1), errors: make(chan string, 16), pongs: make(chan []byte, 256), over: make(chan struct{})}
	r := bufio.NewReader(conn)
	s.handshake(r, accept)
	go s.loop(r)
	t.Cleanup(func() { conn.Close(); <-s.over })
	return s
}

// handshake judges the answer like the strictest of the libraries: everything
// in place, one space after each colon, no empty header, less than 1024 bytes.
func (s *sketch) handshake(r *bufio.Reader, nonce string) {
	s.t.Helper()
	s.conn.SetReadDeadline(time.Now().Add(5 * time.Second)) // the library's own limit
	defer s.conn.SetReadDeadline(time.Time{})
	status, err := r.ReadString('\n')
	if err != nil || !strings.HasPrefix(status, "HTTP/1.1 101 ") {
		s.t.Fatalf("answer to the handshake: %q, %v", status, err)
	}
	headers, size := map[string]string{}, len(status)
	for {
		line, err := r.ReadString('\n')
		size += len(line)
		if err != nil {
			s.t.Fatal(err)
		}
		if line == "\r\n" {
			break
		}
		name, value, ok := strings.Cut(strings.TrimSuffix(line, "\r\n"), ": ")
		if !ok || value == "" || value != strings.TrimSpace(value) {
			s.t.Errorf("a header that libraries cannot read: %q", line)
		}
		headers[strings.ToLower(name)] = value
	}
	sum := sha1.Sum([]byte(nonce + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	if headers["sec-websocket-accept"] != base64.StdEncoding.EncodeToString(sum[:]) || size >= 1024 ||
		!strings.EqualFold(headers["connection"], "upgrade") || headers["upgrade"] != "websocket" {
		s.t.Fatalf("the answer to the handshake has %d bytes and says %v", size, headers)
	}
}

// frame is one frame as the library writes it: always masked, with a mask of
// zeros for payloads from 1400 bytes on, and in the 64-bit form from 65,535 bytes
// on, though exactly so many would fit the 16-bit form.
func frame(first byte, payload []byte) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, maskBit|byte(n))
	case n < 0xFFFF:
		b = binary.BigEndian.AppendUint16(append(b, maskBit|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, maskBit|127), uint64(n))
	}
	var mask [4]byte
	if len(payload) < 1400 {
		rand.Read(mask[:])
	}
	b = append(b, mask[:]...)
	for i, c := range payload {
		b = append(b, c^mask[i%4])
	}
	return b
}

// write sends bytes as they are.
func (s *sketch) write(b []byte) {
	s.t.Helper()
	s.writing.Lock()
	defer s.writing.Unlock()
	s.conn.SetWriteDeadline(time.Now().Add(patience))
	if _, err := s.conn.Write(b); err != nil {
		s.t.Fatalf("the camera cannot write: %v", err)
	}
}

func (s *sketch) send(jpeg []byte)    { s.t.Helper(); s.write(frame(finBit|opBinary, jpeg)) }
func (s *sketch) text(message string) { s.t.Helper(); s.write(frame(finBit|opText, []byte(message))) }

// sendPieces sends one picture as a message of several frames, as ESP-IDF's
// client does, with a ping between them.
func (s *sketch) sendPieces(jpeg []byte, size int) {
	s.t.Helper()
	first := byte(opBinary)
	for len(jpeg) > size {
		s.write(frame(first, jpeg[:size]))
		s.write(frame(finBit|opPing, nil))
		first, jpeg = opMore, jpeg[size:]
	}
	s.write(frame(finBit|first, jpeg))
}

// stats is what the sketch sends every 30 s; early ones without frames.
func (s *sketch) stats(rssi, frames int) {
	s.t.Helper()
	text := fmt.Sprintf(`{"type":"stats","fps":9,"rssi":%d,"heapFree":123456`, rssi)
	if frames >= 0 {
		text += `,"frames":` + strconv.Itoa(frames)
	}
	s.text(text + "}")
}

// loop reads until the connection ends.
func (s *sketch) loop(r *bufio.Reader) {
	defer close(s.over)
	defer s.conn.Close()
	for {
		op, payload, err := readFrame(r)
		if err != nil {
			s.ended = err
			return
		}
		switch op {
		case opText:
			s.hear(string(payload))
		case opPing:
			s.answer(frame(finBit|opPong, payload))
		case opPong:
			s.pongs <- payload
		case opClose:
			if len(payload) >= 2 {
				s.code, s.reason = int(binary.BigEndian.Uint16(payload)), string(payload[2:])
			}
			s.answer(frame(finBit|opClose, []byte{1000 >> 8, 1000 & 0xff}))
			return
		}
	}
}

// answer writes what nobody waits for.
func (s *sketch) answer(b []byte) {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.conn.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = s.conn.Write(b) // the loop sees a broken connection by itself
}

// hear looks for substrings, which is all that the sketch knows of JSON.
func (s *sketch) hear(text string) {
	switch {
	case strings.Contains(text, `"ready"`):
		if _, after, ok := strings.Cut(text, `"maxFps":`); ok {
			fmt.Sscanf(after, "%d", &s.maxFPS)
		}
		s.ready <- text
	case strings.Contains(text, `"error"`):
		s.errors <- text
	}
}

// readFrame reads one frame of the server, which libraries take only whole and
// without mask.
func readFrame(r io.Reader) (op byte, payload []byte, err error) {
	var h [2]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return 0, nil, err
	}
	if h[0]&finBit == 0 || h[0]&0x70 != 0 || h[1]&maskBit != 0 {
		return 0, nil, fmt.Errorf("the server's frame begins with %x", h)
	}
	n := uint64(h[1])
	if n >= 126 {
		long := make([]byte, map[uint64]int{126: 2, 127: 8}[n])
		if _, err := io.ReadFull(r, long); err != nil {
			return 0, nil, err
		}
		n = binary.BigEndian.Uint64(append(make([]byte, 8-len(long)), long...))
	}
	if n > 15360 {
		return 0, nil, fmt.Errorf("the server sends %d bytes: the library has room for 15360", n)
	}
	payload = make([]byte, n)
	_, err = io.ReadFull(r, payload)
	return h[0] & 0x0f, payload, err
}

// welcome waits for ready and returns it.
func (s *sketch) welcome() string {
	s.t.Helper()
	select {
	case text := <-s.ready:
		return text
	case <-s.over:
		s.t.Fatalf("no ready: the connection ended with %d %q (%v)", s.code, s.reason, s.ended)
	case <-time.After(patience):
		s.t.Fatal("no ready")
	}
	return ""
}

// wantClosed waits for the end and returns how long it took. errorText is what
// must have been said before; "" for nothing.
func (s *sketch) wantClosed(code int, errorText string) time.Duration {
	s.t.Helper()
	began := time.Now()
	select {
	case <-s.over:
	case <-time.After(patience):
		s.t.Fatalf("the connection is not closed: want %d", code)
	}
	said := ""
	select {
	case said = <-s.errors:
	default:
	}
	if s.code != code || said != errorText {
		s.t.Errorf("closed with %d %q after %q (%v), want %d after %q", s.code, s.reason, said, s.ended, code, errorText)
	}
	return time.Since(began)
}

// alive shows that the connection works in both directions.
func (s *sketch) alive() {
	s.t.Helper()
	s.write(frame(finBit|opPing, []byte("are you there?")))
	for {
		select {
		case p := <-s.pongs:
			if bytes.Equal(p, []byte("are you there?")) {
				return
			}
		case <-s.over:
			s.t.Fatalf("the connection ended with %d %q (%v)", s.code, s.reason, s.ended)
		case <-time.After(3 * time.Second): // the sketch's own limit
			s.t.Fatal("no pong within 3 s")
		}
	}
}
