package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/fleet"
	"github.com/espcam-bridge/espcam-bridge/bridge/hub"
	"github.com/espcam-bridge/espcam-bridge/bridge/store"
)

// ring is a set of keys in memory: the secret of key "k1" is "secret-k1".
type ring struct {
	mu       sync.Mutex
	keys     map[string]bridge.Key
	verified func() // happens right after a key was found good, once; may be nil
}

func (r *ring) VerifyKey(secret string) (bridge.Key, bool) {
	r.mu.Lock()
	id, ok := strings.CutPrefix(secret, "secret-")
	if taken, own := strings.CutPrefix(secret, "own-"); own {
		id, ok = taken, true
	}
	k, known := r.keys[id]
	then := r.verified
	r.verified = nil
	r.mu.Unlock()
	if then != nil {
		then()
	}
	return k, ok && known
}

func (r *ring) Mint(camera, identity string) (string, bridge.Key, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := bridge.Key{ID: fmt.Sprint("k", len(r.keys)+1), Camera: camera, Identity: identity}
	r.keys[k.ID] = k
	return "secret-" + k.ID, k, nil
}

// Take takes secrets that begin with own-.
func (r *ring) Take(camera, secret, identity string) (bridge.Key, error) {
	id, ok := strings.CutPrefix(secret, "own-")
	if !ok {
		return bridge.Key{}, bridge.Errorf(bridge.CodeInvalid, "%q is no key", secret)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	k := bridge.Key{ID: id, Camera: camera, Identity: identity}
	r.keys[id] = k
	return k, nil
}

func (r *ring) Revoke(id string) (bridge.Key, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k, ok := r.keys[id]
	if !ok {
		return k, bridge.Errorf(bridge.CodeNotFound, "there is no key %q", id)
	}
	delete(r.keys, id)
	return k, nil
}

func (r *ring) RevokeCamera(camera string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, k := range r.keys {
		if k.Camera == camera {
			delete(r.keys, id)
		}
	}
	return nil
}

func (r *ring) Keys() []bridge.Key {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []bridge.Key
	for _, k := range r.keys {
		list = append(list, k)
	}
	return list
}

// device is a Link to a camera that does what its fields say.
type device struct {
	mu     sync.Mutex
	sets   []bridge.Settings
	does   []bridge.Action
	closed []bridge.Reason
	answer func(bridge.Settings) (bridge.Settings, error) // nil: obeys
	silent bool
}

func (d *device) Set(ctx context.Context, id string, s bridge.Settings) (bridge.Settings, error) {
	d.mu.Lock()
	d.sets = append(d.sets, s)
	answer, silent := d.answer, d.silent
	d.mu.Unlock()
	if id == "" {
		return nil, errors.New("a command without an id")
	}
	if silent {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if answer != nil {
		return answer(s)
	}
	return s, nil
}

func (d *device) Do(ctx context.Context, _ string, a bridge.Action) error {
	d.mu.Lock()
	d.does = append(d.does, a)
	silent := d.silent
	d.mu.Unlock()
	if silent {
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}

func (d *device) Close(r bridge.Reason) {
	d.mu.Lock()
	d.closed = append(d.closed, r)
	d.mu.Unlock()
}

func (d *device) seen() (sets []bridge.Settings, does []bridge.Action, closed []bridge.Reason) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.sets, d.does, d.closed
}

// world is a fleet with its parts.
type world struct {
	*fleet.Fleet
	t    *testing.T
	dir  string
	hub  *hub.Hub
	keys *ring
	st   *store.Store
	cfg  fleet.Config
}

func newWorld(t *testing.T, cfg fleet.Config) *world {
	w := &world{t: t, dir: t.TempDir(), keys: &ring{keys: map[string]bridge.Key{}}, cfg: cfg}
	w.open()
	t.Cleanup(w.close)
	return w
}

func (w *world) open() {
	w.t.Helper()
	var err error
	if w.st, err = store.Open(w.dir); err != nil {
		w.t.Fatal(err)
	}
	w.hub = hub.New(nil)
	if w.Fleet, err = fleet.Open(w.t.Context(), w.cfg, w.st, w.hub, w.keys, slog.New(slog.DiscardHandler)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) close() {
	w.Fleet.Close()
	w.st.Close()
}

func (w *world) restart() {
	w.close()
	w.open()
}

// connect adds the camera if needed and lets a device in.
func (w *world) connect(id string, d *device) bridge.Session {
	w.t.Helper()
	if _, err := w.Camera(id); err != nil {
		if _, err := w.Add(id, "", ""); err != nil {
			w.t.Fatal(err)
		}
	}
	secret := ""
	for _, k := range w.keys.Keys() {
		if k.Camera == id {
			secret = "secret-" + k.ID
		}
	}
	if secret == "" {
		var err error
		if secret, _, err = w.MintKey(id, ""); err != nil {
			w.t.Fatal(err)
		}
	}
	s, err := w.Admit(bridge.Claim{Key: secret, Address: "192.0.2.7:1234"}, d)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *world) camera(id string) bridge.Camera {
	w.t.Helper()
	c, err := w.Camera(id)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

var (
	caps = bridge.Capabilities{FrameSizes: []string{"QVGA", "VGA"}, LED: 255,
		Settings: map[string]bridge.Limit{"hmirror": {}, "brightness": {Range: &bridge.Range{-2, 2}}}}
	inForce = bridge.Settings{"framesize": "VGA", "quality": 12, "led": 0, "hmirror": false, "brightness": 0, "stream": true}
)

func bubble(t *testing.T, run func(*testing.T)) { t.Helper(); synctest.Test(t, run) }

func TestAdmission(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, fleet.Config{})
		w.Add("porch", "Front", "")
		secret, _, err := w.MintKey("porch", "")
		if err != nil {
			t.Fatal(err)
		}
		gone, _, _ := w.keys.Mint("nobody", "")
		tests := []struct {
			name  string
			claim bridge.Claim
			want  bridge.Reason
		}{
			{"no key", bridge.Claim{}, bridge.ReasonInvalidKey},
			{"wrong key", bridge.Claim{Key: "secret-k99"}, bridge.ReasonInvalidKey},
			{"key of a removed camera", bridge.Claim{Key: gone}, bridge.ReasonInvalidKey},
			{"malformed app before the key", bridge.Claim{App: "a b", Key: "x"}, bridge.ReasonInvalidApp},
			{"malformed room", bridge.Claim{Room: "../x", Key: secret}, bridge.ReasonInvalidRoom},
			{"long room", bridge.Claim{Room: strings.Repeat("r", 65), Key: secret}, bridge.ReasonInvalidRoom},
			{"unknown app", bridge.Claim{App: "other", Key: secret}, bridge.ReasonUnknownApp},
			{"another room", bridge.Claim{App: "live", Room: "Back", Key: secret}, bridge.ReasonRoomMismatch},
			{"key alone", bridge.Claim{Key: secret}, ""},
			{"room", bridge.Claim{App: "live", Room: "Front", Key: secret}, ""},
			{"id as room", bridge.Claim{Room: "porch", Key: secret}, ""},
			{"namespaced room", bridge.Claim{Room: "live-Front", Key: secret}, ""},
		}
		for _, tt := range tests {
			s, err := w.Admit(tt.claim, &device{})
			var r *bridge.Refusal
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("%s: refused with %v", tt.name, err)
			case tt.want != "" && (!errors.As(err, &r) || r.Reason != tt.want):
				t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
			}
			if s != nil {
				s.End(bridge.ReasonNormal)
			}
		}
	})
}

