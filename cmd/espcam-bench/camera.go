//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/gorilla/websocket"
)

// What the bridge is configured with and its clients show. They open nothing
// but a bridge that lives for one run on loopback.
const viewerToken = "esb_benchbenchbenchbenchbenchbenchbench"

func cameraName(n int) string { return fmt.Sprintf("cam%03d", n) }
func cameraKey(n int) string  { return fmt.Sprintf("wsk_bench%030d", n) }

// camera speaks the StreamHub dialect: it waits for ready and pushes pictures.
type camera struct {
	load     *load
	n        int
	pictures [][]byte
	ready    chan struct{} // closed when it was admitted and its pictures flow

	sent, late int // in the window; read when run has returned
}

func (c *camera) run(ctx context.Context) error {
	d := websocket.Dialer{HandshakeTimeout: 10 * time.Second, WriteBufferSize: 32 << 10}
	url := fmt.Sprintf("ws://%s/ingest/ws?app=live&room=%s", c.load.Server, cameraName(c.n))
	ws, _, err := d.DialContext(ctx, url, http.Header{"Authorization": {"Bearer " + cameraKey(c.n)}})
	if err != nil {
		return fmt.Errorf("%s: %w", cameraName(c.n), err)
	}
	defer ws.Close()
	defer context.AfterFunc(ctx, func() { _ = ws.Close() })()
	if _, text, err := ws.ReadMessage(); err != nil || !isReady(text) {
		return fmt.Errorf("%s was not admitted: %s %w", cameraName(c.n), text, err)
	}
	gone := make(chan error, 1)
	go func() { // answers pings, and hears why the server ends
		for {
			if _, _, err := ws.ReadMessage(); err != nil {
				gone <- err
				return
			}
		}
	}()
	if err = c.push(ctx, ws); err != nil && ctx.Err() == nil {
		err = fmt.Errorf("%s: %w", cameraName(c.n), <-gone) // the reader knows why
	}
	_ = ws.Close()
	return err
}

func isReady(text []byte) bool {
	var m struct{ Type string }
	return json.Unmarshal(text, &m) == nil && m.Type == "ready"
}

// push sends a stamped picture once per interval. Cameras are spread over it.
func (c *camera) push(ctx context.Context, ws *websocket.Conn) error {
	interval := time.Duration(float64(time.Second) / c.load.FPS)
	next := time.Now().Add(interval * time.Duration(c.n) / time.Duration(c.load.Cameras))
	timer := time.NewTimer(time.Until(next))
	defer timer.Stop()
	buf := make([]byte, c.load.Size)
	for seq := uint64(1); ; seq++ {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		copy(buf, c.pictures[seq%uint64(len(c.pictures))])
		stamp{camera: uint32(c.n), seq: seq, sent: time.Now().UnixNano()}.put(buf)
		if err := ws.SetWriteDeadline(time.Now().Add(10 * time.Second)); err != nil {
			return err
		}
		if err := ws.WriteMessage(websocket.BinaryMessage, buf); err != nil {
			return err
		}
		if seq == 3 { // by now the server has one
			close(c.ready)
		}
		open := c.load.open.Load()
		if open {
			c.sent++
		}
		if next = next.Add(interval); time.Since(next) > interval {
			if open {
				c.late++
			}
			next = time.Now() // a real camera skips, it does not catch up
		}
		timer.Reset(time.Until(next))
	}
}
