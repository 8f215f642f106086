// Command espcam-plugin-recorder keeps every event as a video with the seconds
// before it, in the camera's own pictures: nothing is encoded again. The bridge
// starts it.
//
// It gets all frames of all cameras that its instance may see and holds the last
// seconds of each in memory, up to a limit. A full disk ends the clip that is being
// written and is told; the next event is tried again. What a killed recorder left
// behind is finished at its next start.
package main

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/espcam-bridge/espcam-bridge/plugins/sdk"
)

type settings struct {
	Dir       string        `json:"dir" sdk:"file" help:"Where the clips go; without it, to where the page offers them for download. One directory for one instance." example:"/mnt/videos/cameras"`
	PreRoll   time.Duration `json:"pre_roll" default:"5s" min:"0s" max:"1m" help:"Video from before the event."`
	Memory    int           `json:"memory_mb" default:"16" min:"1" max:"1024" help:"What a camera's last seconds may take in memory, in MB."`
	MaxFPS    float64       `json:"max_fps" default:"0" min:"0" max:"60" help:"Frames per second to keep; 0: all."`
	MaxLength time.Duration `json:"max_length" default:"15m" min:"1s" max:"24h" help:"Longest video of one event."`
	KeepDays  float64       `json:"keep_days" default:"14" min:"0" max:"36500" help:"Older clips are removed; 0: none for their age."`
	KeepGB    float64       `json:"keep_gb" default:"10" min:"0.001" max:"100000" help:"Above this many GB the oldest clips are removed."`

	recorder recorder
}

func main() {
	sdk.Main(sdk.Plugin[settings]{
		Name: "recorder", Version: "1.0.0", Summary: "Keeps every event as a video with the seconds before it.",
		Permissions: []string{"frames", "publish"},
		Deliver:     deliver, Start: start, Check: check,
	})
}

// recorder is what holds while its settings do.
type recorder struct {
	mu       sync.Mutex
	cameras  map[string]*camera
	create   func(path string) (file, error) // nil: os.OpenFile
	problem  error                           // with the disk, at the newest clip
	denied   bool                            // publishing is not granted: said once
	wake     chan struct{}                   // see more
	finished sync.WaitGroup                  // clips that are being finished
}

// start watches the cameras until these settings end.
func start(ctx context.Context, s *settings) error {
	if err := s.store(ctx).repair(ctx); err != nil {
		return err
	}
	s.prune(ctx)
	var watching sync.WaitGroup
	defer s.end(ctx, &watching)
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	watched := map[string]context.CancelFunc{}
	look, old := time.NewTicker(lookAgain), time.NewTicker(time.Hour)
	defer look.Stop()
	defer old.Stop()
	for s.follow(ctx, watched, &watching, stop); ; {
		select {
		case <-look.C:
			s.follow(ctx, watched, &watching, stop)
		case <-old.C:
			s.prune(ctx)
		case <-s.recorder.more():
			s.prune(ctx)
		case <-ctx.Done():
			if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
				return cause
			}
			return nil
		}
	}
}

// follow watches the cameras that there are now.
func (s *settings) follow(ctx context.Context, watched map[string]context.CancelFunc, watching *sync.WaitGroup, stop context.CancelCauseFunc) {
	now, err := sdk.Host(ctx).Cameras(ctx)
	if err != nil {
		sdk.Log(ctx).Warn("the bridge does not say which cameras there are", "err", err)
		return
	}
	for id, end := range watched {
		if !slices.ContainsFunc(now, func(c sdk.Camera) bool { return c.ID == id }) {
			end()
			delete(watched, id)
		}
	}
	for _, c := range now {
		if watched[c.ID] != nil {
			continue
		}
		one, end := context.WithCancel(ctx)
		watched[c.ID] = end
		watching.Go(func() { s.watch(one, c.ID, stop) })
	}
}

// end finishes all clips.
func (s *settings) end(ctx context.Context, watching *sync.WaitGroup) {
	watching.Wait()
	s.recorder.mu.Lock()
	cameras := slices.Collect(maps.Values(s.recorder.cameras))
	s.recorder.mu.Unlock()
	for _, c := range cameras {
		c.stop(ctx, s, true)
	}
	s.recorder.finished.Wait()
	s.prune(ctx)
}

