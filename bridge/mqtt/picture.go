package mqtt

import (
	"strconv"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// Pictures on T/image: one now and then, never the stream. How often is asked for
// per camera (T/snapshot_interval) and kept; one more comes after each
// announcement and when somebody presses the button.

const (
	// minPreview is the shortest time between two pictures of a camera: Home
	// Assistant shows at most two a second, and MQTT is not the video path.
	minPreview = 2 * time.Second
	// maxInterval is the longest.
	maxInterval = time.Hour
	// previewTick is how often is looked for cameras whose next picture is due.
	previewTick = time.Second
)

// loadInterval is the time between pictures of a camera that somebody asked for,
// or else the configured one.
func (c *Client) loadInterval(id string) time.Duration {
	text, ok, err := c.deps.Store.Get(keyInterval + id)
	if err != nil {
		c.log.Limited("store", "cannot read a camera's snapshot interval", "camera", id, "err", err)
	}
	if n, bad := strconv.Atoi(text); ok && bad == nil {
		return time.Duration(n) * time.Second
	}
	return c.cfg.Preview
}

// setInterval keeps what somebody asked for.
func (c *Client) setInterval(e *entry, d time.Duration) error {
	e.interval, e.due = d, c.deps.Clock.Now().Add(d)
	if err := c.deps.Store.Put(keyInterval+e.camera.ID, strconv.Itoa(int(d.Seconds()))); err != nil {
		return bridge.Errorf(bridge.CodeUnavailable, "snapshot_interval could not be saved and holds only until a restart: %w", err)
	}
	return nil
}

// preview publishes a picture of each camera that is due and has a new one: one that
// was away is due at once.
func (c *Client) preview() {
	c.agenda.in(previewTick, "preview", c.preview)
	if !c.live {
		return
	}
	now := c.deps.Clock.Now()
	for _, e := range c.entries {
		due := e.awaited || e.interval > 0 && !e.due.After(now)
		if due && e.camera.Enabled && c.visible(e) {
			c.putPicture(e, false)
		}
	}
}

// pictures publishes the newest picture of each camera, even if it was sent before.
func (c *Client) pictures() {
	for _, e := range c.present() {
		c.putPicture(e, true)
	}
}

// putPicture sends the newest picture, unless it was sent before: the one that is
// the newest when its turn comes, so nothing is held for a slow broker. A camera
// that is switched off gets its placeholder, never a picture.
func (c *Client) putPicture(e *entry, again bool) {
	cam := e.camera
	e.due = c.deps.Clock.Now().Add(e.interval)
	m := message{topic: c.topics.camera(cam.ID, "image")}
	if !cam.Enabled {
		e.cover = false
		if c.deps.Placeholder != nil {
			m.draw = func() []byte { return c.deps.Placeholder(cam) }
			c.out.image(m)
		}
		return
	}
	f := c.deps.Pictures.Latest(cam.ID)
	if f.IsZero() || cam.State != bridge.Online || f.Seq == e.picture && !again {
		return
	}
	m.draw = func() []byte {
		if f := c.deps.Pictures.Latest(cam.ID); !f.IsZero() {
			return f.JPEG()
		}
		return nil // removed meanwhile
	}
	if c.out.image(m) {
		e.picture, e.awaited = f.Seq, false
	}
}
