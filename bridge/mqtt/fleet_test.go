package mqtt_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// fleet is a small fleet in memory: it checks, keeps and reports like the real
// one, and its cameras answer at once unless told otherwise.
type fleet struct {
	mu        sync.Mutex
	cameras   map[string]bridge.Camera
	frames    map[string]bridge.Frame
	listeners []*bridge.Listener
	done      []string // "porch restart"
	sets      []string // "porch map[fps:5]"
	hold      chan struct{}
	fail      error
	permitted time.Duration
	told      []bridge.Notice
	asked     atomic.Int64 // calls of Camera
}

func newFleet(cameras ...bridge.Camera) *fleet {
	f := &fleet{cameras: map[string]bridge.Camera{}, frames: map[string]bridge.Frame{}}
	for _, c := range cameras {
		f.cameras[c.ID] = c
	}
	return f
}

func (f *fleet) Cameras() []bridge.Camera {
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []bridge.Camera
	for _, c := range f.cameras {
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b bridge.Camera) int { return strings.Compare(a.ID, b.ID) })
	return list
}

func (f *fleet) Camera(ref string) (bridge.Camera, error) {
	f.asked.Add(1)
	f.mu.Lock()
	defer f.mu.Unlock()
	if c, ok := f.cameras[ref]; ok {
		return c, nil
	}
	for _, c := range f.cameras {
		if c.Room == ref {
			return c, nil
		}
	}
	return bridge.Camera{}, bridge.Errorf(bridge.CodeNotFound, "there is no camera %q", ref)
}

func (f *fleet) Set(ctx context.Context, id string, s bridge.Settings) (bridge.Camera, error) {
	c, err := f.Camera(id)
	if err != nil {
		return c, err
	}
	if s, err = c.Offer.Check(s); err != nil {
		return c, err
	}
	f.mu.Lock()
	hold, fail := f.hold, f.fail
	f.sets = append(f.sets, fmt.Sprint(id, " ", map[string]any(s)))
	f.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return c, bridge.Errorf(bridge.CodeTimeout, "%s did not answer", id)
		}
	}
	if fail != nil {
		return c, fail
	}
	if !c.Connected {
		f.change(id, func(c *bridge.Camera) { c.Desired = c.Desired.With(s) })
		return c, bridge.Errorf(bridge.CodeTimeout, "%s is not connected: %s stays desired", id, strings.Join(s.Names(), ", "))
	}
	f.change(id, func(c *bridge.Camera) { c.Desired, c.Reported = c.Desired.With(s), c.Reported.With(s) })
	return f.Camera(id)
}

func (f *fleet) Do(_ context.Context, id string, a bridge.Action) error {
	c, err := f.Camera(id)
	if err != nil {
		return err
	}
	if _, err := c.Offer.CheckAction(a); err != nil {
		return err
	}
	if !c.Connected {
		return bridge.Errorf(bridge.CodeUnavailable, "%s is not connected, so it cannot %s", id, a.Name)
	}
	f.mu.Lock()
	f.done = append(f.done, strings.TrimSpace(fmt.Sprint(id, " ", a.Name, " ", shown(a.Args))))
	f.mu.Unlock()
	if angle, ok := a.Args["angle"].(int); ok {
		f.change(id, func(c *bridge.Camera) {
			angles := map[string]int{a.Name: angle}
			for name, old := range c.Angles {
				if name != a.Name {
					angles[name] = old
				}
			}
			c.Angles = angles
		})
	}
	if a.Name == "snapshot" {
		f.shoot(id, "snapshot of "+id)
	}
	return nil
}

// shown is what an action was told besides.
func shown(args map[string]any) string {
	if len(args) == 0 {
		return ""
	}
	return fmt.Sprint(args)
}

func (f *fleet) SetMotion(id string, in map[string]any) (bridge.Camera, error) {
	m, err := bridge.CheckMotion(in)
	if err != nil {
		return bridge.Camera{}, err
	}
	f.mu.Lock()
	f.sets = append(f.sets, fmt.Sprint(id, " motion ", map[string]any(m)))
	fail := f.fail
	f.mu.Unlock()
	if fail != nil {
		return bridge.Camera{}, fail
	}
	f.change(id, func(c *bridge.Camera) { c.Motion = c.Motion.With(m) })
	return f.Camera(id)
}

func (f *fleet) Subscribe() (*bridge.Listener, func()) {
	l := bridge.NewListener()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.listeners = append(f.listeners, l)
	return l, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.listeners = slices.DeleteFunc(f.listeners, func(o *bridge.Listener) bool { return o == l })
	}
}

func (f *fleet) SetEnabled(id string, on bool) error {
	return f.edit(id, fmt.Sprint(id, " enabled ", on), func(c *bridge.Camera) {
		c.Enabled, c.State = on, bridge.Disabled
		if on {
			c.State = bridge.Online
		}
	})
}

func (f *fleet) SetHidden(id string, hidden bool) error {
	return f.edit(id, fmt.Sprint(id, " hidden ", hidden), func(c *bridge.Camera) { c.Hidden = hidden })
}

