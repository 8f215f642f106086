// Package fakecam plays ESP32 cameras: it dials a bridge, waits to be admitted,
// sends pictures of a small drawn world with a running clock, obeys what it is
// told, and misbehaves on request. The program fakecam, the demo and the tests of
// other packages use it; of the bridge it knows the protocol alone.
//
// New makes a camera, Run plays it until its context ends, reconnecting like the
// firmware it plays; Report, Change, Event and Send watch and poke it from any
// goroutine. One camera costs two goroutines while it is connected. A bridge that
// is slow, refuses or disappears never ends Run: the camera skips pictures, as a
// board does that always sends its newest, and dials again.
//
// With one Seed everything but the clock repeats: phases, faults, movements.
package fakecam

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/wire"
)

// Config describes one camera. Only URL is required.
type Config struct {
	URL        string        // ws://host:port, wss:// or http(s)://; the path is /ingest/ws unless given
	Key        string        // wsk_...
	KeyInQuery bool          // as ?key=, not as a Bearer header
	App, Room  string        // of the query; may be empty
	Dialect    string        // one of Dialects(); default native
	Name       string        // burnt in; default the room
	Scene      int           // which drawn place it looks at; four, then again in other colours
	Plan       string        // what happens there, one of Plans(); default Lively
	FPS        int           // pictures per second, 1-30; default 10, or the clip's own
	Width      int           // pixels, 64-2592; default 640
	Height     int           // pixels, 64-1944; default 480
	Clip       string        // folder of JPEGs, or a labelled clip, to send instead of the drawn world
	ClipOnce   bool          // the clip is sent once; then the camera stays connected and sends no more pictures
	Loop       *Loop         // the same as Clip, already loaded and shared by many cameras
	Faults     Faults        // what goes wrong, and how often
	Seed       uint64        // of everything that is random
	Retry      time.Duration // first pause before dialling again; default 0.5 s (native), 3 s (StreamHub)
	Stats      time.Duration // between stats; default 30 s
	OldStats   bool          // stats without "frames", as early sketches send them
	Insecure   bool          // wss:// without looking at the certificate
	Full       bool          // a native camera that has every setting there is, and takes OTA

	// Caps is what a native camera says it can do; nil means what a usual board
	// can, or everything if Full.
	Caps *bridge.Capabilities
	// Clock is what the pictures show and the uptime counts; nil means time.Now.
	// The pace of sending and the camera's timers always follow real time.
	Clock func() time.Time
	// Sent is told that picture n of the Clip or Loop, from 0, was written to the
	// network. The camera waits for it: it should be quick. nil means nobody asks.
	Sent func(n int, at time.Time)
	// Log gets a line per change of state; nil means none.
	Log *slog.Logger
}

// Run plays one camera until ctx ends. Its error is that of a Config that cannot
// be played, an *bridge.Error; whatever happens on the network is none.
func Run(ctx context.Context, cfg Config) error {
	c, err := New(cfg)
	if err != nil {
		return err
	}
	return c.Run(ctx)
}

// Camera is one simulated camera.
type Camera struct {
	cfg      Config
	url      *url.URL
	log      *slog.Logger
	faults   *mischief
	requests chan request // what other goroutines want done on the connection

	// Owned by the goroutine in Run.
	random *rand.Rand // of everything but faults
	studio studio
	phase  float64 // 0-1: so that cameras do not all send at once, nor show the same
	script script  // of the drawn world
	reel   reel    // what is played instead of the drawn world, if anything is

	mu     sync.Mutex // guards what follows
	board  *board
	report Report
}

// request is something to be done by the goroutine that owns the connection.
type request struct {
	do   func(*session) error
	done chan error
}

