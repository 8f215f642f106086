// Package fleet knows which cameras exist, which are here, what each can do and
// what people want of it.
//
// Ingest asks it to admit a connection and then tells it what the camera says
// (bridge.Session). The page, the API and MQTT ask it for snapshots of cameras
// and to change settings or act; it checks the wish against the camera's Offer,
// keeps it on disk, sends it over the camera's Link with a request id and a
// time-out, and tells every listener what changed.
//
// Settings are declarative: the desired ones are kept, the camera reports what
// is in force, and a camera that returns is repaired. A camera that is away, slow
// or refuses costs only the caller who asked: one command per camera is under
// way at a time, a few may wait, more are refused as busy. Methods of a Session
// never wait for the network or the disk.
package fleet

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/hub"
	"github.com/espcam-bridge/espcam-bridge/bridge/store"
)

// Config is what the fleet is built from. Zero durations and counts take the
// defaults named beside them.
type Config struct {
	App            string              // StreamHub application name; bridge.DefaultApp
	MaxFPS         int                 // frames per second at most per camera; 15
	Grace          time.Duration       // without a connection before a camera is offline; 6 s
	CommandTimeout time.Duration       // for a camera's answer; 5 s
	MaxCameras     int                 // connected at once; 1024
	Motion         bridge.MotionChange // for all cameras, over bridge.DefaultMotion
	Cameras        []Known             // named in the configuration file
}

// Known is a camera of the configuration file.
type Known struct {
	ID       string
	Name     string              // "" leaves the name to the API
	Room     string              // "" means the id
	Settings bridge.Settings     // first values of desired settings
	Motion   bridge.MotionChange // first values of how its pictures are judged
	Source   string              // "file:line"
}

// Keys is the part of package auth that the fleet uses.
type Keys interface {
	// VerifyKey returns the key that the secret is, if it is one.
	VerifyKey(secret string) (bridge.Key, bool)
	// Mint makes a key for one camera. The secret is told only here.
	Mint(camera, identity string) (secret string, k bridge.Key, err error)
	// Revoke ends a key. One from the file is CodeConflict.
	Revoke(id string) (bridge.Key, error)
	// RevokeCamera ends all minted keys of a camera.
	RevokeCamera(camera string) error
	// Take makes the secret, of which nobody knew, the key of a camera.
	// CodeInvalid if it cannot be one.
	Take(camera, secret, identity string) (bridge.Key, error)
	// Keys lists all keys.
	Keys() []bridge.Key
}

// record is what the store keeps of a camera.
type record struct {
	Room, Name   string
	InFile       bool // made because the configuration file names it
	Disabled     bool
	Hidden       bool
	Dialect      bridge.Dialect
	Device       bridge.Device
	Caps         bridge.Capabilities
	Desired      bridge.Settings
	FileSettings bridge.Settings // of the file, as last seen: a changed value there wins once
	Motion       bridge.MotionChange
	FileMotion   bridge.MotionChange // the same for Motion
	BootedAt     time.Time
}

// camera is all that is known of one camera. Its fields are guarded by
// Fleet.mu, but for turn, waiting and saving.
type camera struct {
	id     string
	source string // "file:line" or ""
	named  bool   // the file holds the name
	rec    record
	offer  bridge.Offer

	session     *session // nil while not connected
	online      bool     // damped
	away        *time.Timer
	address     string
	connections uint64
	reported    bridge.Settings
	figures     bridge.Stats  // the device's own
	flips       []time.Time   // replacements of a live connection, within the last minute
	motion      bridge.Motion // in force
	disturbed   time.Time     // see bridge.Camera
	angles      map[string]int

	unsaved bool // the last write failed

	turn    chan struct{} // holds the one command under way
	waiting chan struct{} // holds those that wait for their turn
	saving  sync.Mutex    // orders writes to the store
}

// Fleet is the registry of cameras. All methods may be called from any
// goroutine.
type Fleet struct {
	cfg   Config
	hub   *hub.Hub
	keys  Keys
	table *store.Table[record]
	log   *slog.Logger
	sense func(camera, name string, active bool) // see OnSensor

	ctx    context.Context // ends repairs that are under way
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu        sync.Mutex
	closed    bool
	requests  uint64    // ids of commands
	permit    time.Time // until then an unknown camera may come in
	cameras   map[string]*camera
	listeners map[*bridge.Listener]struct{}
}

