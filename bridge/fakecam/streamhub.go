package fakecam

import (
	"bytes"
	"context"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge/wire"
)

// playStreamHub plays StreamHub's ESP32 sketch on the library that it uses, with
// their habits: it offers the subprotocol "arduino", knows no JSON but searches
// texts for "ready" and "maxFps":, lowers its frame rate to the server's and never raises
// it again, pings every 15 s and gives up after two missing pongs, dials again
// every 3 s whatever the close code was, and takes no commands.
func playStreamHub(ctx context.Context, c *Camera) {
	c.redial(ctx, &sketch{c: c, fps: c.cfg.FPS})
}

// sketch is what the board keeps between connections.
type sketch struct {
	c   *Camera
	fps int // never raised
}

func (k *sketch) dialling(wrongKey bool) dialling {
	d := k.c.dialling(wrongKey)
	d.subprotocols = []string{wire.Subprotocol}
	d.header.Set("User-Agent", "arduino-WebSocket-Client")
	if d.header.Get("Authorization") == "" {
		// A header of the sketch's own takes the place of this one.
		d.header.Set("Origin", "file://")
	}
	return d
}

func (k *sketch) fragment() int             { return 0 }
func (k *sketch) patience() int             { return 2 }
func (k *sketch) firstStats() time.Duration { return k.c.cfg.Stats }
func (k *sketch) interval() time.Duration   { return k.c.pace(k.fps) }
func (k *sketch) sensed(*session, bool) error {
	return nil // it has no word for it
}
func (k *sketch) pause(ending) time.Duration {
	return or(k.c.cfg.Retry, 3*time.Second)
}

func (k *sketch) heard(s *session, text []byte) error {
	m, _ := wire.ParseServer(text) // for the report; the sketch looks at the bytes
	switch {
	case bytes.Contains(text, []byte(`"ready"`)):
		if _, digits, ok := bytes.Cut(text, []byte(`"maxFps":`)); ok {
			if n := atoi(digits); n > 0 && n < k.fps {
				k.fps = n
			}
		}
		ready, _ := m.(wire.Ready)
		s.ready(ready, time.Now())
	case bytes.Contains(text, []byte(`"error"`)):
		refused, _ := m.(wire.Error)
		s.refused(refused)
	}
	return nil
}

// atoi reads digits as C does: as far as they go.
func atoi(b []byte) int {
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' || n > 1e6 {
			break
		}
		n = 10*n + int(c-'0')
	}
	return n
}

func (k *sketch) stats(s *session, now time.Time) wire.Message {
	c := k.c
	c.mu.Lock()
	defer c.mu.Unlock()
	full := c.board.stats(c.cfg.Clock().Sub(c.board.booted))
	fps, frames := float64(int(s.rate(now))), int64(c.report.Frames)
	m := wire.Stats{FPS: &fps, RSSI: full.RSSI, HeapFree: full.HeapFree}
	if !c.cfg.OldStats {
		m.Frames = &frames
	}
	return m
}
