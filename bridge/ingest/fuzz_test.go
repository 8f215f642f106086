package ingest_test

import (
	"io"
	"net"
	"testing"

	"github.com/espcam-bridge/espcam-bridge/bridge/ingest"
)

// FuzzConnection sends any bytes after a good handshake. The endpoint must
// survive them, answer within the rules (rawCam.next checks), and let go.
func FuzzConnection(f *testing.F) {
	pic := picture(f, 16, 16)
	f.Add(frame(fin|opBinary, pic))
	f.Add(append(frame(opBinary, pic[:40]), frame(fin|opMore, pic[40:])...))
	f.Add(append(frame(fin|opText, []byte(hello)), frame(fin|opText, []byte(`{"type":"result","id":"1","ok":true}`))...))
	f.Add(append(frame(fin|opPing, []byte("x")), frame(fin|opClose, []byte{3, 232})...))
	f.Add(frame(fin|opText, []byte("{\"type\":\"\xff\"}")))
	f.Add([]byte{fin | opBinary, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 1})
	f.Add([]byte{fin | rsv1 | 3, 0x7F, 0})
	d := open(f, ingest.Config{})
	f.Fuzz(func(t *testing.T, b []byte) {
		c := d.connect(t, sketch("/ingest/ws?key="+goodKey))
		go func() { // it may be cut off
			c.Write(b)
			c.Conn.(*net.TCPConn).CloseWrite()
		}()
		for {
			_, _, err := c.next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("camera reads: %v", err)
			}
		}
		d.registry.forget(t)
		until(t, "the connection to be forgotten", func() bool { return d.Stats().Open == 0 })
	})
}
