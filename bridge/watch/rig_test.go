package watch

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/hub"
	"github.com/espcam-bridge/espcam-bridge/motion"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// town is a fleet whose cameras the test changes.
type town struct {
	hub *hub.Hub

	mu        sync.Mutex
	cameras   map[string]bridge.Camera
	listeners map[*bridge.Listener]struct{}
	quiet     bool // nobody is told of changes
}

func (c *town) Cameras() []bridge.Camera {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Collect(maps.Values(c.cameras))
}

func (c *town) Camera(ref string) (bridge.Camera, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if cam, ok := c.cameras[ref]; ok {
		return cam, nil
	}
	return bridge.Camera{}, bridge.Errorf(bridge.CodeNotFound, "there is no camera %q", ref)
}

func (c *town) Subscribe() (*bridge.Listener, func()) {
	l := bridge.NewListener()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.listeners[l] = struct{}{}
	return l, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.listeners, l)
	}
}

// change changes a camera, which is made if need be; nil removes it.
func (c *town) change(id string, how func(*bridge.Camera)) {
	c.mu.Lock()
	cam := c.cameras[id]
	if how == nil {
		delete(c.cameras, id)
		c.hub.Remove(id)
	} else {
		c.hub.Feed(id)
		how(&cam)
		c.cameras[id] = cam
	}
	if !c.quiet {
		for l := range c.listeners {
			l.Changed(id)
		}
	}
	c.mu.Unlock()
}

// enable switches a camera on or off as the fleet does.
func (c *town) enable(id string, on bool) {
	c.change(id, func(cam *bridge.Camera) {
		cam.Enabled, cam.State = on, bridge.Online
		if !on {
			cam.State = bridge.Disabled
		}
	})
	c.hub.Feed(id).Mute(!on)
}

// script is a judge that reads its judgement out of the picture. Like the real
// one it sees no motion in the first pictures after it forgot.
type script struct {
	settle int           // pictures
	takes  time.Duration // for each
	stuck  bool          // each waits for a word
	gate   chan struct{}
	log    *[]string

	seen int
}

func (s *script) Configure(c motion.Config) { s.note("configure") }
func (s *script) Reset()                    { s.note("reset"); s.seen = 0 }
func (s *script) Close()                    { s.note("close") }
func (s *script) Debug() *motion.Debug {
	if s.seen == 0 {
		return nil
	}
	return &motion.Debug{Width: 4, Height: 3, Grey: make([]byte, 12), Noise: make([]byte, 12), State: make([]byte, 12)}
}

func (s *script) note(what string) {
	if s.log != nil {
		*s.log = append(*s.log, what)
	}
}

func (s *script) Judge(jpeg []byte, at time.Time) (j motion.Judgement) {
	if s.stuck {
		<-s.gate
	}
	time.Sleep(s.takes)
	if s.seen++; s.seen <= s.settle {
		return motion.Judgement{Quiet: motion.Settling}
	}
	text, _, _ := bytes.Cut(jpeg, []byte("\n"))
	if err := json.Unmarshal(text, &j); err != nil {
		return motion.Judgement{Quiet: motion.Damaged}
	}
	return j
}

// tape is a recorder.
type tape struct {
	mu     sync.Mutex
	full   bool
	frames map[string][]bridge.Frame
}

func (t *tape) Record(event string, f bridge.Frame) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.full {
		return false
	}
	t.frames[event] = append(t.frames[event], f)
	return true
}

func (t *tape) of(event string) []bridge.Frame {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.frames[event]
}

// rig is a watch with its surroundings, in a bubble of synthetic time.
type rig struct {
	*Watch
	t      *testing.T
	town   *town
	hub    *hub.Hub
	tape   *tape
	events *bridge.EventListener
	gate   chan struct{} // gives stuck judges the word
	cancel context.CancelFunc
	done   chan error
}

// bubble runs a test with a watch over the camera "porch", which is there.
func bubble(t *testing.T, cfg Config, judge func() *script, run func(*rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, cfg, judge)
		r.start()
		run(r)
		r.stop()
	})
}

func plain() *script { return &script{} }

