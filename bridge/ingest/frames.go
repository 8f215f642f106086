package ingest

import (
	"fmt"
	"io"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/jpeg"
	"github.com/espcam-bridge/espcam-bridge/bridge/wire"
)

// firstGuess is the size in bytes that a camera's first frame is taken to have.
const firstGuess = 16 << 10

// maxTextRate is how many texts a second are read; further ones are dropped.
const maxTextRate = 50

// binary takes one picture in: read straight into the buffer that viewers get,
// judged there, published. That is one allocation and no copy. Its error is the
// connection's end.
func (c *conn) binary(r io.Reader, now time.Time) error {
	if c.dialect.anyMessageCounts() {
		c.keepActive(now)
	}
	switch {
	case !c.session.Wanted():
		return c.skipFrame(r, bridge.DropDisabled)
	case !c.frames.take(now, c.session.MaxFPS()):
		return c.skipFrame(r, bridge.DropRate)
	}
	buf, err := bridge.ReadBuffer(r, c.guess, c.in.cfg.MaxFrameBytes)
	if bridge.CodeOf(err) == bridge.CodeTooLarge {
		c.tooLarge()
		return nil
	}
	if err != nil || c.isOver() {
		return err
	}
	info, err := jpeg.Check(buf.Bytes(), jpeg.Limits{MaxPixels: c.in.cfg.MaxPixels})
	if err != nil {
		c.damaged(err)
		return nil
	}
	c.bad = 0
	c.guess = len(buf.Bytes()) + len(buf.Bytes())/8
	c.publish(buf, info)
	return nil
}

func (c *conn) publish(buf bridge.Buffer, info jpeg.Info) {
	now := c.in.cfg.Now()
	c.keepActive(now)
	c.feed.Publish(buf.Frame(info.Size, bridge.Frame{
		Camera: c.session.Camera(), Received: now, Width: info.Width, Height: info.Height,
	}))
}

// skipFrame reads a picture that nobody gets.
func (c *conn) skipFrame(r io.Reader, why bridge.Drop) error {
	n, err := c.skip(r, c.in.cfg.MaxFrameBytes)
	if err == nil && n > c.in.cfg.MaxFrameBytes {
		c.tooLarge()
		return nil
	}
	c.feed.Drop(why)
	return err
}

// skip throws away r, at most one byte more than limit.
func (c *conn) skip(r io.Reader, limit int) (int, error) {
	c.limited = io.LimitedReader{R: r, N: int64(limit) + 1}
	n, err := io.Copy(io.Discard, &c.limited)
	return int(n), err
}

func (c *conn) tooLarge() {
	c.feed.Drop(bridge.DropTooLarge)
	c.notice(bridge.CodeTooLarge, fmt.Sprintf(
		"The camera sent a message of more than %d bytes: choose a lower resolution or quality, or raise ingest.max_frame_bytes.",
		c.in.cfg.MaxFrameBytes))
	c.end(bridge.ReasonTooLarge)
}

func (c *conn) damaged(err error) {
	c.feed.Drop(bridge.DropInvalid)
	if c.bad++; c.bad < wire.BadFrames {
		return
	}
	c.notice(bridge.CodeInvalid, fmt.Sprintf("The camera sent %d damaged pictures in a row (%v): check its power supply and its camera cable.", c.bad, err))
	c.end(bridge.ReasonInvalid)
}

// notice tells people of a fault, each kind at most once a minute: a camera
// whose connection is closed for it comes back after three seconds.
func (c *conn) notice(code bridge.Code, text string) {
	if c.in.told.first("notice "+string(code)+" "+c.session.Camera(), c.in.cfg.Now()) {
		c.session.Notice(code, text)
	}
}

// textual takes one text message in. Nothing in it ends the connection, except
// that it is larger than any message may be.
func (c *conn) textual(r io.Reader, now time.Time) error {
	if c.dialect.anyMessageCounts() {
		c.keepActive(now)
	}
	if !c.texts.take(now, maxTextRate) {
		c.in.counts.flooded.Add(1)
		return c.skipText(r, 0)
	}
	c.limited = io.LimitedReader{R: r, N: wire.MaxText + 1}
	c.text.Reset()
	if _, err := c.text.ReadFrom(&c.limited); err != nil {
		return err
	}
	if err := c.skipText(r, c.text.Len()); err != nil || c.isOver() {
		return err
	}
	m, err := wire.ParseDevice(c.text.Bytes())
	switch {
	case err != nil:
		c.in.counts.malformed.Add(1)
		c.dialect.garbled(err)
	case m == nil || !c.dialect.hear(m):
		c.in.counts.unknown.Add(1)
	}
	return nil
}

// skipText throws the rest of a text away, after so many bytes of it.
func (c *conn) skipText(r io.Reader, read int) error {
	rest := wire.MaxMessage - read
	n, err := c.skip(r, rest)
	if err == nil && n > rest {
		c.tooLarge()
	}
	return err
}

// bucket is a token bucket that holds a second's worth.
type bucket struct {
	tokens float64
	last   time.Time
}

// take reports whether one more is within perSecond, which may change from call
// to call.
func (b *bucket) take(now time.Time, perSecond int) bool {
	full := float64(max(perSecond, 1))
	if b.last.IsZero() {
		b.tokens = full
	}
	b.tokens = min(full, b.tokens+now.Sub(b.last).Seconds()*full)
	b.last = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}