func TestTooManyCameras(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, fleet.Config{MaxCameras: 1})
		w.connect("one", &device{})
		w.Add("two", "", "")
		secret, _, _ := w.MintKey("two", "")
		_, err := w.Admit(bridge.Claim{Key: secret}, &device{})
		var r *bridge.Refusal
		if !errors.As(err, &r) || r.Reason != bridge.ReasonMaxCameras {
			t.Errorf("the second camera of at most 1: %v", err)
		}
		w.connect("one", &device{}) // a returning one is not a further one
	})
}

func publish(w *world, id string) {
	b := bridge.NewBuffer([]byte("picture"))
	w.hub.Feed(id).Publish(b.Frame(7, bridge.Frame{Camera: id, Received: time.Now()}))
}

func TestNewestConnectionWinsUntilAKeyIsUsedTwice(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, fleet.Config{})
		news, cancel := w.Subscribe()
		defer cancel()
		var last *device
		for i := range 4 {
			d := &device{}
			s := w.connect("porch", d)
			publish(w, "porch")
			if last != nil {
				if _, _, closed := last.seen(); len(closed) != 1 || closed[0] != bridge.ReasonReplaced {
					t.Fatalf("connection %d was closed with %v", i, closed)
				}
			}
			last = d
			time.Sleep(time.Second)
			publish(w, "porch")
			if !w.camera("porch").Connected {
				t.Fatal("not connected")
			}
			_ = s
		}
		k := w.keys.Keys()[0]
		_, err := w.Admit(bridge.Claim{Key: "secret-" + k.ID}, &device{})
		var r *bridge.Refusal
		if !errors.As(err, &r) || r.Reason != bridge.ReasonReplaced {
			t.Errorf("the fourth replacement within a minute: %v", err)
		}
		if n := news.Take(); len(n.Notices) != 1 || !strings.Contains(n.Notices[0].Message, "two cameras") {
			t.Errorf("notices: %+v", n.Notices)
		}
		if _, _, closed := last.seen(); len(closed) != 0 {
			t.Errorf("the older connection was closed: %v", closed)
		}

		time.Sleep(time.Minute)
		publish(w, "porch")
		if _, err := w.Admit(bridge.Claim{Key: "secret-" + k.ID}, &device{}); err != nil {
			t.Errorf("a minute later: %v", err)
		}
		// A connection that sends nothing is dead: its camera may return as often
		// as it likes.
		for i := range 10 {
			time.Sleep(11 * time.Second)
			if _, err := w.Admit(bridge.Claim{Key: "secret-" + k.ID}, &device{}); err != nil {
				t.Errorf("return %d after silence: %v", i, err)
			}
		}
	})
}

