package app

import (
	"context"
	"log/slog"
	"path/filepath"

	"github.com/espcam-bridge/espcam-bridge/bridge/auth"
	"github.com/espcam-bridge/espcam-bridge/bridge/config"
	"github.com/espcam-bridge/espcam-bridge/bridge/fleet"
	"github.com/espcam-bridge/espcam-bridge/bridge/hub"
	"github.com/espcam-bridge/espcam-bridge/bridge/store"
)

// core is what works without the network: the state directory, the credentials,
// the cameras. The command line uses it alone when no bridge is running.
type core struct {
	store *store.Store
	hub   *hub.Hub
	auth  *auth.Auth
	fleet *fleet.Fleet
}

func openCore(ctx context.Context, cfg *config.Config, log *slog.Logger) (*core, error) {
	st, err := store.Open(cfg.Data)
	if err != nil {
		return nil, err
	}
	c := &core{store: st, hub: hub.New(nil)}
	if c.auth, err = auth.Open(authConfig(cfg), st); err == nil {
		c.fleet, err = fleet.Open(ctx, fleetConfig(cfg), st, c.hub, c.auth, log)
	}
	if err != nil {
		st.Close()
		return nil, err
	}
	return c, nil
}

// close ends what openCore began, in reverse order.
func (c *core) close() error {
	c.fleet.Close()
	return c.store.Close()
}

func authConfig(cfg *config.Config) auth.Config {
	var out auth.Config
	for _, t := range cfg.HTTP.Tokens {
		out.Tokens = append(out.Tokens, auth.Token{Name: t.Name, Secret: t.Token.Reveal(), Role: t.Role, Cameras: t.Cameras})
	}
	for _, c := range cfg.Cameras {
		if !c.Key.IsZero() {
			out.Keys = append(out.Keys, auth.ConfigKey{Camera: c.ID, Secret: c.Key.Reveal(), Source: short(c.KeySource)})
		}
	}
	return out
}

func fleetConfig(cfg *config.Config) fleet.Config {
	out := fleet.Config{App: cfg.HTTP.App, MaxFPS: cfg.Ingest.MaxFPS, Motion: cfg.Motion}
	for _, c := range cfg.Cameras {
		out.Cameras = append(out.Cameras, fleet.Known{ID: c.ID, Name: c.Name, Room: c.Room, Settings: c.Settings, Motion: c.Motion, Source: short(c.Source)})
	}
	return out
}

// short is "bridge.yaml:12" of "/etc/espcam/bridge.yaml:12": enough for a person,
// and no path of the machine for those who are not its owner.
func short(source string) string {
	if source == "" {
		return ""
	}
	return filepath.Base(source)
}