// Open reads the known cameras from the store and joins them with those of the
// configuration file. Repairs that are under way end with ctx. The caller calls
// Close before it closes the store.
func Open(ctx context.Context, cfg Config, st *store.Store, h *hub.Hub, keys Keys, log *slog.Logger) (*Fleet, error) {
	table, err := store.NewTable[record](st, "cameras")
	if err != nil {
		return nil, err
	}
	f := &Fleet{cfg: withDefaults(cfg), hub: h, keys: keys, table: table, log: log,
		cameras: map[string]*camera{}, listeners: map[*bridge.Listener]struct{}{}}
	f.ctx, f.cancel = context.WithCancel(ctx)
	records, err := table.All()
	if err != nil {
		return nil, err
	}
	for id, rec := range records {
		rec.Desired, rec.FileSettings = bridge.Known(rec.Desired), bridge.Known(rec.FileSettings)
		rec.Motion, rec.FileMotion = bridge.KnownMotion(rec.Motion), bridge.KnownMotion(rec.FileMotion)
		f.insert(id, rec)
	}
	if err := f.join(cfg.Cameras); err != nil {
		return nil, err
	}
	return f, nil
}

func withDefaults(c Config) Config {
	if c.App == "" {
		c.App = bridge.DefaultApp
	}
	if c.MaxFPS == 0 {
		c.MaxFPS = 15
	}
	if c.Grace == 0 {
		c.Grace = 6 * time.Second
	}
	if c.CommandTimeout == 0 {
		c.CommandTimeout = 5 * time.Second
	}
	if c.MaxCameras == 0 {
		c.MaxCameras = 1024
	}
	return c
}

// maxWaiting is how many commands may wait for one camera; more are refused.
const maxWaiting = 8

func (f *Fleet) insert(id string, rec record) *camera {
	c := &camera{id: id, rec: rec, turn: make(chan struct{}, 1), waiting: make(chan struct{}, maxWaiting)}
	c.offer = bridge.NewOffer(rec.Dialect, rec.Caps, f.cfg.MaxFPS)
	c.motion = f.motionOf(rec)
	f.cameras[id] = c
	f.hub.Feed(id).Mute(rec.Disabled)
	return c
}

// join brings the store in line with the configuration file: the file's names
// and rooms hold, its settings are first values, and cameras that only the file
// had made are forgotten when it no longer names them.
func (f *Fleet) join(known []Known) error {
	named := map[string]bool{}
	for _, k := range known {
		named[k.ID] = true
		if err := f.joinOne(k); err != nil {
			return err
		}
	}
	minted := map[string]bool{}
	for _, k := range f.keys.Keys() {
		minted[k.Camera] = minted[k.Camera] || k.Source == ""
	}
	for id, c := range f.cameras {
		if !c.rec.InFile || named[id] || minted[id] {
			continue
		}
		if err := f.table.Delete(id); err != nil {
			return err
		}
		delete(f.cameras, id)
		f.hub.Remove(id)
	}
	return nil
}

func (f *Fleet) joinOne(k Known) error {
	c, ok := f.cameras[k.ID]
	if !ok {
		c = f.insert(k.ID, record{InFile: true})
	}
	c.source, c.named = k.Source, k.Name != ""
	if c.named {
		c.rec.Name = k.Name
	}
	c.rec.Room = k.Room
	changed := bridge.Diff(k.Settings, c.rec.FileSettings)
	if on, ok := changed["stream"].(bool); ok { // the wire's word for enabled
		c.rec.Disabled = !on
		f.hub.Feed(c.id).Mute(!on)
		delete(changed, "stream")
	}
	c.rec.Desired = c.rec.Desired.With(changed)
	c.rec.FileSettings = k.Settings
	f.joinMotion(c, k.Motion)
	return f.save(c)
}

// save writes the camera's record as it is now. It waits for the disk, so it is
// never called with mu held nor from a camera's reader.
func (f *Fleet) save(c *camera) error {
	c.saving.Lock()
	defer c.saving.Unlock()
	f.mu.Lock()
	rec := c.rec
	_, known := f.cameras[c.id]
	f.mu.Unlock()
	if !known {
		return nil // removed meanwhile
	}
	err := f.table.Put(c.id, rec)
	f.mu.Lock()
	retry := err != nil && !c.unsaved
	c.unsaved = err != nil
	f.mu.Unlock()
	if retry {
		time.AfterFunc(saveAgain, func() { f.saveLater(c) })
	}
	if err != nil {
		return bridge.Errorf(bridge.CodeUnavailable, "%s could not be saved and holds only until a restart: %w", c.id, err)
	}
	return nil
}

// saveAgain is how long after a failed write, such as on a full disk, the next
// one is tried.
const saveAgain = 30 * time.Second

// saveLater tries again what the disk did not take, until it does.
func (f *Fleet) saveLater(c *camera) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !c.unsaved {
		return
	}
	c.unsaved = false // so that a further failure tries once more
	f.goLocked(func() {
		if err := f.save(c); err != nil {
			f.log.Warn("still not saved", "camera", c.id, "err", err)
		}
	})
}

