package ingest

import (
	"strings"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/wire"
)

// streamHub is the StreamHub sketch: it waits for ready, then sends pictures and
// every 30 s its stats. Nothing can be asked of it. Every camera is one until it
// sends a hello.
type streamHub struct{ c *conn }

var _ dialect = streamHub{}

// ready is the first text to a camera. The sketch sends nothing without it, and
// takes maxFps once for all: it never raises its rate again before it reboots.
// So it is told the bridge's own limit, not the one that a person may have set
// lower for the moment; that one is kept by dropping frames.
func (c *conn) ready(camera, room string) []byte {
	if room == "" {
		room = camera
	}
	cfg := c.in.cfg
	return wire.Ready{
		Room: cfg.App + "-" + strings.TrimPrefix(room, cfg.App+"-"), StreamID: camera,
		MaxFPS: cfg.MaxFPS, MaxFrameBytes: cfg.MaxFrameBytes,
		IdleTimeoutSec: int(cfg.IdleTimeout.Seconds()),
		Proto:          wire.Proto, Server: cfg.Server, Time: cfg.Now(),
	}.Append(nil)
}

func (d streamHub) hear(m wire.Message) bool {
	switch m := m.(type) {
	case wire.Stats:
		d.c.session.Stats(m.Bridge())
	case wire.Hello:
		d.c.dialect = native(d)
		d.c.requests.open()
		d.c.heardStream(m.Settings)
		d.c.session.Hello(m.Device, m.Caps, m.Settings)
	default:
		return false
	}
	return true
}

// garbled: StreamHub ignores such texts.
func (d streamHub) garbled(error) {}

// anyMessageCounts: the sketch goes on sending stats when its sensor hangs.
func (d streamHub) anyMessageCounts() bool { return false }

// heardStream notes from settings in force whether pictures are to be expected.
func (c *conn) heardStream(s bridge.Settings) {
	if on, ok := s["stream"].(bool); ok {
		c.paused = !on
	}
}