func TestOfflineIsDamped(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, fleet.Config{})
		s := w.connect("porch", &device{})
		s.End(bridge.ReasonNormal)
		if c := w.camera("porch"); c.Connected || c.State != bridge.Online {
			t.Errorf("at once: connected %v, %s", c.Connected, c.State)
		}
		time.Sleep(5 * time.Second)
		s = w.connect("porch", &device{})
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if c := w.camera("porch"); !c.Connected || c.State != bridge.Online || c.Reconnects != 1 {
			t.Errorf("after its return: %v, %s, %d reconnects", c.Connected, c.State, c.Reconnects)
		}
		s.End(bridge.ReasonIdle)
		time.Sleep(7 * time.Second)
		synctest.Wait()
		if c := w.camera("porch"); c.State != bridge.Offline {
			t.Errorf("7 s later: %s", c.State)
		}
	})
}

func TestAnOldConnectionsEndDoesNotTakeTheNewOneAway(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, fleet.Config{})
		first := w.connect("porch", &device{})
		second := w.connect("porch", &device{})
		first.End(bridge.ReasonReplaced)
		first.Hello(bridge.Device{Board: "old"}, caps, inForce)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if c := w.camera("porch"); !c.Connected || c.State != bridge.Online || c.Device.Board == "old" {
			t.Errorf("the camera is %+v", c)
		}
		second.End(bridge.ReasonNormal)
	})
}