// Unsaved is how many cameras the disk did not take as they are now.
func (f *Fleet) Unsaved() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, c := range f.cameras {
		if c.unsaved {
			n++
		}
	}
	return n
}

// Close ends repairs under way and stops timers. Sessions that are still open
// may go on calling their methods.
func (f *Fleet) Close() {
	f.mu.Lock()
	f.closed = true
	for _, c := range f.cameras {
		if c.away != nil {
			c.away.Stop()
		}
	}
	f.mu.Unlock()
	f.cancel()
	f.wg.Wait()
}

// Cameras returns a snapshot of all cameras, sorted by id.
func (f *Fleet) Cameras() []bridge.Camera {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := make([]bridge.Camera, 0, len(f.cameras))
	for _, id := range slices.Sorted(maps.Keys(f.cameras)) {
		list = append(list, f.snapshot(f.cameras[id]))
	}
	return list
}

// Camera returns a snapshot of one camera. ref is tried as id, then as room,
// then as {app}-{room}; CodeNotFound if it is none of them.
func (f *Fleet) Camera(ref string) (bridge.Camera, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c, err := f.findLocked(ref)
	if err != nil {
		return bridge.Camera{}, err
	}
	return f.snapshot(c), nil
}

func (f *Fleet) findLocked(ref string) (*camera, error) {
	if c, ok := f.cameras[ref]; ok {
		return c, nil
	}
	plain, prefixed := strings.CutPrefix(ref, f.cfg.App+"-")
	for _, c := range f.cameras {
		if c.room() == ref {
			return c, nil
		}
	}
	for _, c := range f.cameras {
		if prefixed && c.room() == plain {
			return c, nil
		}
	}
	return nil, bridge.Errorf(bridge.CodeNotFound, "there is no camera %.64q", ref)
}

func (c *camera) room() string {
	if c.rec.Room != "" {
		return c.rec.Room
	}
	return c.id
}

func (c *camera) name() string {
	if c.rec.Name != "" {
		return c.rec.Name
	}
	return c.id
}

// snapshot copies what is known of c. The maps and slices in it are replaced,
// never changed, so they can be shared.
func (f *Fleet) snapshot(c *camera) bridge.Camera {
	feed := f.hub.Feed(c.id)
	s := bridge.Camera{
		ID: c.id, Room: c.room(), Name: c.name(), Source: c.source,
		Dialect: c.rec.Dialect, State: c.state(), Enabled: !c.rec.Disabled, Hidden: c.rec.Hidden,
		Address: c.address, LastFrame: feed.Latest().Received, BootedAt: c.rec.BootedAt,
		Device: c.rec.Device, Offer: c.offer, Desired: c.rec.Desired, Reported: c.reported,
		Motion: c.motion, Disturbed: c.disturbed, Angles: c.angles,
	}
	if c.session != nil {
		s.Connected, s.ConnectedAt = true, c.session.since
	}
	if c.connections > 1 {
		s.Reconnects = c.connections - 1
	}
	s.Stats = withFigures(feed.Stats(), c.figures)
	return s
}

func withFigures(s, device bridge.Stats) bridge.Stats {
	s.RSSI, s.HeapFree, s.PSRAMFree, s.Temperature = device.RSSI, device.HeapFree, device.PSRAMFree, device.Temperature
	s.Uptime, s.DeviceFPS, s.DeviceDrops = device.Uptime, device.DeviceFPS, device.DeviceDrops
	return s
}

func (c *camera) state() bridge.State {
	switch {
	case c.rec.Disabled:
		return bridge.Disabled
	case c.online:
		return bridge.Online
	}
	return bridge.Offline
}

// Subscribe makes a mailbox that hears of every change from now on. The caller
// calls the returned function when it stops reading.
func (f *Fleet) Subscribe() (*bridge.Listener, func()) {
	l := bridge.NewListener()
	f.mu.Lock()
	f.listeners[l] = struct{}{}
	f.mu.Unlock()
	return l, func() {
		f.mu.Lock()
		delete(f.listeners, l)
		f.mu.Unlock()
	}
}

func (f *Fleet) changedLocked(id string) {
	for l := range f.listeners {
		l.Changed(id)
	}
}

// Tell tells listeners what went wrong elsewhere, such as a command over MQTT that
// was refused.
func (f *Fleet) Tell(n bridge.Notice) {
	n.Time = time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	for l := range f.listeners {
		l.Notify(n)
	}
}

// notify tells listeners and the log of a fault, or of good news.
func (f *Fleet) notify(n bridge.Notice) {
	if n.Code == "" {
		f.log.Info(n.Message, "camera", n.Camera)
	} else {
		f.log.Warn(n.Message, "camera", n.Camera, "code", n.Code)
	}
	f.Tell(n)
}
