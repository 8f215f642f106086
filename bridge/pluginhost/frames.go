package pluginhost

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/plugins/pluginpb"
)

// Of frames that wait for a plugin that wants all of them.
const (
	maxWaiting      = 128
	maxWaitingBytes = 8 << 20
)

// Frames streams a camera's frames: always the newest one, or all of them from a
// bounded queue whose losses are told.
func (h *hostCalls) Frames(r *pluginpb.FramesRequest, s grpc.ServerStreamingServer[pluginpb.FramesResponse]) error {
	if err := h.admit(s.Context(), "frames"); err != nil {
		return err
	}
	select {
	case h.streams <- struct{}{}:
		defer func() { <-h.streams }()
	default:
		return h.refuse(s.Context(), "more than %d streams of frames at once", maxStreams)
	}
	c, err := h.camera(r.Camera)
	if err != nil {
		return err
	}
	b := newBelt(r.Every, r.MaxFps)
	feed := h.l.host.deps.Hub.Feed(c.ID)
	if f := feed.Join(b); !f.IsZero() {
		b.Offer(f)
	}
	defer feed.Leave(b)
	for {
		f, dropped, err := b.next(s.Context())
		if err != nil {
			return err
		}
		p, err := pictureOf(f)
		if err == nil {
			err = s.Send(&pluginpb.FramesResponse{Picture: p, Dropped: dropped})
		}
		if err != nil {
			return err
		}
	}
}

// belt carries frames from the hub to one stream. Offer never waits: the oldest
// frame goes if there is no room.
type belt struct {
	most int           // frames
	gap  time.Duration // between two frames; 0: none

	wake chan struct{}

	mu      sync.Mutex
	frames  []bridge.Frame
	bytes   int
	dropped uint64
	last    time.Time // arrival of the last frame that was taken
	ended   bool
}

func newBelt(every bool, fps float64) *belt {
	b := &belt{most: 1, wake: make(chan struct{}, 1)}
	if every {
		b.most = maxWaiting
	}
	if fps > 0 {
		b.gap = time.Duration(float64(time.Second) / fps)
	}
	return b
}

// Offer implements hub.Viewer. Frames above the rate are not lost, but unwanted.
func (b *belt) Offer(f bridge.Frame) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if f.IsZero() { // switched off: nothing that waits may be shown
		b.frames, b.bytes = nil, 0
		return
	}
	if b.gap > 0 && !b.last.IsZero() && f.Received.Sub(b.last) < b.gap-b.gap/4 {
		return
	}
	b.last = f.Received
	b.frames = append(b.frames, f)
	b.bytes += len(f.JPEG())
	for len(b.frames) > b.most || b.bytes > maxWaitingBytes && len(b.frames) > 1 {
		b.bytes -= len(b.frames[0].JPEG())
		b.frames[0] = bridge.Frame{}
		b.frames = b.frames[1:]
		b.dropped++
	}
	b.ring()
}

// End implements hub.Viewer.
func (b *belt) End() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
	b.ring()
}

func (b *belt) ring() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// next waits for a frame and returns how many were lost so far.
func (b *belt) next(ctx context.Context) (f bridge.Frame, dropped uint64, err error) {
	for {
		b.mu.Lock()
		ended := b.ended
		if len(b.frames) > 0 {
			f, b.frames = b.frames[0], b.frames[1:]
			b.bytes -= len(f.JPEG())
			dropped = b.dropped
			b.mu.Unlock()
			return f, dropped, nil
		}
		b.mu.Unlock()
		if ended {
			return f, 0, status.Error(codes.NotFound, "the camera was removed")
		}
		select {
		case <-b.wake:
		case <-ctx.Done():
			return f, 0, status.FromContextError(ctx.Err()).Err()
		}
	}
}
