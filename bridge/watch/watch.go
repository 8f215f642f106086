// Package watch turns the cameras' pictures into events: it judges them with
// package motion, begins an event at the first motion, updates it, and ends it.
//
// app runs it; fleet's sensors come in through Sensor, plugins through
// AddDetector. The journal, MQTT and the page subscribe to what comes out.
//
// It never slows the relay: each camera has a mailbox of one picture in which a
// newer one replaces an older, and a pool of workers, no more than there are
// cores, visits the cameras in turn, on threads that give way to everybody else. With more cameras than CPU all are judged
// less often, by the same measure. Pictures are shared, never copied; what came
// shortly before an event is kept within a number of bytes for all cameras
// together. After a start, a reconnect or a picture that somebody changed on
// purpose it learns anew and tells no motion. Every event that began ends, also
// when the camera goes silent, is switched off, or the program stops.
package watch

import (
	"context"
	"image"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/hub"
	"github.com/espcam-bridge/espcam-bridge/motion"
)

// Config bounds the work. Zero values take the defaults named beside them.
type Config struct {
	Workers      int           // pictures judged at once; one less than the cores, at least 1
	Apart        bool          // workers have threads of their own that stand back for everybody else, where the system can do it
	MaxPixels    int           // larger pictures are refused; package motion's default
	PreRoll      time.Duration // how long before its begin an event is recorded; 2 s
	MaxLength    time.Duration // of an event; 5 min
	ClipLength   time.Duration // of what the recorder gets of an event, pre-roll included; 30 s
	ClipFPS      float64       // pictures a second for the recorder at most; 5
	PreRollBytes int           // kept for the pre-roll of all cameras together; 64 MiB
}

// Fleet is the part of package fleet that the watch reads.
type Fleet interface {
	Cameras() []bridge.Camera
	Camera(ref string) (bridge.Camera, error)
	Subscribe() (*bridge.Listener, func())
}

// Recorder gets an event's pictures, oldest first: at its begin those of the
// pre-roll, then what follows. Record is called with locks held and must not
// block; false means that it had no room.
type Recorder interface {
	Record(event string, f bridge.Frame) bool
}

// Deps are the parts that the watch is connected to.
type Deps struct {
	Fleet    Fleet
	Hub      *hub.Hub
	Recorder Recorder // nil: events have no clips
	Log      *slog.Logger
	Now      func() time.Time // nil means time.Now
}

// Watch is the watch over all cameras. All methods may be called from any
// goroutine and do not wait for a picture to be judged, but for Debug.
type Watch struct {
	cfg   Config
	deps  Deps
	judge func(motion.Config) judge

	rotation  rotation
	pool      pool
	detectors detectors
	share     atomic.Int64 // bytes of pre-roll for each camera
	lost      atomic.Uint64
	begun     atomic.Uint64
	ids       ids
	wake      chan struct{} // an event may end sooner than Run thinks
	stopped   atomic.Bool

	mu   sync.RWMutex
	eyes map[string]*eye // by camera; only Run adds and removes

	telling   sync.Mutex
	listeners map[*bridge.EventListener]bool // whether it wants all updates
}

// New makes a watch that begins with Run.
func New(cfg Config, deps Deps) *Watch {
	if deps.Now == nil {
		deps.Now = time.Now
	}
	w := &Watch{cfg: withDefaults(cfg), deps: deps, judge: newJudge, wake: make(chan struct{}, 1),
		eyes: map[string]*eye{}, listeners: map[*bridge.EventListener]bool{}}
	w.rotation.changed = sync.NewCond(&w.rotation.mu)
	w.detectors.log = deps.Log
	w.share.Store(int64(w.cfg.PreRollBytes))
	return w
}

func withDefaults(c Config) Config {
	if c.Workers <= 0 {
		c.Workers = max(1, runtime.GOMAXPROCS(0)-1) // one core stays free for the relay
	}
	if c.PreRoll <= 0 {
		c.PreRoll = 2 * time.Second
	}
	if c.MaxLength <= 0 {
		c.MaxLength = 5 * time.Minute
	}
	if c.ClipLength <= 0 {
		c.ClipLength = 30 * time.Second
	}
	if c.ClipFPS <= 0 {
		c.ClipFPS = 5
	}
	if c.PreRollBytes <= 0 {
		c.PreRollBytes = 64 << 20
	}
	return c
}

// Run watches until ctx ends. When it returns, every event has ended and was
// told, and nothing of it runs any more, except a detector's call that does not
// return though its context ended 2 s ago. It is called once.
func (w *Watch) Run(ctx context.Context) error {
	w.deps.Log.Info(motion.About())
	news, unsubscribe := w.deps.Fleet.Subscribe()
	defer unsubscribe()
	for _, c := range w.deps.Fleet.Cameras() {
		w.follow(c.ID)
	}
	w.divide()
	wait := w.startPool(ctx)
	w.attend(ctx, news)
	w.stopped.Store(true)
	for _, e := range w.list() {
		e.stop()
	}
	w.rotation.close()
	wait()
	for _, e := range w.list() {
		e.examiner.close()
	}
	w.detectors.wait(hangTime)
	return nil
}