func TestSettingsAreAcknowledgedKeptAndRepaired(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, fleet.Config{})
		ctx := t.Context()
		d := &device{}
		s := w.connect("porch", d)
		if _, err := w.Set(ctx, "porch", bridge.Settings{"quality": 20}); bridge.CodeOf(err) != bridge.CodeUnsupported {
			t.Errorf("quality before the hello: %v", err)
		}
		s.Hello(bridge.Device{Board: "ai-thinker", Sensor: "OV2640"}, caps, inForce)
		synctest.Wait()

		c, err := w.Set(ctx, "porch", bridge.Settings{"quality": 20.0, "led": 128, "led_ms": 3000})
		if err != nil {
			t.Fatal(err)
		}
		if c.Reported["quality"] != 20 || c.Reported["led"] != 128 {
			t.Errorf("in force are %v", c.Reported)
		}
		if want := (bridge.Settings{"quality": 20}); !reflect.DeepEqual(c.Desired, want) {
			t.Errorf("desired are %v, want %v: a timed LED is no wish for later", c.Desired, want)
		}
		for _, bad := range []bridge.Settings{{"quality": 99}, {"quality": "low"}, {"framesize": "UXGA"}, {"nothing": 1}, {"contrast": 1}, {"led_ms": 5}, {"hmirror": 1}} {
			if _, err := w.Set(ctx, "porch", bad); bridge.CodeOf(err) != bridge.CodeInvalid && bridge.CodeOf(err) != bridge.CodeUnsupported {
				t.Errorf("Set(%v): %v", bad, err)
			}
		}

		// Away: the wish is kept, over a restart too, and repaired at the return.
		s.End(bridge.ReasonNormal)
		if _, err := w.Set(ctx, "porch", bridge.Settings{"brightness": 2}); bridge.CodeOf(err) != bridge.CodeTimeout {
			t.Errorf("Set while away: %v", err)
		}
		w.Rename("porch", "Front porch")
		w.restart()
		if c := w.camera("porch"); c.Name != "Front porch" || c.Dialect != bridge.Native || !c.Offer.Can("restart") || c.State != bridge.Offline {
			t.Errorf("after the restart: %+v", c)
		}
		d = &device{}
		s = w.connect("porch", d)
		s.Hello(bridge.Device{}, caps, inForce)
		synctest.Wait()
		sets, _, _ := d.seen()
		if want := []bridge.Settings{{"quality": 20, "brightness": 2}}; !reflect.DeepEqual(sets, want) {
			t.Errorf("repairs were %v, want %v", sets, want)
		}
		if c := w.camera("porch"); c.Reported["brightness"] != 2 {
			t.Errorf("in force are %v", c.Reported)
		}
	})
}

func TestRefusedSettingIsTakenBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, fleet.Config{})
		d := &device{}
		s := w.connect("porch", d)
		s.Hello(bridge.Device{}, caps, inForce)
		synctest.Wait()
		w.Set(t.Context(), "porch", bridge.Settings{"quality": 20})
		d.mu.Lock()
		d.answer = func(bridge.Settings) (bridge.Settings, error) {
			return nil, bridge.Errorf(bridge.CodeInvalid, "sensor says no")
		}
		d.mu.Unlock()
		_, err := w.Set(t.Context(), "porch", bridge.Settings{"quality": 30, "brightness": 1})
		if bridge.CodeOf(err) != bridge.CodeInvalid || !strings.Contains(err.Error(), "sensor says no") {
			t.Errorf("refused: %v", err)
		}
		if want := (bridge.Settings{"quality": 20}); !reflect.DeepEqual(w.camera("porch").Desired, want) {
			t.Errorf("desired are %v, want %v", w.camera("porch").Desired, want)
		}
	})
}

func TestClampedValueBecomesTheWish(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, fleet.Config{})
		d := &device{answer: func(s bridge.Settings) (bridge.Settings, error) {
			return s.With(bridge.Settings{"quality": 10}), nil
		}}
		s := w.connect("porch", d)
		s.Hello(bridge.Device{}, caps, inForce)
		synctest.Wait()
		c, err := w.Set(t.Context(), "porch", bridge.Settings{"quality": 4})
		if err != nil || c.Desired["quality"] != 10 || c.Reported["quality"] != 10 {
			t.Errorf("desired %v, reported %v, %v", c.Desired, c.Reported, err)
		}
	})
}

func TestSilentCamera(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, fleet.Config{})
		d := &device{}
		s := w.connect("porch", d)
		s.Hello(bridge.Device{}, caps, inForce)
		synctest.Wait()
		d.mu.Lock()
		d.silent = true
		d.mu.Unlock()
		start := time.Now()
		_, err := w.Set(t.Context(), "porch", bridge.Settings{"quality": 33})
		if bridge.CodeOf(err) != bridge.CodeTimeout || !strings.Contains(err.Error(), "quality stays desired") || time.Since(start) != 5*time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		if w.camera("porch").Desired["quality"] != 33 {
			t.Error("the wish was not kept")
		}
		if err := w.Do(t.Context(), "porch", bridge.Action{Name: "restart"}); bridge.CodeOf(err) != bridge.CodeTimeout {
			t.Errorf("Do: %v", err)
		}
		// One under way, eight wait, the next is refused.
		var wg sync.WaitGroup
		codes := make(chan bridge.Code, 12)
		for range 12 {
			wg.Go(func() {
				codes <- bridge.CodeOf(w.Do(t.Context(), "porch", bridge.Action{Name: "restart"}))
			})
		}
		wg.Wait()
		close(codes)
		busy := 0
		for c := range codes {
			if c == bridge.CodeBusy {
				busy++
			}
		}
		if busy < 1 || busy > 4 {
			t.Errorf("%d of 12 commands were refused as busy", busy)
		}
	})
}