const (
	lookAgain   = 10 * time.Second // for other cameras
	joinAgain   = 2 * time.Second  // when a camera's frames ended; doubling
	longestWait = time.Minute
)

// wait returns after d, or when ctx ends.
func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// watch takes in a camera's frames until ctx ends. Without the permission there is
// nothing to do, for any camera.
func (s *settings) watch(ctx context.Context, id string, stop context.CancelCauseFunc) {
	c := s.camera(id)
	defer c.stop(ctx, s, false)
	for again := joinAgain; ctx.Err() == nil; again = min(2*again, longestWait) {
		for f, err := range sdk.Host(ctx).Frames(ctx, sdk.FramesOptions{Camera: id, MaxFPS: s.MaxFPS, Every: true}) {
			switch {
			case errors.Is(err, sdk.ErrDenied):
				stop(err)
			case err != nil && again < longestWait: // the bridge lets in so many a second
				sdk.Log(ctx).Debug("no frames now", "camera", id, "err", err)
			case err != nil:
				sdk.Log(ctx).Warn("no frames", "camera", id, "err", err)
			default:
				again = joinAgain
				c.add(ctx, s, f)
			}
		}
		wait(ctx, again)
	}
}

func (s *settings) camera(id string) *camera {
	s.recorder.mu.Lock()
	defer s.recorder.mu.Unlock()
	if s.recorder.cameras == nil {
		s.recorder.cameras = map[string]*camera{}
	}
	c := s.recorder.cameras[id]
	if c == nil {
		c = &camera{id: id}
		s.recorder.cameras[id] = c
	}
	return c
}

func deliver(ctx context.Context, s *settings, e sdk.Event) error {
	if e.Gap > 0 {
		sdk.Log(ctx).Warn("events were lost: their clips are missing", "events", e.Gap)
	}
	if e.Phase == sdk.PhaseTest {
		return nil
	}
	s.camera(e.Camera.ID).event(ctx, s, e)
	return nil
}

func (s *settings) store(ctx context.Context) store {
	dir := s.Dir
	if dir == "" {
		dir = filepath.Join(sdk.DataDir(ctx), "files")
	}
	create := s.recorder.create
	if create == nil {
		create = func(path string) (file, error) { return os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600) }
	}
	return store{dir: dir, age: time.Duration(s.KeepDays * float64(24*time.Hour)), size: int64(s.KeepGB * 1e9), create: create}
}

// prune removes what is too old or too much, and publishes what is there.
func (s *settings) prune(ctx context.Context) {
	clips, bytes, err := s.store(ctx).prune(time.Now())
	if err != nil {
		sdk.Log(ctx).Error("old clips cannot be removed", "err", err)
	}
	s.publish(ctx, "clips", strconv.Itoa(clips))
	s.publish(ctx, "bytes", strconv.FormatInt(bytes, 10))
}

// more says when there is another clip, so that old ones may have to go.
func (r *recorder) more() chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.wake == nil {
		r.wake = make(chan struct{}, 1)
	}
	return r.wake
}

// publish sets a state of the instance, if that was granted.
func (s *settings) publish(ctx context.Context, name, value string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second) // a clip may be finished after the end
	defer cancel()
	err := sdk.Host(ctx).SetState(ctx, name, value)
	if err == nil {
		return
	}
	s.recorder.mu.Lock()
	said := s.recorder.denied
	s.recorder.denied = s.recorder.denied || errors.Is(err, sdk.ErrDenied)
	s.recorder.mu.Unlock()
	if !said {
		sdk.Log(ctx).Warn("not published", "name", name, "err", err)
	}
}

// report keeps and publishes what is wrong with the disk; nil: nothing any more.
func (s *settings) report(ctx context.Context, err error) {
	s.recorder.mu.Lock()
	s.recorder.problem = err
	s.recorder.mu.Unlock()
	text := "none"
	if err != nil {
		text = err.Error()
		sdk.Log(ctx).Error("a clip was cut short", "err", err)
	}
	s.publish(ctx, "problem", text)
}

// check says what is wrong with the disk, having tried it.
func check(ctx context.Context, s *settings) error {
	s.recorder.mu.Lock()
	problem := s.recorder.problem
	s.recorder.mu.Unlock()
	if problem != nil {
		return problem
	}
	dir := s.store(ctx).dir
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".check-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}