func (f *fleet) Rename(id, name string) error {
	return f.edit(id, fmt.Sprint(id, " name ", name), func(c *bridge.Camera) { c.Name = name })
}

func (f *fleet) Remove(id string) error { return f.edit(id, id+" removed", nil) }

// edit changes a camera that is known.
func (f *fleet) edit(id, what string, do func(*bridge.Camera)) error {
	if _, err := f.Camera(id); err != nil {
		return err
	}
	f.mu.Lock()
	f.sets = append(f.sets, what)
	fail := f.fail
	f.mu.Unlock()
	if fail == nil {
		f.change(id, do)
	}
	return fail
}

func (f *fleet) PermitJoin(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.permitted = d
}

func (f *fleet) Permitted() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.permitted
}

// Latest is the hub's part.
func (f *fleet) Latest(id string) bridge.Frame {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.frames[id]
}

// shoot makes a picture; its content is text, which nobody here looks into.
func (f *fleet) shoot(id, text string) {
	f.mu.Lock()
	seq := f.frames[id].Seq + 1
	f.frames[id] = bridge.NewBuffer([]byte(text)).Frame(len(text), bridge.Frame{Camera: id, Seq: seq, Received: time.Unix(1, 0)})
	f.mu.Unlock()
}

// change changes a camera, adds it, or removes it if do is nil.
func (f *fleet) change(id string, do func(*bridge.Camera)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if do == nil {
		delete(f.cameras, id)
		delete(f.frames, id)
	} else {
		c := f.cameras[id]
		c.ID = id
		do(&c)
		f.cameras[id] = c
	}
	for _, l := range f.listeners {
		l.Changed(id)
	}
}

// Tell is what the page hears.
func (f *fleet) Tell(n bridge.Notice) {
	f.mu.Lock()
	f.told = append(f.told, n)
	f.mu.Unlock()
	f.notify(n)
}

// heard returns what the page was told of a camera.
func (f *fleet) heard(camera string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []string
	for _, n := range f.told {
		if n.Camera == camera {
			list = append(list, n.Message)
		}
	}
	return list
}

func (f *fleet) notify(n bridge.Notice) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, l := range f.listeners {
		l.Notify(n)
	}
}

// actions returns what cameras were told to do.
func (f *fleet) actions() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.done)
}

func (f *fleet) settings() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.sets)
}

func (f *fleet) behave(hold chan struct{}, fail error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hold, f.fail = hold, fail
}

func ptr[T any](v T) *T { return &v }

// everything is what the best board can do.
func everything() bridge.Capabilities {
	return bridge.Capabilities{
		FrameSizes: []string{"QVGA", "VGA", "SVGA"}, LED: 255, Pan: &bridge.Range{0, 180}, Tilt: &bridge.Range{30, 150}, Motor: true, PIR: true, OTA: true,
		Settings: map[string]bridge.Limit{
			"brightness": {Range: &bridge.Range{-2, 2}}, "contrast": {Range: &bridge.Range{-2, 2}},
			"saturation": {Range: &bridge.Range{-2, 2}}, "hmirror": {}, "vflip": {}, "label": {}, "awb": {},
			"special_effect": {Options: []string{"None", "Negative", "Sepia"}},
			"wb_mode":        {Options: []string{"Auto", "Sunny"}},
		},
	}
}

// porch is a native camera with everything.
func porch() bridge.Camera {
	return bridge.Camera{
		ID: "porch", Room: "Porch", Name: "Front porch", Dialect: bridge.Native, State: bridge.Online,
		Connected: true, Enabled: true, Address: "192.0.2.7:40123", BootedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Device: bridge.Device{MAC: "a0:b1:c2:d3:e4:f5", Firmware: "1.4.2", Board: "ai-thinker", Sensor: "OV2640"},
		Offer:  bridge.NewOffer(bridge.Native, everything(), 15),
		Motion: bridge.DefaultMotion(),
		Reported: bridge.Settings{
			"framesize": "SVGA", "quality": 12, "fps": 10, "led": 0, "brightness": 0, "contrast": 1, "saturation": -1,
			"hmirror": true, "vflip": false, "special_effect": "None", "wb_mode": "Auto", "label": "",
		},
		Stats: bridge.Stats{
			FPS: 9.96, BytesPerSecond: 123456, FrameSize: 20480, Viewers: 2,
			Dropped: map[bridge.Drop]uint64{bridge.DropRate: 3, bridge.DropSlow: 100},
			RSSI:    ptr(-61), HeapFree: ptr(int64(41232)), PSRAMFree: ptr(int64(4 << 20)), Temperature: ptr(48.6),
		},
	}
}

// yard is a StreamHub camera: no control, and no figures until it sends some.
func yard() bridge.Camera {
	return bridge.Camera{
		ID: "yard", Room: "yard", Name: "Yard", Dialect: bridge.StreamHub, State: bridge.Online, Connected: true, Enabled: true,
		Address: "192.0.2.8:40123", LastFrame: time.Unix(1, 0), Offer: bridge.NewOffer(bridge.StreamHub, bridge.Capabilities{}, 15),
		Motion: bridge.DefaultMotion(),
	}
}