func TestActions(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, fleet.Config{})
		d := &device{}
		s := w.connect("porch", d)
		ctx := t.Context()
		if err := w.Do(ctx, "porch", bridge.Action{Name: "snapshot"}); err != nil {
			t.Errorf("snapshot of a camera that cannot be asked: %v", err)
		}
		if err := w.Do(ctx, "porch", bridge.Action{Name: "restart"}); bridge.CodeOf(err) != bridge.CodeUnsupported {
			t.Errorf("restart before the hello: %v", err)
		}
		motors := caps
		motors.Motor, motors.Pan = true, &bridge.Range{0, 180}
		s.Hello(bridge.Device{}, motors, inForce)
		synctest.Wait()
		if err := w.Do(ctx, "porch", bridge.Action{Name: "drive", Args: map[string]any{"x": 0.5, "y": 1.0}}); err != nil {
			t.Error(err)
		}
		if _, does, _ := d.seen(); len(does) != 1 || does[0].Args["ttl_ms"] != 600 {
			t.Errorf("the camera was told %v: motion always has a time to live", does)
		}
		for _, a := range []bridge.Action{
			{Name: "explode"}, {Name: "tilt", Args: map[string]any{"angle": 3}}, {Name: "pan", Args: map[string]any{"angle": 181}},
			{Name: "drive", Args: map[string]any{"x": 2}}, {Name: "drive", Args: map[string]any{"ttl_ms": 60000}}, {Name: "restart", Args: map[string]any{"now": true}},
		} {
			if err := w.Do(ctx, "porch", a); bridge.CodeOf(err) != bridge.CodeInvalid && bridge.CodeOf(err) != bridge.CodeUnsupported {
				t.Errorf("Do(%v): %v", a, err)
			}
		}
		s.End(bridge.ReasonNormal)
		if err := w.Do(ctx, "porch", bridge.Action{Name: "restart"}); bridge.CodeOf(err) != bridge.CodeUnavailable {
			t.Errorf("Do while away: %v", err)
		}
	})
}

func TestFrameRateHoldsForEveryCamera(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, fleet.Config{MaxFPS: 20})
		s := w.connect("porch", &device{})
		if s.MaxFPS() != 20 {
			t.Errorf("the limit is %d", s.MaxFPS())
		}
		c, err := w.Set(t.Context(), "porch", bridge.Settings{"fps": 4})
		if err != nil || s.MaxFPS() != 4 || c.Reported["fps"] != 4 {
			t.Errorf("the limit is %d, reported %v, %v", s.MaxFPS(), c.Reported, err)
		}
		if _, err := w.Set(t.Context(), "porch", bridge.Settings{"fps": 25}); bridge.CodeOf(err) != bridge.CodeInvalid {
			t.Errorf("above the bridge's limit: %v", err)
		}
	})
}

func TestChangeOnTheDeviceIsAWishToo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, fleet.Config{})
		s := w.connect("porch", &device{})
		s.Hello(bridge.Device{}, caps, inForce)
		synctest.Wait()
		w.Set(t.Context(), "porch", bridge.Settings{"quality": 20})
		s.Reported(bridge.Settings{"quality": 30, "hmirror": true, "junk": 1})
		synctest.Wait()
		c := w.camera("porch")
		if c.Desired["quality"] != 30 || c.Reported["hmirror"] != true {
			t.Errorf("desired %v, reported %v", c.Desired, c.Reported)
		}
		if _, ok := c.Desired["hmirror"]; ok {
			t.Error("what nobody asked the bridge for became a wish of the bridge")
		}
	})
}

