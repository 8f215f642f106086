package wire_test

import (
	"bytes"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/wire"
)

// TestReadyForTheSketch: StreamHub's sketch searches the text of ready for
// these substrings and knows no JSON.
func TestReadyForTheSketch(t *testing.T) {
	r := wire.Ready{Room: "live-porch", StreamID: "k3f9a1", MaxFPS: 15, MaxFrameBytes: 262144, IdleTimeoutSec: 30, Proto: wire.Proto, Server: "espcam-bridge/0.1.0", Time: time.Now()}
	text := string(r.Append(nil))
	for _, part := range []string{`"ready"`, `"maxFps":15,`} {
		if !strings.Contains(text, part) {
			t.Errorf("ready %s lacks %s", text, part)
		}
	}
	for _, m := range []wire.Message{wire.Set{ID: "1"}, wire.Do{ID: "1", Action: "stop"}, wire.Error{Code: "4401", Message: "invalid_key"}} {
		if bytes.Contains(m.Append(nil), []byte(`"ready"`)) {
			t.Errorf("%T looks like a ready to the sketch", m)
		}
	}
}

func TestServerRoundTrip(t *testing.T) {
	for _, m := range []wire.Message{
		wire.Ready{Room: "live-x", StreamID: "1", MaxFPS: 15, MaxFrameBytes: 9, IdleTimeoutSec: 30, Proto: 1, Server: "s", Time: time.UnixMilli(1760000000123)},
		wire.Set{ID: "7", Settings: bridge.Settings{"quality": 12, "led": 0, "hmirror": true, "framesize": "VGA"}},
		wire.Do{ID: "8", Action: "drive", Args: map[string]any{"x": -0.5, "y": 1, "ttl_ms": 600}},
		wire.Error{Code: "4409", Message: "replaced"},
	} {
		got, err := wire.ParseServer(m.Append([]byte{}))
		if err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("%T: got %#v, %v, want %#v", m, got, err, m)
		}
	}
}

func TestDeviceRoundTrip(t *testing.T) {
	for _, m := range []wire.Message{
		wire.Hello{
			Proto:  1,
			Device: bridge.Device{MAC: "24:0a:c4:00:00:01", Firmware: "1.0.0", Board: "b", Sensor: "OV2640", PSRAM: 4 << 20, Reset: "poweron"},
			Caps: bridge.Capabilities{FrameSizes: []string{"QVGA", "VGA"}, LED: 255, Pan: &bridge.Range{0, 180}, Motor: true,
				Settings: map[string]bridge.Limit{"contrast": {Range: &bridge.Range{-2, 2}}, "vflip": {}, "wb_mode": {Options: []string{"Auto"}}}},
			Settings: bridge.Settings{"framesize": "VGA", "vflip": false},
		},
		wire.Result{ID: "7", OK: true, Settings: bridge.Settings{"led": 9}},
		wire.Result{ID: "7", Code: wire.Busy, Message: "later"},
		wire.State{Settings: bridge.Settings{"led": 0}},
		wire.Event{Name: "pir", Active: true},
		wire.Stats{FPS: ptr(9.5), RSSI: ptr(int64(-60)), Uptime: ptr(int64(4))},
	} {
		got, err := wire.ParseDevice(m.Append(nil))
		if err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("%T: got %#v, %v, want %#v", m, got, err, m)
		}
	}
}

// TestAppendBearsAnyValue: what JSON cannot write becomes null, not a panic.
func TestAppendBearsAnyValue(t *testing.T) {
	s := wire.Set{ID: "1", Settings: bridge.Settings{"a": math.NaN(), "b": math.Inf(1), "c": func() {}, "d": []int{1}, "e": nil, "f": int64(5), "g": "\xff<"}}
	want := `{"type":"set","id":"1","settings":{"a":null,"b":null,"c":null,"d":null,"e":null,"f":5,"g":"<"}}`
	if got := string(s.Append(nil)); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestAppendKeepsWhatIsThere(t *testing.T) {
	if got := string(wire.Event{Name: "pir"}.Append([]byte("before "))); got != `before {"type":"event","name":"pir","active":false}` {
		t.Errorf("got %s", got)
	}
}

func TestResultErr(t *testing.T) {
	for code, want := range map[string]bridge.Code{
		wire.Unsupported: bridge.CodeUnsupported, wire.Invalid: bridge.CodeInvalid,
		wire.Busy: bridge.CodeBusy, wire.Failed: bridge.CodeUnavailable, "": bridge.CodeUnavailable,
	} {
		err := wire.Result{Code: code, Message: "its own words"}.Err()
		if bridge.CodeOf(err) != want || !strings.Contains(err.Error(), "its own words") {
			t.Errorf("code %q: got %q (%s), want code %s and the device's words", code, err, bridge.CodeOf(err), want)
		}
	}
	if err := (wire.Result{OK: true}).Err(); err != nil {
		t.Errorf("a success has the error %v", err)
	}
}

func TestStatsBridge(t *testing.T) {
	s := wire.Stats{FPS: ptr(9.5), RSSI: ptr(int64(-60)), HeapFree: ptr(int64(1)), PSRAMFree: ptr(int64(2)), Frames: ptr(int64(3)), Dropped: ptr(int64(4)), Uptime: ptr(int64(5)), Temperature: ptr(6.5)}
	want := bridge.Stats{DeviceFPS: ptr(9.5), RSSI: ptr(-60), HeapFree: ptr(int64(1)), PSRAMFree: ptr(int64(2)), DeviceDrops: ptr(int64(4)), Uptime: ptr(int64(5)), Temperature: ptr(6.5)}
	if got := s.Bridge(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := (wire.Stats{}).Bridge(); !reflect.DeepEqual(got, bridge.Stats{}) {
		t.Errorf("empty stats give %+v", got)
	}
}

func ptr[T any](v T) *T { return &v }

func FuzzParseDevice(f *testing.F) { fuzz(f, "device.txt", wire.ParseDevice) }

func FuzzParseServer(f *testing.F) { fuzz(f, "server.txt", wire.ParseServer) }

// fuzz checks that a parser never panics, that what it accepts is canonical
// after one encoding, and that nothing it lets through could break a line.
func fuzz(f *testing.F, file string, parse parser) {
	for _, v := range load(f, file) {
		f.Add(v.bytes)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := parse(text)
		if err != nil || m == nil {
			return
		}
		once := m.Append(nil)
		if i := bytes.IndexFunc(once, func(r rune) bool { return r < ' ' }); i >= 0 {
			t.Fatalf("control character at %d of %q", i, once)
		}
		again, err := parse(once)
		if err != nil || again == nil {
			t.Fatalf("%q became %q, which is refused: %v", text, once, err)
		}
		if twice := again.Append(nil); !bytes.Equal(once, twice) {
			t.Fatalf("%q became %q, then %q", text, once, twice)
		}
	})
}
