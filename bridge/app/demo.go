package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/config"
	"github.com/espcam-bridge/espcam-bridge/bridge/fakecam"
)

// Demo is the bridge with simulated cameras: loopback only, no login, nothing
// kept. Everything but the cameras is the real program.
type Demo struct {
	HTTP    string // host:port to listen on; "" tries 127.0.0.1:8080, then a free port
	MQTT    string // the same for MQTT and 1883
	Version string
	Log     *slog.Logger
	Level   *slog.LevelVar // of Log; nil: it cannot be changed
	Workers int            // as in Options
}

// LogConfig is what the demo logs: its output is for people who look around, so
// only what went wrong.
func (d *Demo) LogConfig() config.Log { return config.Log{Level: slog.LevelWarn, Format: "text"} }

// demoCameras is who plays: two of each dialect, named after what the simulator
// lets them see.
var demoCameras = []struct {
	id, name      string
	dialect       bridge.Dialect
	width, height int
	fps           int
}{
	{"porch", "Front porch", bridge.Native, 640, 480, 10},
	{"boathouse", "Boathouse", bridge.Native, 640, 480, 10},
	{"driveway", "Driveway", bridge.StreamHub, 640, 480, 10},
	{"cabin", "Cabin", bridge.StreamHub, 640, 480, 10},
}

// Run plays until ctx ends. ready is called once, when all listeners are open.
func (d *Demo) Run(ctx context.Context, ready func(*App)) error {
	dir, err := os.MkdirTemp("", "espcam-demo-")
	if err != nil {
		return bridge.Errorf(bridge.CodeUnavailable, "cannot make a temporary directory: %w; set TMPDIR to one that can be written", err)
	}
	defer os.RemoveAll(dir)
	cfg, err := d.config(dir)
	if err != nil {
		return err
	}
	a, err := New(ctx, cfg, Options{Version: d.Version, Log: d.Log, Level: d.Level, Workers: d.Workers})
	if err != nil {
		return err
	}
	cameras, err := a.demoCameras()
	if err != nil {
		return errors.Join(err, a.Close())
	}
	ctx, cancel := context.WithCancel(ctx)
	played := make(chan struct{})
	go func() {
		defer close(played)
		fakecam.RunAll(ctx, cameras)
	}()
	defer func() { <-played }()
	defer cancel()
	ready(a)
	return a.Run(ctx)
}

// config is what a user would write for the same.
func (d *Demo) config(dir string) (cfg *config.Config, err error) {
	cfg = config.Default()
	cfg.Name, cfg.Data = "demo", dir
	cfg.HTTP.Auth = false
	if cfg.HTTP.Listen, err = loopbackAddress("--http", d.HTTP, "8080"); err != nil {
		return nil, err
	}
	if cfg.MQTT.Embedded.Listen, err = loopbackAddress("--mqtt", d.MQTT, "1883"); err != nil {
		return nil, err
	}
	return cfg, nil
}

// loopbackAddress checks a typed address, or finds one: the usual port if it is
// free, else any.
func loopbackAddress(flag, typed, usual string) (string, error) {
	if typed != "" {
		host, _ := Port(typed)
		if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
			return "", bridge.Errorf(bridge.CodeInvalid, "%s %q: the demo has no login, so it takes only host:port of this machine, such as 127.0.0.1:%s", flag, typed, usual)
		}
		return typed, nil
	}
	addr := net.JoinHostPort("127.0.0.1", usual)
	ln, err := net.Listen("tcp", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE), errors.Is(err, syscall.EACCES):
		return "127.0.0.1:0", nil
	case err != nil:
		return "", bridge.Errorf(bridge.CodeUnavailable, "cannot listen on %s: %w", addr, err)
	}
	return addr, ln.Close()
}

// demoCameras makes the players and their keys. They dial the bridge like boards
// do.
func (a *App) demoCameras() ([]*fakecam.Camera, error) {
	var out []*fakecam.Camera
	for i, c := range demoCameras {
		if _, err := a.fleet.Add(c.id, "", c.name); err != nil {
			return nil, err
		}
		key, _, err := a.fleet.MintKey(c.id, "")
		if err != nil {
			return nil, err
		}
		cam, err := fakecam.New(fakecam.Config{
			URL:     "ws" + strings.TrimPrefix(strings.TrimSuffix(a.PageURL(), "/"), "http"),
			Key:     key,
			App:     a.cfg.HTTP.App,
			Room:    c.id,
			Dialect: string(c.dialect),
			Name:    c.name,
			Scene:   i,
			Plan:    fakecam.Home,
			FPS:     c.fps,
			Width:   c.width,
			Height:  c.height,
			Seed:    uint64(i),
			Stats:   5 * time.Second,
			Log:     a.log,
		})
		if err != nil {
			return nil, fmt.Errorf("simulated camera %s: %w", c.id, err)
		}
		out = append(out, cam)
	}
	return out, nil
}