func TestDisabledCamera(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, fleet.Config{})
		d := &device{}
		s := w.connect("porch", d)
		s.Hello(bridge.Device{}, caps, inForce)
		publish(w, "porch")
		synctest.Wait()
		if err := w.SetEnabled("porch", false); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		sets, _, _ := d.seen()
		if s.Wanted() || !w.hub.Latest("porch").IsZero() || w.camera("porch").State != bridge.Disabled || len(sets) != 1 || sets[0]["stream"] != false {
			t.Errorf("switched off: wanted %v, state %s, told %v", s.Wanted(), w.camera("porch").State, sets)
		}
		s.End(bridge.ReasonNormal)
		w.restart()
		publish(w, "porch")
		if !w.hub.Latest("porch").IsZero() || w.camera("porch").State != bridge.Disabled {
			t.Error("a restart forgot that the camera is off")
		}
		d = &device{}
		s = w.connect("porch", d)
		s.Hello(bridge.Device{}, caps, inForce)
		synctest.Wait()
		if sets, _, _ := d.seen(); len(sets) != 1 || sets[0]["stream"] != false {
			t.Errorf("at its return the camera was told %v", sets)
		}
		if err := w.SetEnabled("porch", true); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		publish(w, "porch")
		if w.hub.Latest("porch").IsZero() || !s.Wanted() {
			t.Error("switched on, and no picture")
		}
	})
}

func TestConfigurationFile(t *testing.T) {
	bubble(t, func(t *testing.T) {
		known := fleet.Known{ID: "porch", Name: "Porch", Room: "Front", Settings: bridge.Settings{"quality": 10}, Source: "bridge.yaml:12"}
		w := newWorld(t, fleet.Config{Cameras: []fleet.Known{known}})
		if c := w.camera("Front"); c.ID != "porch" || c.Name != "Porch" || c.Desired["quality"] != 10 {
			t.Errorf("from the file: %+v", c)
		}
		if err := w.Rename("porch", "X"); bridge.CodeOf(err) != bridge.CodeConflict || !strings.Contains(err.Error(), "bridge.yaml:12") {
			t.Errorf("Rename: %v", err)
		}
		if err := w.Remove("porch"); bridge.CodeOf(err) != bridge.CodeConflict || !strings.Contains(err.Error(), "bridge.yaml:12") {
			t.Errorf("Remove: %v", err)
		}
		s := w.connect("porch", &device{})
		s.Hello(bridge.Device{}, caps, inForce)
		synctest.Wait()
		if _, err := w.Set(t.Context(), "porch", bridge.Settings{"quality": 30}); err != nil {
			t.Fatal(err)
		}
		s.End(bridge.ReasonNormal)
		w.restart()
		if got := w.camera("porch").Desired["quality"]; got != 30 {
			t.Errorf("an unchanged file undid what was set at run time: quality %v", got)
		}
		w.cfg.Cameras[0].Settings = bridge.Settings{"quality": 40}
		w.restart()
		if got := w.camera("porch").Desired["quality"]; got != 40 {
			t.Errorf("a changed value in the file does not hold: quality %v", got)
		}
		w.cfg.Cameras[0].Settings = bridge.Settings{"quality": 40, "stream": false}
		w.restart()
		if c := w.camera("porch"); c.Enabled || c.Desired["stream"] != nil {
			t.Errorf("stream: false in the file: enabled %v, desired %v", c.Enabled, c.Desired)
		}
		w.keys.RevokeCamera("porch")
		w.cfg.Cameras = nil
		w.restart()
		if _, err := w.Camera("porch"); bridge.CodeOf(err) != bridge.CodeNotFound {
			t.Errorf("a camera that left the file is still there: %v", err)
		}
	})
}

