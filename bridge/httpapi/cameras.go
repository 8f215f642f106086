package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// cameraJSON is a camera as the API and the page's socket show it.
type cameraJSON struct {
	ID          string         `json:"id"`
	Room        string         `json:"room"`
	Name        string         `json:"name"`
	Dialect     bridge.Dialect `json:"dialect"`
	State       bridge.State   `json:"state"`
	Connected   bool           `json:"connected"`
	Enabled     bool           `json:"enabled"`
	Announced   bool           `json:"announced"` // false: somebody removed it in Home Assistant
	Address     string         `json:"address"`
	ConnectedAt *time.Time     `json:"connected_at"`
	LastFrameAt *time.Time     `json:"last_frame_at"`
	BootedAt    *time.Time     `json:"booted_at"`
	Source      string         `json:"source"`
	Device      bridge.Device  `json:"device"`
	Offer       bridge.Offer   `json:"capabilities"`
	Settings    settingsJSON   `json:"settings"`
	Stats       statsJSON      `json:"stats"`
	Motion      *motionJSON    `json:"motion,omitempty"` // absent if nobody watches
}

type settingsJSON struct {
	Desired  bridge.Settings `json:"desired"`
	Reported bridge.Settings `json:"reported"`
}

type statsJSON struct {
	FPS            float64                `json:"fps"`
	BytesPerSecond float64                `json:"bytes_per_second"`
	FrameSize      int                    `json:"frame_size"`
	Frames         uint64                 `json:"frames"`
	Viewers        int                    `json:"viewers"`
	Dropped        map[bridge.Drop]uint64 `json:"dropped"`
	RSSI           *int                   `json:"rssi"`
	HeapFree       *int64                 `json:"heap_free"`
	PSRAMFree      *int64                 `json:"psram_free"`
	Temperature    *float64               `json:"temperature"`
	Uptime         *int64                 `json:"uptime_s"`
	DeviceFPS      *float64               `json:"device_fps"`
}

func toJSON(c bridge.Camera) cameraJSON {
	if c.Offer.Properties == nil {
		c.Offer.Properties = []bridge.Property{}
	}
	if c.Offer.Actions == nil {
		c.Offer.Actions = []string{}
	}
	return cameraJSON{
		ID: c.ID, Room: c.Room, Name: c.Name, Dialect: c.Dialect, State: c.State,
		Connected: c.Connected, Enabled: c.Enabled, Announced: !c.Hidden, Address: c.Address,
		ConnectedAt: instant(c.ConnectedAt), LastFrameAt: instant(c.LastFrame), BootedAt: instant(c.BootedAt),
		Source: c.Source, Device: c.Device, Offer: c.Offer,
		Settings: settingsJSON{orEmpty(c.Desired), orEmpty(c.Reported)},
		Stats: statsJSON{
			FPS: c.Stats.FPS, BytesPerSecond: c.Stats.BytesPerSecond, FrameSize: c.Stats.FrameSize,
			Frames: c.Stats.Frames, Viewers: c.Stats.Viewers, Dropped: orEmpty(c.Stats.Dropped),
			RSSI: c.Stats.RSSI, HeapFree: c.Stats.HeapFree, PSRAMFree: c.Stats.PSRAMFree,
			Temperature: c.Stats.Temperature, Uptime: c.Stats.Uptime, DeviceFPS: c.Stats.DeviceFPS,
		},
	}
}

// instant is nil for "never", so that JSON says null.
func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Millisecond)
	return &t
}

// orEmpty makes JSON say {} and not null.
func orEmpty[M ~map[K]V, K comparable, V any](m M) M {
	if m == nil {
		return M{}
	}
	return m
}

// visible returns the cameras that who may see, sorted by id.
func (s *Server) visible(who bridge.Principal) []cameraJSON {
	out := []cameraJSON{}
	for _, c := range s.deps.Fleet.Cameras() {
		if who.May(bridge.Viewer, c.ID) {
			out = append(out, s.show(c))
		}
	}
	return out
}

