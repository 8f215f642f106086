package ingest

import (
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// watch keeps the clocks of all connections until Close: one goroutine, so that
// a camera needs neither a third one nor a timer that every frame has to set,
// and so that neither a blocked writer nor a waiting reader can stop the clock.
func (in *Ingest) watch() {
	t := in.cfg.Timing
	shortest := min(t.Ping, t.Silence, t.Message, in.cfg.IdleTimeout)
	ticker := time.NewTicker(max(min(shortest/8, time.Second), time.Millisecond))
	defer ticker.Stop()
	for {
		select {
		case <-in.stop:
			return
		case <-ticker.C:
			now := in.instant(in.cfg.Now())
			in.each(func(c *conn) { c.check(now) })
		}
	}
}

// check ends the connection if it exceeds a time, and pings it when that is due.
func (c *conn) check(now time.Duration) {
	t := c.in.cfg.Timing
	since := func(at int64) time.Duration { return now - time.Duration(at) }
	switch began := c.began.Load(); {
	case c.isOver():
	case began == 0 && since(c.heard.Load()) > t.Silence:
		c.end(bridge.ReasonLost)
	case began != 0 && since(began) > t.Message:
		c.end(bridge.ReasonIdle)
	case since(c.active.Load()) > c.in.cfg.IdleTimeout:
		c.end(bridge.ReasonIdle)
	case now-c.pinged >= t.Ping:
		c.pinged = now
		if !c.out.askPong() {
			c.in.counts.pingsDropped.Add(1)
		}
	}
}
