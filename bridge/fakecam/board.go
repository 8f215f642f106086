package fakecam

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/wire"
)

// board is the hardware that is played: settings in force, the flash and its
// timer, servos, a motor that stops by itself. It has no clock of its own and
// belongs to whoever holds the camera's lock.
type board struct {
	dialect  string
	name     string
	device   bridge.Device
	caps     bridge.Capabilities
	offer    bridge.Offer
	settings bridge.Settings // in force
	factory  bridge.Settings // after a restart
	booted   time.Time       // by the camera's Clock

	ledOff    time.Time // the flash goes out by itself then; zero: it stays
	identify  time.Time // the flash blinks until then
	pan, tilt int       // degrees
	driveX    float64   // right
	driveY    float64   // forward
	driveEnd  time.Time
	badge     string // what is shown of the last command
	badgeEnd  time.Time
}

// updated is the firmware after an update, whatever was installed.
const updated = "fakecam-1.1.0"

const (
	identifyTime = 3 * time.Second
	badgeTime    = 3 * time.Second
	blink        = 250 * time.Millisecond
)

func newBoard(cfg Config) *board {
	r := rand.New(rand.NewPCG(cfg.Seed, 3))
	first := sizeOf(cfg.Width, cfg.Height)
	b := &board{
		dialect: cfg.Dialect,
		name:    cfg.Name,
		booted:  cfg.Clock(),
		device: bridge.Device{
			MAC:      fmt.Sprintf("24:0a:c4:%02x:%02x:%02x", r.IntN(256), r.IntN(256), r.IntN(256)),
			Firmware: "fakecam-1.0.0", Board: "ai-thinker", Sensor: "OV2640", PSRAM: 4 << 20, Reset: "poweron",
		},
		caps: usual(first),
	}
	if cfg.Full {
		complete(&b.caps)
	}
	if cfg.Caps != nil {
		b.caps = *cfg.Caps
	}
	if cfg.Loop != nil || cfg.Clip != "" {
		b.caps.FrameSizes = nil // finished pictures do not change their size
	}
	b.offer = bridge.NewOffer(bridge.Native, b.caps, 30)
	b.factory = b.initial(first, cfg.FPS)
	b.settings = maps.Clone(b.factory)
	if b.caps.Pan != nil {
		b.pan = (b.caps.Pan[0] + b.caps.Pan[1]) / 2
	}
	if b.caps.Tilt != nil {
		b.tilt = (b.caps.Tilt[0] + b.caps.Tilt[1]) / 2
	}
	return b
}

// usual is what a simulated board can do.
func usual(first size) bridge.Capabilities {
	two := bridge.Limit{Range: &bridge.Range{-2, 2}}
	yes := bridge.Limit{}
	c := bridge.Capabilities{
		LED: 255, Pan: &bridge.Range{0, 180}, Tilt: &bridge.Range{30, 150}, Motor: true, PIR: true,
		Settings: map[string]bridge.Limit{
			"brightness": two, "contrast": two, "saturation": two, "hmirror": yes, "vflip": yes, "stream": yes, "label": yes,
			"special_effect": {Options: effects()}, "wb_mode": {Options: balances()},
		},
	}
	known := false
	for _, s := range sizes {
		c.FrameSizes = append(c.FrameSizes, s.name)
		known = known || s == first
	}
	if !known {
		c.FrameSizes = append(c.FrameSizes, first.name)
	}
	return c
}

// complete adds what only Full has: the settings that are left, in their widest
// ranges, and OTA.
func complete(c *bridge.Capabilities) {
	c.OTA = true
	for _, p := range bridge.Properties() {
		_, have := c.Settings[p.Name]
		switch {
		case have || p.Kind == bridge.Choice: // those are there
		case p.Kind == bridge.Number:
			c.Settings[p.Name] = bridge.Limit{Range: &bridge.Range{p.Min, p.Max}}
		default:
			c.Settings[p.Name] = bridge.Limit{}
		}
	}
}

// initial returns the settings after a restart: each one that is offered.
func (b *board) initial(first size, fps int) bridge.Settings {
	special := bridge.Settings{"framesize": first.name, "quality": 12, "fps": fps, "stream": true}
	out := bridge.Settings{}
	for _, p := range b.offer.Properties {
		switch v, ok := special[p.Name]; {
		case ok:
			out[p.Name] = v
		case p.Kind == bridge.Number:
			out[p.Name] = min(max(0, p.Min), p.Max)
		case p.Kind == bridge.Bool:
			out[p.Name] = false
		case p.Kind == bridge.Choice:
			out[p.Name] = p.Options[0]
		default:
			out[p.Name] = ""
		}
	}
	return out
}

// set takes all of s or none of it. Its error is an *bridge.Error.
func (b *board) set(s bridge.Settings, now time.Time) error {
	s, err := b.offer.Check(s)
	if err != nil {
		return err
	}
	if led, ok := s["led"]; ok {
		b.ledOff = time.Time{}
		if ms, timed := s[bridge.TimedLED].(int); timed && led != 0 {
			b.ledOff = now.Add(time.Duration(ms) * time.Millisecond)
		}
		b.show(now, "flash %v", led)
	}
	for name, v := range s {
		if name != bridge.TimedLED {
			b.settings[name] = v
		}
	}
	return nil
}