func (s *Server) listCameras(w http.ResponseWriter, _ *http.Request, v *visit) error {
	send(w, http.StatusOK, map[string]any{"items": s.visible(v.who)})
	return nil
}

func (s *Server) getCamera(w http.ResponseWriter, _ *http.Request, v *visit) error {
	send(w, http.StatusOK, s.show(v.camera))
	return nil
}

// change is the body of a PATCH. Absent members stay as they are.
type change struct {
	Name     *string         `json:"name"`
	Enabled  *bool           `json:"enabled"`
	Settings bridge.Settings `json:"settings"`
	Motion   map[string]any  `json:"motion"`
}

func (s *Server) patchCamera(w http.ResponseWriter, r *http.Request, v *visit) error {
	var in change
	if err := decode(w, r, &in); err != nil {
		return err
	}
	given := map[string]bool{"name": in.Name != nil, "enabled": in.Enabled != nil}
	for field, role := range v.entry.fields {
		if given[field] && !v.who.Role.Includes(role) {
			return bridge.Errorf(bridge.CodeDenied, "to change %s needs the role %s, and %q is %s", field, role, v.who.Name, v.who.Role).At(field)
		}
	}
	if err := s.apply(r.Context(), v.camera, in); err != nil {
		return err
	}
	c, err := s.deps.Fleet.Camera(v.camera.ID)
	if err == nil {
		send(w, http.StatusOK, s.show(c))
	}
	return err
}

// apply makes the change, all or nothing as far as it can be known before the
// device is asked.
func (s *Server) apply(ctx context.Context, c bridge.Camera, in change) error {
	if len(in.Settings) > 0 {
		if _, err := c.Offer.Check(in.Settings); err != nil {
			return err
		}
	}
	if _, err := bridge.CheckMotion(in.Motion); err != nil {
		return err
	}
	if in.Name != nil {
		if err := s.deps.Fleet.Rename(c.ID, *in.Name); err != nil {
			return err
		}
	}
	if in.Enabled != nil {
		if err := s.deps.Fleet.SetEnabled(c.ID, *in.Enabled); err != nil {
			return err
		}
	}
	if len(in.Motion) > 0 {
		if _, err := s.deps.Fleet.SetMotion(c.ID, in.Motion); err != nil {
			return err
		}
	}
	if len(in.Settings) == 0 {
		return nil
	}
	_, err := s.deps.Fleet.Set(ctx, c.ID, in.Settings)
	return err
}

func (s *Server) deleteCamera(w http.ResponseWriter, _ *http.Request, v *visit) error {
	if err := s.deps.Fleet.Remove(v.camera.ID); err != nil {
		return err
	}
	s.painter.forget(v.camera.ID)
	s.log.Info("camera removed", "camera", v.camera.ID, "name", v.who.Name)
	send(w, http.StatusOK, map[string]bool{"ok": true})
	return nil
}

// rediscover lets a camera that was removed in Home Assistant be announced there
// again.
func (s *Server) rediscover(w http.ResponseWriter, _ *http.Request, v *visit) error {
	if err := s.deps.Fleet.SetHidden(v.camera.ID, false); err != nil {
		return err
	}
	c, err := s.deps.Fleet.Camera(v.camera.ID)
	if err == nil {
		send(w, http.StatusOK, s.show(c))
	}
	return err
}

// command is an action as callers ask for it.
type command struct {
	Action string         `json:"action"`
	Args   map[string]any `json:"args"`
}

func (s *Server) doAction(w http.ResponseWriter, r *http.Request, v *visit) error {
	var in command
	if err := decode(w, r, &in); err != nil {
		return err
	}
	if err := s.deps.Fleet.Do(r.Context(), v.camera.ID, bridge.Action{Name: in.Action, Args: in.Args}); err != nil {
		return err
	}
	send(w, http.StatusOK, json.RawMessage(`{"ok":true}`))
	return nil
}