func TestRemoveAndRevoke(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, fleet.Config{})
		d := &device{}
		w.connect("porch", d)
		k := w.keys.Keys()[0]
		if err := w.RevokeKey(k.ID); err != nil {
			t.Fatal(err)
		}
		if _, _, closed := d.seen(); len(closed) != 1 || closed[0] != bridge.ReasonKeyRevoked {
			t.Errorf("closed with %v", closed)
		}
		d = &device{}
		w.connect("porch", d)
		news, cancel := w.Subscribe()
		defer cancel()
		if err := w.Remove("porch"); err != nil {
			t.Fatal(err)
		}
		if _, _, closed := d.seen(); len(closed) != 1 || closed[0] != bridge.ReasonRemoved {
			t.Errorf("closed with %v", closed)
		}
		if n := news.Take(); len(n.Cameras) != 1 {
			t.Errorf("news: %+v", n)
		}
		w.restart()
		if len(w.Cameras()) != 0 || len(w.keys.Keys()) != 0 {
			t.Error("the camera or its key came back")
		}
	})
}

// TestRevokedWhileConnecting: a key that is revoked between the moment it was
// found good and the moment its camera is in lets nobody in.
func TestRevokedWhileConnecting(t *testing.T) {
	w := newWorld(t, fleet.Config{})
	if _, err := w.Add("porch", "", ""); err != nil {
		t.Fatal(err)
	}
	secret, k, err := w.MintKey("porch", "")
	if err != nil {
		t.Fatal(err)
	}
	w.keys.verified = func() {
		if err := w.RevokeKey(k.ID); err != nil {
			t.Error(err)
		}
	}
	d := &device{}
	s, err := w.Admit(bridge.Claim{Key: secret}, d)
	if err == nil {
		defer s.End(bridge.ReasonKeyRevoked)
	}
	if _, _, closed := d.seen(); err == nil && !reflect.DeepEqual(closed, []bridge.Reason{bridge.ReasonKeyRevoked}) {
		t.Errorf("a camera with a revoked key is in; its link was closed for %v", closed)
	}
}

// TestDiskIsFull: what cannot be saved is said; a camera is told its settings all
// the same, and one that would be forgotten is not made at all.
func TestDiskIsFull(t *testing.T) {
	w := newWorld(t, fleet.Config{})
	d := &device{}
	s := w.connect("porch", d)
	defer s.End(bridge.ReasonNormal)
	s.Hello(bridge.Device{}, bridge.Capabilities{}, bridge.Settings{"quality": 12})
	if _, err := w.Set(t.Context(), "porch", bridge.Settings{"quality": 13}); err != nil {
		t.Fatal(err)
	}
	if err := w.st.Close(); err != nil { // then every write fails
		t.Fatal(err)
	}
	if _, err := w.Set(t.Context(), "porch", bridge.Settings{"quality": 20}); bridge.CodeOf(err) != bridge.CodeUnavailable || !strings.Contains(err.Error(), "holds only until a restart") {
		t.Errorf("Set = %v", err)
	}
	c, err := w.Camera("porch")
	if sets, _, _ := d.seen(); err != nil || len(sets) != 2 || c.Reported["quality"] != 20 {
		t.Errorf("the camera was told %v; reported is %v (%v)", sets, c.Reported, err)
	}
	if n := w.Unsaved(); n != 1 {
		t.Errorf("%d cameras count as not saved, want 1", n)
	}
	_, _, _, err = w.Provision("yard", "")
	if bridge.CodeOf(err) != bridge.CodeUnavailable || !strings.Contains(err.Error(), "yard could not be added") {
		t.Errorf("Provision = %v", err)
	}
	if _, err := w.Camera("yard"); bridge.CodeOf(err) != bridge.CodeNotFound {
		t.Errorf("a camera that could not be saved is there: %v", err)
	}
}

// TestWhatTheDiskDidNotTakeIsTriedAgain lets the disk fail, and looks whether it
// is asked again by itself.
func TestWhatTheDiskDidNotTakeIsTriedAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, fleet.Config{})
		var tried atomic.Int32
		w.Fleet.Close()
		var err error
		w.Fleet, err = fleet.Open(t.Context(), w.cfg, w.st, w.hub, w.keys, slog.New(counter{&tried}))
		if err != nil {
			t.Fatal(err)
		}
		w.Add("porch", "", "")
		w.st.Close()
		if err := w.Rename("porch", "Porch"); bridge.CodeOf(err) != bridge.CodeUnavailable {
			t.Fatalf("Rename = %v", err)
		}
		time.Sleep(95 * time.Second)
		synctest.Wait()
		if n := tried.Load(); n != 3 || w.Unsaved() != 1 {
			t.Errorf("within 95 s the disk was asked %d times again, %d cameras are not saved", n, w.Unsaved())
		}
	})
}