// do starts an action; restart and snapshot are the session's. Its error is an
// *bridge.Error.
func (b *board) do(a bridge.Action, now time.Time) error {
	a, err := b.offer.CheckAction(a)
	if err != nil {
		return err
	}
	switch a.Name {
	case "identify":
		b.identify = now.Add(identifyTime)
		b.show(now, "here I am")
	case "pan":
		b.pan, _ = a.Args["angle"].(int)
		b.show(now, "pan %d°", b.pan)
	case "tilt":
		b.tilt, _ = a.Args["angle"].(int)
		b.show(now, "tilt %d°", b.tilt)
	case "drive":
		b.driveX, _ = a.Args["x"].(float64)
		b.driveY, _ = a.Args["y"].(float64)
		ms, _ := a.Args["ttl_ms"].(int)
		b.driveEnd = now.Add(time.Duration(ms) * time.Millisecond)
	case "stop":
		b.driveEnd = time.Time{}
		b.show(now, "stopped")
	case "ota":
		b.device.Firmware = updated // runs after the restart that follows
	}
	return nil
}

// show puts words on the picture for a while.
func (b *board) show(now time.Time, format string, args ...any) {
	b.badge, b.badgeEnd = fmt.Sprintf(format, args...), now.Add(badgeTime)
}

// words returns what the picture says of the moment.
func (b *board) words(now time.Time) string {
	switch {
	case now.Before(b.driveEnd):
		return fmt.Sprintf("driving %+.1f, %+.1f", b.driveX, b.driveY)
	case now.Before(b.badgeEnd):
		return b.badge
	}
	return ""
}

// alarm returns when the flash goes out by itself; zero if it does not.
func (b *board) alarm() time.Time { return b.ledOff }

// ring switches the flash off if its time is over, and reports whether it was.
func (b *board) ring(now time.Time) bool {
	if b.ledOff.IsZero() || now.Before(b.ledOff) {
		return false
	}
	b.ledOff = time.Time{}
	b.settings["led"] = 0
	b.badgeEnd = time.Time{}
	return true
}

// restart forgets everything that is not in flash memory.
func (b *board) restart(clock time.Time) {
	b.settings = maps.Clone(b.factory)
	b.ledOff, b.identify, b.driveEnd, b.badgeEnd = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	b.device.Reset, b.booted = "software", clock
}

func (b *board) hello() wire.Hello {
	return wire.Hello{Proto: wire.Proto, Device: b.device, Caps: b.caps, Settings: maps.Clone(b.settings)}
}

// look is what pictures depend on now.
func (b *board) look(cfg Config, now time.Time) look {
	name, _ := b.settings["framesize"].(string)
	frame := sizeOf(cfg.Width, cfg.Height)
	for _, s := range sizes {
		if s.name == name {
			frame = s
		}
	}
	note := fmt.Sprintf("%s · %d×%d", b.dialect, frame.width, frame.height)
	if label, _ := b.settings["label"].(string); label != "" {
		note = label
	}
	return look{
		scene: cfg.Scene, plan: cfg.Plan, seed: cfg.Seed, width: frame.width, height: frame.height, quality: b.number("quality"),
		title: b.name, note: note, tint: b.tint(cfg.Scene, now),
		mirror: b.settings["hmirror"] == true, flip: b.settings["vflip"] == true,
		pan: deflection(b.pan, b.caps.Pan), tilt: deflection(b.tilt, b.caps.Tilt),
	}
}

func (b *board) number(name string) int {
	n, ok := b.settings[name].(int)
	if !ok && name == "quality" {
		return 12
	}
	return n
}

func (b *board) tint(scene int, now time.Time) tint {
	t := tint{
		led: b.number("led"), brightness: b.number("brightness"), contrast: b.number("contrast"), saturation: b.number("saturation"),
		hue: 0.7 * float64(scene/len(allScenes())),
	}
	if b.offer.LED > 0 {
		t.led = t.led * 255 / b.offer.LED
	}
	if e, _ := b.settings["special_effect"].(string); e != "Normal" {
		t.effect = e
	}
	if w, _ := b.settings["wb_mode"].(string); w != "Auto" {
		t.balance = w
	}
	if left := b.identify.Sub(now); left > 0 && left/blink%2 == 0 {
		t.led = 255
	}
	return t
}

// deflection maps an angle to -1..1.
func deflection(angle int, r *bridge.Range) float64 {
	if r == nil || r[0] >= r[1] {
		return 0
	}
	half := float64(r[1]-r[0]) / 2
	return (float64(angle) - float64(r[0]) - half) / half
}

// stats are figures such as a board has: they wander a little, by its uptime.
func (b *board) stats(uptime time.Duration) wire.Stats {
	t := uptime.Seconds()
	wave := math.Sin(t/37 + float64(b.device.MAC[len(b.device.MAC)-1]))
	rssi := int64(-56 + 5*wave)
	heap := int64(112_000 + 3000*wave)
	psram := int64(2_880_000)
	up := int64(t)
	celsius := math.Round((52-14*math.Exp(-t/600)+wave)*10) / 10
	return wire.Stats{RSSI: &rssi, HeapFree: &heap, PSRAMFree: &psram, Uptime: &up, Temperature: &celsius}
}