func newRig(t *testing.T, cfg Config, judges func() *script) *rig {
	h := hub.New(nil)
	r := &rig{t: t, hub: h, town: &town{hub: h, cameras: map[string]bridge.Camera{}, listeners: map[*bridge.Listener]struct{}{}},
		gate: make(chan struct{}), tape: &tape{frames: map[string][]bridge.Frame{}}}
	r.Watch = New(cfg, Deps{Fleet: r.town, Hub: h, Recorder: r.tape, Log: slog.New(slog.DiscardHandler)})
	r.Watch.judge = func(motion.Config) judge {
		s := judges()
		s.gate = r.gate
		return s
	}
	r.events, _ = r.Subscribe()
	r.add("porch")
	return r
}

func (r *rig) add(id string) {
	r.town.change(id, func(c *bridge.Camera) {
		*c = bridge.Camera{ID: id, Room: id, State: bridge.Online, Enabled: true, Connected: true, ConnectedAt: time.Now(), Motion: bridge.DefaultMotion()}
	})
}

func (r *rig) start() {
	ctx, cancel := context.WithCancel(r.t.Context())
	r.cancel, r.done = cancel, make(chan error, 1)
	go func() { r.done <- r.Run(ctx) }()
	synctest.Wait()
}

func (r *rig) stop() {
	r.t.Helper()
	r.cancel()
	if err := <-r.done; err != nil {
		r.t.Errorf("Run: %v", err)
	}
	synctest.Wait()
}

// settings changes how porch's pictures are judged.
func (r *rig) settings(in map[string]any) {
	r.t.Helper()
	change, err := bridge.CheckMotion(in)
	if err != nil {
		r.t.Fatal(err)
	}
	r.town.change("porch", func(c *bridge.Camera) { c.Motion = c.Motion.With(change) })
	synctest.Wait()
}

func picture(camera string, j motion.Judgement, size int) bridge.Frame {
	b, err := json.Marshal(j)
	if err != nil {
		panic(err)
	}
	b = append(b, '\n')
	if len(b) < size {
		b = append(b, make([]byte, size-len(b))...)
	}
	return bridge.NewBuffer(b).Frame(len(b), bridge.Frame{Camera: camera, Received: time.Now()})
}

// show publishes a picture, and waits until it was judged unless that takes
// time.
func (r *rig) show(camera string, j motion.Judgement) bridge.Frame {
	r.hub.Feed(camera).Publish(picture(camera, j, 0))
	synctest.Wait()
	return r.hub.Latest(camera)
}

// after lets time pass.
func (r *rig) after(d time.Duration) *rig {
	time.Sleep(d)
	synctest.Wait()
	return r
}

// told takes the news of the one event that something happened to; the zero
// Event if there was none.
func (r *rig) told() bridge.Event {
	r.t.Helper()
	list, lost := r.events.Take()
	if len(list) > 1 || lost > 0 {
		r.t.Fatalf("%d events were told, %d lost, want at most one: %+v", len(list), lost, list)
	}
	if len(list) == 0 {
		return bridge.Event{}
	}
	return list[0]
}

// ended takes the news of an end.
func (r *rig) ended(want bridge.Ending) bridge.Event {
	r.t.Helper()
	e := r.told()
	if e.Ending != want || e.Over() != (want != "") || e.Now != nil {
		r.t.Fatalf("told %+v, want an event that ended with %q", e, want)
	}
	if len(r.Active()) != 0 {
		r.t.Errorf("after the end %+v go on", r.Active())
	}
	if s := r.State(e.Camera); r.eye(e.Camera) != nil && (s.Active || s.Event != "" || !s.Since.Equal(e.End)) {
		r.t.Errorf("after the end the state is %+v", s)
	}
	return e
}

// quiet insists that nothing was told.
func (r *rig) quiet(why string) {
	r.t.Helper()
	if list, _ := r.events.Take(); len(list) > 0 {
		r.t.Fatalf("%s, but told %+v", why, list)
	}
}

func moves(score float64) motion.Judgement {
	return motion.Judgement{Motion: true, Score: score, Sharpness: 1, Boxes: []motion.Box{{X: 0.1, Y: 0.2, W: score, H: 0.1}}}
}

var still motion.Judgement
