// Package hub is the heart of the bridge: it keeps the newest frame of each
// camera and hands every new one to the camera's viewers.
//
// A camera's connection (ingest) calls Feed.Publish from its reading goroutine.
// Viewers (MJPEG, WebSocket, the page, later motion) come from the adapters; the
// hub knows them only as the interface Viewer.
//
// The hub starts no goroutine and has no queue. Publish never waits: a viewer
// must take a frame without blocking, and one that is still busy drops it and
// counts bridge.DropSlow, so a slow viewer sees fewer frames, never old ones, and
// no other viewer notices. Frames are shared, never copied. A camera's feed
// lives as long as the camera is known, whether it is connected or not.
package hub

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// Viewer receives a camera's frames. Both methods are called by whoever
// publishes, so they must return at once and must bear a late call after
// Feed.Leave.
type Viewer interface {
	// Offer hands over the newest frame. The zero Frame means that the camera
	// was switched off: the last picture must not be shown again.
	Offer(bridge.Frame)
	// End says that the camera is gone for good.
	End()
}

// Hub holds the feeds of all cameras.
type Hub struct {
	now func() time.Time

	mu    sync.RWMutex
	feeds map[string]*Feed
}

// New makes an empty hub. now is the clock; nil means time.Now.
func New(now func() time.Time) *Hub {
	if now == nil {
		now = time.Now
	}
	return &Hub{now: now, feeds: map[string]*Feed{}}
}

// Feed returns the camera's feed and makes it at the first call. The caller has
// made sure that the camera is known; the id is not checked.
func (h *Hub) Feed(camera string) *Feed {
	if f := h.Lookup(camera); f != nil {
		return f
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if f, ok := h.feeds[camera]; ok {
		return f
	}
	f := &Feed{camera: camera, now: h.now}
	h.feeds[camera] = f
	return f
}

// Lookup returns the camera's feed, or nil if it has none.
func (h *Hub) Lookup(camera string) *Feed {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.feeds[camera]
}

// Latest returns the camera's newest frame, or the zero Frame.
func (h *Hub) Latest(camera string) bridge.Frame {
	if f := h.Lookup(camera); f != nil {
		return f.Latest()
	}
	return bridge.Frame{}
}

// Remove forgets the camera and ends its viewers.
func (h *Hub) Remove(camera string) {
	h.mu.Lock()
	f := h.feeds[camera]
	delete(h.feeds, camera)
	h.mu.Unlock()
	if f == nil {
		return
	}
	for _, v := range f.take() {
		v.End()
	}
}

// Feed is one camera's newest frame, its viewers and its counters.
type Feed struct {
	camera string
	now    func() time.Time
	drops  [len(dropNames)]atomic.Uint64

	// publishing keeps frames in order while a new connection replaces an old
	// one. It is held during the fan-out; nothing else waits for it.
	publishing sync.Mutex

	mu      sync.Mutex
	muted   bool
	latest  bridge.Frame
	viewers []Viewer // replaced, never changed, so that it can be walked without mu
	seq     uint64
	meter   meter
}

// Publish makes f the newest frame, gives it the next sequence number and
// offers it to every viewer. While the feed is muted the frame is dropped.
func (f *Feed) Publish(frame bridge.Frame) {
	f.publishing.Lock()
	defer f.publishing.Unlock()
	f.mu.Lock()
	if f.muted {
		f.mu.Unlock()
		f.Drop(bridge.DropDisabled)
		return
	}
	f.seq++
	frame.Seq = f.seq
	f.latest = frame
	f.meter.add(f.now(), len(frame.JPEG()))
	viewers := f.viewers
	f.mu.Unlock()
	for _, v := range viewers {
		v.Offer(frame)
	}
}

// Mute switches the feed off or on again. Once Mute(true) returned, no picture
// leaves the feed: the newest frame is forgotten and the viewers are told.
func (f *Feed) Mute(on bool) {
	f.publishing.Lock()
	defer f.publishing.Unlock()
	f.mu.Lock()
	f.muted = on
	viewers := f.viewers
	if on {
		f.latest = bridge.Frame{}
	}
	f.mu.Unlock()
	if !on {
		return
	}
	for _, v := range viewers {
		v.Offer(bridge.Frame{})
	}
}

// Latest returns the newest frame, or the zero Frame.
func (f *Feed) Latest() bridge.Frame {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.latest
}

// Join adds a viewer and returns the newest frame, which the viewer is not
// offered again. The caller calls Leave.
func (f *Feed) Join(v Viewer) bridge.Frame {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.viewers = append(slices.Clip(f.viewers), v)
	return f.latest
}

// Leave removes a viewer. It may be called more than once.
func (f *Feed) Leave(v Viewer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if i := slices.Index(f.viewers, v); i >= 0 {
		f.viewers = slices.Concat(f.viewers[:i], f.viewers[i+1:])
	}
}

func (f *Feed) take() []Viewer {
	f.mu.Lock()
	defer f.mu.Unlock()
	v := f.viewers
	f.viewers = nil
	return v
}

// Drop counts a frame that did not reach everybody it was meant for.
func (f *Feed) Drop(reason bridge.Drop) {
	if i := slices.Index(dropNames[:], reason); i >= 0 {
		f.drops[i].Add(1)
	}
}

// Stats fills the fields that the bridge measures; the device's own are left
// as they are.
func (f *Feed) Stats() bridge.Stats {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := bridge.Stats{Frames: f.meter.frames, Bytes: f.meter.total, Viewers: len(f.viewers), Dropped: map[bridge.Drop]uint64{}}
	s.FPS, s.BytesPerSecond = f.meter.rates(f.now())
	if !f.latest.IsZero() {
		s.FrameSize = len(f.latest.JPEG())
	}
	for i, name := range dropNames {
		if n := f.drops[i].Load(); n > 0 {
			s.Dropped[name] = n
		}
	}
	return s
}

var dropNames = [...]bridge.Drop{bridge.DropRate, bridge.DropInvalid, bridge.DropTooLarge, bridge.DropDisabled, bridge.DropSlow}
