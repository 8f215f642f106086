package httpapi

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/hub"
)

const (
	pictureHeader  = 24 // bytes before the JPEG of a binary message
	pictureVersion = 1

	flagPlaceholder = 1 << 0
	flagCaptured    = 1 << 1

	// window is how many pictures of a channel may be on their way or waiting
	// to be painted. A page that is stuck stops its own pictures that way.
	window = 2

	maxChannels = 1024
)

// channel is a page's subscription to one camera: a slot for one frame, taken
// by the page's writer in turn with the other channels.
type channel struct {
	socket *socket
	feed   *hub.Feed
	camera string
	number uint16

	// Guarded by socket.mu.
	pace   pacer
	next   bridge.Frame // the slot
	blank  bool         // the camera was switched off: a placeholder is wanted
	covers string       // why the page is shown a placeholder; "" if it is not
	seq    uint64       // of the newest frame seen
	credit int
}

var _ hub.Viewer = (*channel)(nil)

// Offer takes a published frame, unless the page asked for fewer.
func (c *channel) Offer(f bridge.Frame) {
	k := c.socket
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case f.IsZero():
		c.next, c.blank = f, true
	case f.Seq > c.seq && c.pace.due(f.Received):
		c.putLocked(f)
	default:
		return
	}
	k.ring()
}

// End forgets the channel of a camera that was removed.
func (c *channel) End() { c.socket.drop(c) }

func (c *channel) putLocked(f bridge.Frame) {
	if !c.next.IsZero() {
		c.feed.Drop(bridge.DropSlow)
	}
	c.next, c.blank, c.covers = f, false, ""
	c.seq = max(c.seq, f.Seq)
}

// subscribe opens a channel, or changes the rate of the one that is open.
func (k *socket) subscribe(in request) error {
	if in.Channel == nil {
		return bridge.Errorf(bridge.CodeInvalid, "subscribe needs a channel from 0 to 65535").At("channel")
	}
	if !(in.FPS >= 0 && in.FPS <= 1000) {
		return bridge.Errorf(bridge.CodeInvalid, "fps must be from 0 (all) to 1000").At("fps")
	}
	c := &channel{socket: k, camera: in.found.ID, number: *in.Channel, credit: window, pace: newPacer(in.FPS)}
	k.mu.Lock()
	old := k.channels[c.number]
	if old != nil && old.camera == c.camera {
		old.pace = c.pace
		k.mu.Unlock()
		return nil
	}
	full := len(k.order) >= maxChannels
	k.mu.Unlock()
	if full {
		return bridge.Errorf(bridge.CodeRateLimited, "a page may watch %d cameras", maxChannels)
	}
	if old != nil {
		k.drop(old)
	}
	k.open(c)
	return nil
}

// open joins the feed and shows at once what there is.
func (k *socket) open(c *channel) {
	c.feed = k.deps.Hub.Feed(c.camera)
	k.mu.Lock()
	k.channels[c.number] = c
	k.order = append(k.order, c)
	k.mu.Unlock()
	c.feed.Join(c)
	first := k.picture(c.camera)
	k.mu.Lock()
	if c.seq == 0 && !first.IsZero() {
		c.putLocked(first)
	}
	k.mu.Unlock()
	k.ring()
}

func (k *socket) unsubscribe(in request) error {
	if in.Channel == nil {
		return bridge.Errorf(bridge.CodeInvalid, "unsubscribe needs a channel").At("channel")
	}
	k.mu.Lock()
	c := k.channels[*in.Channel]
	k.mu.Unlock()
	if c != nil {
		k.drop(c)
	}
	return nil
}

// drop closes a channel. It may be called more than once.
func (k *socket) drop(c *channel) {
	k.mu.Lock()
	if k.channels[c.number] == c {
		delete(k.channels, c.number)
	}
	if i := slices.Index(k.order, c); i >= 0 {
		k.order = slices.Delete(k.order, i, i+1)
	}
	c.next = bridge.Frame{}
	k.mu.Unlock()
	c.feed.Leave(c)
}

// painted gives channels their credit back.
func (k *socket) painted(in request) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, n := range in.Channels {
		if c := k.channels[n]; c != nil && c.credit < window {
			c.credit++
		}
	}
	k.ring()
	return nil
}

// cover puts a placeholder on the channels of a camera that has nothing to show
// any more, once for each reason.
func (k *socket) cover(c bridge.Camera) {
	if c.State == bridge.Online && c.Enabled {
		return
	}
	reason := string(c.State) + " " + c.Name
	for _, ch := range k.uncovered(c.ID, reason) {
		f := k.painter.placeholder(c)
		k.mu.Lock()
		ch.putLocked(f)
		ch.covers = reason
		k.mu.Unlock()
		k.ring()
	}
}

func (k *socket) uncovered(camera, reason string) (out []*channel) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, ch := range k.order {
		if ch.camera == camera && ch.covers != reason {
			out = append(out, ch)
		}
	}
	return out
}

// sendPicture sends the next picture in turn, if there is one.
func (k *socket) sendPicture() error {
	c, f := k.nextPicture()
	if c == nil {
		return nil
	}
	if f.IsZero() {
		if f = k.picture(c.camera); f.IsZero() {
			return nil // the camera is gone
		}
	}
	k.ring() // there may be more
	var head [pictureHeader]byte
	return k.conn.send(opBinary, c.header(head[:0], f), f.JPEG())
}

// nextPicture takes the frame of the next channel that has one and credit for
// it. The zero Frame means that a placeholder is wanted.
func (k *socket) nextPicture() (*channel, bridge.Frame) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := range k.order {
		at := (k.turn + i) % len(k.order)
		c := k.order[at]
		if c.credit == 0 || c.next.IsZero() && !c.blank {
			continue
		}
		f := c.next
		c.next, c.blank = bridge.Frame{}, false
		c.credit--
		k.turn = at + 1
		return c, f
	}
	return nil, bridge.Frame{}
}

// header appends the 24 bytes before a picture; all numbers are big endian.
func (c *channel) header(b []byte, f bridge.Frame) []byte {
	var flags byte
	var captured int64
	if f.Placeholder {
		flags |= flagPlaceholder
	}
	if !f.Captured.IsZero() {
		flags |= flagCaptured
		captured = f.Captured.UnixMilli()
	}
	b = append(b, pictureVersion, flags)
	b = binary.BigEndian.AppendUint16(b, c.number)
	b = binary.BigEndian.AppendUint32(b, uint32(f.Seq))
	b = binary.BigEndian.AppendUint64(b, unixMilli(f.Received))
	return binary.BigEndian.AppendUint64(b, uint64(captured))
}

func unixMilli(t time.Time) uint64 { return uint64(max(t.UnixMilli(), 0)) }
