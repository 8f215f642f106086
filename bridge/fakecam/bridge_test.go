package fakecam_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/auth"
	"github.com/espcam-bridge/espcam-bridge/bridge/fakecam"
	"github.com/espcam-bridge/espcam-bridge/bridge/fleet"
	"github.com/espcam-bridge/espcam-bridge/bridge/hub"
	"github.com/espcam-bridge/espcam-bridge/bridge/ingest"
	"github.com/espcam-bridge/espcam-bridge/bridge/store"
)

// home is the part of a bridge that cameras meet, put together of real parts.
type home struct {
	*fleet.Fleet
	hub *hub.Hub
	url string
}

func openHome(t *testing.T) *home {
	t.Helper()
	st, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	keys, err := auth.Open(auth.Config{}, st)
	if err != nil {
		t.Fatal(err)
	}
	h := hub.New(nil)
	log := slog.New(slog.DiscardHandler)
	f, err := fleet.Open(context.Background(), fleet.Config{MaxFPS: 30}, st, h, keys, log)
	if err != nil {
		t.Fatal(err)
	}
	in := ingest.New(ingest.Config{MaxFPS: 30, Timing: ingest.Timing{Hold: time.Millisecond}}, f, h, log)
	server := httptest.NewServer(in)
	t.Cleanup(func() {
		in.Close()
		server.Close()
		f.Close()
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return &home{Fleet: f, hub: h, url: server.URL}
}

// key makes a camera and a key for it.
func (h *home) key(t *testing.T, id string) string {
	t.Helper()
	if _, err := h.Add(id, "", ""); err != nil {
		t.Fatal(err)
	}
	secret, _, err := h.MintKey(id, "")
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

func (h *home) camera(t *testing.T, id string) bridge.Camera {
	t.Helper()
	c, err := h.Camera(id)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestAtTheRealBridge: both dialects are let in, seen, told and repaired.
func TestAtTheRealBridge(t *testing.T) {
	h := openHome(t)
	cfg := fakecam.Config{URL: h.url, Key: h.key(t, "porch"), Width: 160, Height: 120, FPS: 30, Retry: 5 * time.Millisecond}
	cam := play(t, cfg)
	cfg.Key, cfg.Dialect, cfg.KeyInQuery, cfg.Room = h.key(t, "garden"), "streamhub", true, "garden"
	play(t, cfg)
	for id, dialect := range map[string]bridge.Dialect{"porch": bridge.Native, "garden": bridge.StreamHub} {
		until(t, id+" shows pictures", func() bool {
			c := h.camera(t, id)
			return c.Connected && c.Dialect == dialect && !h.hub.Latest(id).IsZero()
		})
	}
	until(t, "the hello arrived", func() bool { return h.camera(t, "porch").Device.Sensor == "OV2640" })

	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := h.Set(ctx, "porch", bridge.Settings{"framesize": "QVGA", "led": 10})
	if err != nil || c.Reported["framesize"] != "QVGA" || cam.Report().Settings["led"] != 10 {
		t.Fatalf("set: %v, reported %v, in force %v", err, c.Reported, cam.Report().Settings)
	}
	until(t, "pictures are larger", func() bool { return h.hub.Latest("porch").Width == 320 })
	if err := h.Do(ctx, "porch", bridge.Action{Name: "restart"}); err != nil {
		t.Fatalf("restart: %v", err)
	}
	until(t, "it came back and was set again", func() bool {
		r := cam.Report()
		return r.Boots == 1 && r.Settings["framesize"] == "QVGA"
	})
	if err := cam.Change(ctx, bridge.Settings{"vflip": true}); err != nil {
		t.Fatal(err)
	}
	until(t, "the bridge knows of the change", func() bool { return h.camera(t, "porch").Reported["vflip"] == true })
}

// TestFaultsAtTheRealBridge: each is noticed, and ends as PROTOCOL.md says.
func TestFaultsAtTheRealBridge(t *testing.T) {
	h := openHome(t)
	for fault, code := range map[string]int{"garbage": 1003, "truncated": 1003, "oversize": 4413, "wrong-key": 4401} {
		cfg := fakecam.Config{URL: h.url, Key: h.key(t, fault), Width: 160, Height: 120, FPS: 30, Faults: fakecam.Faults{fault: 1}}
		c := play(t, cfg)
		until(t, fault+" ends the connection", func() bool { return c.Report().CloseCode == code })
		if f := h.hub.Latest(fault); !f.IsZero() {
			t.Errorf("%s: a picture of %d bytes was published", fault, len(f.JPEG()))
		}
	}
	cfg := fakecam.Config{URL: h.url, Key: h.key(t, "half"), Width: 160, Height: 120, FPS: 30, Faults: fakecam.Faults{"garbage": 0.5}, Seed: 3}
	c := play(t, cfg)
	until(t, "good pictures come through", func() bool {
		f := h.hub.Latest("half")
		return !f.IsZero() && bytes.HasPrefix(f.JPEG(), []byte{0xff, 0xd8}) && c.Report().Faults["garbage"] > 3
	})
}