// hangTime is how long Run waits for a detector's call that was cancelled.
const hangTime = 2 * time.Second

// attend follows the fleet and ends events whose time has come.
func (w *Watch) attend(ctx context.Context, news *bridge.Listener) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-news.Ready():
			for _, id := range news.Take().Cameras {
				w.follow(id)
			}
			w.divide()
		case <-w.wake:
		case <-timer.C:
		}
		timer.Reset(w.expire())
	}
}

// rest is how long Run sleeps while no event goes on.
const rest = time.Hour

// expire ends events whose time has come and returns how long it is until the
// next one's.
func (w *Watch) expire() time.Duration {
	wait := rest
	for _, e := range w.list() {
		if d, going := e.expire(); going {
			wait = min(wait, d)
		}
	}
	return max(wait, time.Millisecond)
}

// hurry makes Run look again at when events end.
func (w *Watch) hurry() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// follow takes over what the fleet says of a camera now.
func (w *Watch) follow(id string) {
	e := w.eye(id)
	if e == nil {
		if c, err := w.deps.Fleet.Camera(id); err != nil || c.ID != id {
			return
		}
		e = newEye(w, id)
		w.mu.Lock()
		w.eyes[id] = e
		w.mu.Unlock()
	}
	if known := e.follow(); !known {
		w.mu.Lock()
		delete(w.eyes, id)
		w.mu.Unlock()
	}
}

// divide gives each watched camera an equal share of the pre-roll's bytes.
func (w *Watch) divide() {
	eyes, n := w.list(), 0
	for _, e := range eyes {
		if e.mail.opened() {
			n++
		}
	}
	share := int64(w.cfg.PreRollBytes / max(1, n))
	if w.share.Swap(share) > share {
		for _, e := range eyes {
			e.mail.trim()
		}
	}
}

func (w *Watch) eye(id string) *eye {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return w.eyes[id]
}

func (w *Watch) list() []*eye {
	w.mu.RLock()
	defer w.mu.RUnlock()
	list := make([]*eye, 0, len(w.eyes))
	for _, e := range w.eyes {
		list = append(list, e)
	}
	return list
}

// Subscribe makes a mailbox that hears of every begin, update and end of an
// event from now on; each judged picture with motion is an update. The caller
// calls the returned function when it stops reading. It may be called before
// Run, and after it for the events that Run ended.
func (w *Watch) Subscribe() (*bridge.EventListener, func()) { return w.listen(true) }

// Digest is Subscribe for whom boxes do not matter: of updates that show only
// where something moves now it hears the newest, once a second.
func (w *Watch) Digest() (*bridge.EventListener, func()) { return w.listen(false) }

func (w *Watch) listen(all bool) (*bridge.EventListener, func()) {
	l := bridge.NewEventListener()
	w.telling.Lock()
	w.listeners[l] = all
	w.telling.Unlock()
	return l, func() {
		w.telling.Lock()
		delete(w.listeners, l)
		w.telling.Unlock()
	}
}

// tell tells the listeners of an event; of what is minor only those that want all.
func (w *Watch) tell(e bridge.Event, minor bool) {
	w.telling.Lock()
	defer w.telling.Unlock()
	for l, all := range w.listeners {
		if all || !minor {
			l.Tell(e)
		}
	}
}

// State is what the watch over a camera is doing; the zero value if there is no
// such camera.
func (w *Watch) State(camera string) bridge.MotionState {
	if e := w.eye(camera); e != nil {
		return e.state()
	}
	return bridge.MotionState{}
}

// Active returns the events that go on, the oldest first.
func (w *Watch) Active() []bridge.Event {
	list := []bridge.Event{}
	for _, e := range w.list() {
		if event, on := e.current(); on {
			list = append(list, event)
		}
	}
	slices.SortFunc(list, func(a, b bridge.Event) int { return strings.Compare(a.ID, b.ID) })
	return list
}

// Sensor takes a change of a motion sensor of the camera itself: "pir", or what
// other dialects call theirs. The first active one begins an event or joins the
// one that goes on and holds it open until it is inactive. It counts only while
// the camera and its motion detection are switched on.
func (w *Watch) Sensor(camera, name string, active bool) {
	if e := w.eye(camera); e != nil {
		e.sense(name, active)
	}
}

// Debug draws what the camera's detector saw in the newest judged picture, on
// nothing, in its working size. It is false while the camera is not watched and
// before its first picture. It may wait for one picture to be judged.
func (w *Watch) Debug(camera string) (image.Image, bool) {
	if e := w.eye(camera); e != nil {
		if d := e.examiner.debug(); d != nil {
			return d.Overlay(), true
		}
	}
	return nil, false
}

// AddDetector asks d about pictures from now on. After remove returned no call
// begins, and one that is under way is cancelled.
func (w *Watch) AddDetector(d bridge.Detector, o bridge.DetectorOptions) (remove func()) {
	return w.detectors.add(d, o)
}