// counter counts the lines that tell of a further failure to save.
type counter struct{ n *atomic.Int32 }

func (counter) Enabled(context.Context, slog.Level) bool { return true }
func (c counter) WithAttrs([]slog.Attr) slog.Handler     { return c }
func (c counter) WithGroup(string) slog.Handler          { return c }
func (c counter) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "still not saved" {
		c.n.Add(1)
	}
	return nil
}

func TestProvision(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, fleet.Config{})
		c, secret, k, err := w.Provision("Front_Door", "cam-1")
		if err != nil || c.ID != "front_door" || c.Room != "Front_Door" || k.Identity != "cam-1" {
			t.Fatalf("%+v %+v %v", c, k, err)
		}
		if _, err := w.Admit(bridge.Claim{App: "live", Room: "Front_Door", Key: secret}, &device{}); err != nil {
			t.Error(err)
		}
		again, _, _, err := w.Provision("Front_Door", "")
		if err != nil || again.ID != c.ID {
			t.Errorf("a second key for the room: %v, %v", again.ID, err)
		}
		other, _, _, err := w.Provision("front_door", "")
		if err != nil || other.ID != c.ID {
			t.Errorf("the id as a room: %v, %v", other.ID, err)
		}
		if all, _, _, err := w.Provision("ALL", ""); err != nil || all.ID != "all-2" {
			t.Errorf("a reserved id: %v, %v", all.ID, err)
		}
		for _, bad := range []string{"", "-x", "a b", strings.Repeat("x", 65)} {
			if _, _, _, err := w.Provision(bad, ""); bridge.CodeOf(err) != bridge.CodeInvalid {
				t.Errorf("Provision(%q): %v", bad, err)
			}
		}
	})
}

func TestAddRefusesWhatCannotBe(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, fleet.Config{})
		w.Add("porch", "Front", "")
		tests := []struct {
			id, room, name string
			want           bridge.Code
		}{
			{"bridge", "", "", bridge.CodeInvalid}, {"Upper", "", "", bridge.CodeInvalid}, {"", "", "", bridge.CodeInvalid},
			{strings.Repeat("a", 33), "", "", bridge.CodeInvalid}, {"a/b", "", "", bridge.CodeInvalid}, {"ok", "no room", "", bridge.CodeInvalid},
			{"ok", "", strings.Repeat("n", 65), bridge.CodeInvalid}, {"ok", "", "a\x00b", bridge.CodeInvalid},
			{"porch", "", "", bridge.CodeConflict}, {"ok", "Front", "", bridge.CodeConflict}, {"ok", "porch", "", bridge.CodeConflict},
		}
		for _, tt := range tests {
			if _, err := w.Add(tt.id, tt.room, tt.name); bridge.CodeOf(err) != tt.want {
				t.Errorf("Add(%q, %q, %.9q): %v, want %s", tt.id, tt.room, tt.name, err, tt.want)
			}
		}
		if _, err := w.Camera("nobody"); bridge.CodeOf(err) != bridge.CodeNotFound {
			t.Errorf("Camera: %v", err)
		}
	})
}

func TestStats(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, fleet.Config{})
		s := w.connect("porch", &device{})
		rssi, up := -61, int64(100)
		s.Stats(bridge.Stats{RSSI: &rssi, Uptime: &up, FPS: 99})
		c := w.camera("porch")
		if *c.Stats.RSSI != -61 || c.Stats.FPS != 0 {
			t.Errorf("stats are %+v", c.Stats)
		}
		first := c.BootedAt
		time.Sleep(33 * time.Second)
		up = 130
		s.Stats(bridge.Stats{Uptime: &up})
		if got := w.camera("porch").BootedAt; got != first {
			t.Errorf("the time of boot moved from %v to %v without a boot", first, got)
		}
		time.Sleep(time.Minute)
		up = 2
		s.Stats(bridge.Stats{Uptime: &up})
		if got := w.camera("porch").BootedAt; got == first {
			t.Error("a boot was not seen")
		}
	})
}