// New checks cfg and makes a camera that is switched off.
func New(cfg Config) (*Camera, error) {
	own := cfg.FPS == 0
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	u, err := endpoint(cfg)
	if err != nil {
		return nil, err
	}
	if cfg.Loop == nil && cfg.Clip != "" {
		if cfg.Loop, err = LoadClip(cfg.Clip); err != nil {
			return nil, err
		}
	}
	reel := newReel(cfg, own)
	cfg.FPS = reel.fps(cfg.FPS)
	c := &Camera{
		cfg:      cfg,
		url:      u,
		log:      cfg.Log.With("camera", cfg.Name),
		faults:   newMischief(cfg.Faults, cfg.Seed),
		requests: make(chan request),
		random:   rand.New(rand.NewPCG(cfg.Seed, 1)),
		board:    newBoard(cfg),
	}
	c.phase = c.random.Float64()
	scenes := allScenes()
	c.script = newScript(cfg.Plan, scenes[cfg.Scene%len(scenes)], cfg.Scene, cfg.Seed)
	c.reel = reel
	c.reel.cue(c.phase)
	return c, nil
}

func (cfg Config) withDefaults() Config {
	cfg.Dialect = or(cfg.Dialect, string(bridge.Native))
	cfg.Name = or(cfg.Name, or(cfg.Room, "Camera"))
	cfg.Plan = or(cfg.Plan, Lively)
	cfg.FPS = or(cfg.FPS, 10)
	cfg.Width = or(cfg.Width, 640)
	cfg.Height = or(cfg.Height, 480)
	cfg.Stats = or(cfg.Stats, wire.StatsPeriod)
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return cfg
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

func (cfg Config) check() error {
	switch {
	case dialects()[cfg.Dialect] == nil:
		return bridge.Errorf(bridge.CodeInvalid, "dialect %q is not known: use %s", cfg.Dialect, strings.Join(Dialects(), " or ")).At("dialect")
	case cfg.FPS < 1 || cfg.FPS > 30:
		return bridge.Errorf(bridge.CodeInvalid, "fps is %d: use 1 to 30", cfg.FPS).At("fps")
	case cfg.Width < 64 || cfg.Width > 2592 || cfg.Height < 64 || cfg.Height > 1944:
		return bridge.Errorf(bridge.CodeInvalid, "size is %dx%d: use 64x64 to 2592x1944", cfg.Width, cfg.Height).At("size")
	case cfg.Retry < 0 || cfg.Stats < 0:
		return bridge.Errorf(bridge.CodeInvalid, "retry and stats are times: they cannot be negative").At("retry")
	case strings.ContainsAny(cfg.Key, "\r\n"):
		return bridge.Errorf(bridge.CodeInvalid, "key has a line break in it").At("key")
	case cfg.ClipOnce && cfg.Clip == "" && cfg.Loop == nil:
		return bridge.Errorf(bridge.CodeInvalid, "there is no clip to be sent once: name its folder").At("clip")
	}
	if err := checkPlan(cfg.Plan); err != nil {
		return err
	}
	return cfg.Faults.check()
}

// endpoint is the address that the camera dials.
func endpoint(cfg Config) (*url.URL, error) {
	bad := bridge.Errorf(bridge.CodeInvalid, "url %q is not an address to dial: use something like ws://192.168.1.2:8080", cfg.URL).At("url")
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Host == "" {
		return nil, bad
	}
	schemes := map[string]string{"ws": "ws", "wss": "wss", "http": "ws", "https": "wss"}
	if u.Scheme = schemes[u.Scheme]; u.Scheme == "" {
		return nil, bad
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/ingest/ws"
	}
	q := u.Query()
	if cfg.App != "" {
		q.Set("app", cfg.App)
	}
	if cfg.Room != "" {
		q.Set("room", cfg.Room)
	}
	u.RawQuery = q.Encode()
	return u, nil
}

// Dialects lists what cameras can speak.
func Dialects() []string {
	var names []string
	for name := range dialects() {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// dialects maps each dialect to what plays it: it returns when ctx ended. A new
// dialect is one file and one line here.
func dialects() map[string]func(context.Context, *Camera) {
	return map[string]func(context.Context, *Camera){
		string(bridge.Native):    playNative,
		string(bridge.StreamHub): playStreamHub,
	}
}

// Run plays the camera until ctx ends. It may be called once.
func (c *Camera) Run(ctx context.Context) error {
	dialects()[c.cfg.Dialect](ctx, c)
	return nil
}

// Name returns the name that is burnt in.
func (c *Camera) Name() string { return c.cfg.Name }
