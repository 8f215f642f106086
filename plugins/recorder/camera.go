package main

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/espcam-bridge/espcam-bridge/plugins/sdk"
)

// maxFile is the size from which a clip goes on in another file.
const maxFile = 1 << 30

// camera holds the last seconds of one camera, and the clip that is being written.
type camera struct {
	id string

	mu    sync.Mutex
	ring  []sdk.Frame // the oldest first
	bytes int
	clip  *recording // nil: no event
	gone  bool       // the settings have ended
}

// recording is one event's, in one file or more.
type recording struct {
	event sdk.Event
	over  bool  // it was cut short, or reached its longest: nothing more of this event is kept
	parts int   // files begun
	clip  *clip // nil: no picture yet
	path  string
	first sdk.Frame // of the file
	lost  uint64    // Dropped at the first frame
	last  sdk.Frame
	size  int64
}

// add takes in a frame.
func (c *camera) add(ctx context.Context, s *settings, f sdk.Frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.clip != nil {
		c.write(ctx, s, f)
	}
	c.ring = append(c.ring, f)
	c.bytes += len(f.JPEG)
	drop := 0
	for drop < len(c.ring)-1 && (f.Received.Sub(c.ring[drop].Received) > s.PreRoll || c.bytes > s.Memory*1e6) {
		c.bytes -= len(c.ring[drop].JPEG)
		drop++
	}
	c.ring = append(c.ring[:0], c.ring[drop:]...)
	clear(c.ring[len(c.ring):min(cap(c.ring), len(c.ring)+drop)]) // so that they can go
}

// event begins, goes on with or ends a clip.
func (c *camera) event(ctx context.Context, s *settings, e sdk.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		return
	}
	if c.clip != nil && c.clip.event.ID != e.ID {
		c.close(ctx, s)
	}
	if c.clip == nil && e.Phase != sdk.PhaseEnd {
		c.clip = &recording{event: e}
		for _, f := range c.ring {
			if !f.Received.Before(e.Begin.Add(-s.PreRoll)) {
				c.write(ctx, s, f)
			}
		}
	}
	if c.clip == nil {
		return
	}
	c.clip.event = e
	if e.Phase == sdk.PhaseEnd {
		c.close(ctx, s)
	}
}

// stop ends what is going on: the camera is not ours any more, or, for good, the
// settings have ended.
func (c *camera) stop(ctx context.Context, s *settings, good bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.close(ctx, s)
	c.ring, c.bytes, c.gone = nil, 0, c.gone || good
}

// write puts a frame into the clip's file. c.mu is held.
func (c *camera) write(ctx context.Context, s *settings, f sdk.Frame) {
	r := c.clip
	if r.over {
		return
	}
	if f.Received.Sub(r.event.Begin) > s.MaxLength {
		r.over = true
		c.finish(ctx, s)
		return
	}
	if r.clip != nil && (f.Width != r.first.Width || f.Height != r.first.Height || r.size+int64(len(f.JPEG)) > maxFile) {
		c.finish(ctx, s)
	}
	if err := c.put(ctx, s, f); err != nil {
		r.over = true
		s.report(ctx, fmt.Errorf("camera %s: %w", c.id, err))
		c.finish(ctx, s)
	}
}

func (c *camera) put(ctx context.Context, s *settings, f sdk.Frame) error {
	r := c.clip
	if r.clip == nil {
		r.parts++
		st := s.store(ctx)
		var out file
		var err error
		if r.path, out, err = st.begin(c.id, r.event, r.parts); err != nil {
			return err
		}
		r.first, r.lost, r.size = f, f.Dropped, 0
		title := r.event.Camera.Name
		if title == "" {
			title = c.id
		}
		if r.clip, err = newClip(out, about{title: title, begin: f.Received, width: f.Width, height: f.Height}); err != nil {
			return err
		}
	}
	if err := r.clip.add(f.Received.Sub(r.first.Received).Milliseconds(), f.JPEG); err != nil {
		return err
	}
	r.last, r.size = f, r.size+int64(len(f.JPEG))
	return nil
}

// close ends the recording of the event. c.mu is held.
func (c *camera) close(ctx context.Context, s *settings) {
	if c.clip != nil {
		c.finish(ctx, s)
		c.clip = nil
	}
}

// finish has the open file finished beside everything else: writing its index and
// waiting for the disk takes time. c.mu is held.
func (c *camera) finish(ctx context.Context, s *settings) {
	r := *c.clip
	c.clip.clip = nil
	if r.clip == nil {
		return
	}
	s.recorder.finished.Go(func() {
		err := r.clip.finish()
		if r.clip.last < 0 {
			remove(r.path)
			return
		}
		path, moved := s.store(ctx).publish(r.path)
		if err == nil {
			err = moved
		}
		log := sdk.Log(ctx).With("camera", c.id, "event", r.event.ID, "path", path)
		if err != nil {
			s.report(ctx, fmt.Errorf("camera %s: %w", c.id, err))
		} else if !r.over {
			s.report(ctx, nil)
		}
		log.Info("a clip is ready", "seconds", float64(r.clip.length())/1000, "bytes", r.size, "lost_frames", r.last.Dropped-r.lost)
		select {
		case s.recorder.more() <- struct{}{}:
		default: // it is known already
		}
		s.tell(ctx, c.id, path, &r)
	})
}

// tell publishes an event that there is a new clip.
func (s *settings) tell(ctx context.Context, camera, path string, r *recording) {
	text, err := json.Marshal(map[string]any{
		"camera": camera, "event": r.event.ID, "path": path, "bytes": r.size,
		"seconds": float64(r.clip.length()) / 1000, "begin": r.first.Received.UTC().Format(time.RFC3339),
	})
	if err == nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		err = sdk.Host(ctx).Publish(ctx, "clip", text)
	}
	if err != nil {
		sdk.Log(ctx).Debug("not published", "name", "clip", "err", err)
	}
}
