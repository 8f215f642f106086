package app

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/config"
)

// house is one plugin that remembers what it was asked for.
type house struct{ asked []string }

func (h *house) List() []bridge.Plugin {
	return []bridge.Plugin{{Instance: "phone", Type: "ntfy", State: bridge.PluginReady, Log: []string{"started"}}}
}

func (h *house) Enable(instance string, on bool) error {
	h.asked = append(h.asked, instance)
	if !on {
		return bridge.Errorf(bridge.CodeNotFound, "there is no plugin %q", instance)
	}
	return nil
}

func (h *house) Test(ctx context.Context, instance string) (bridge.Receipt, error) {
	h.asked = append(h.asked, "test "+instance)
	return bridge.Receipt{Handle: "m1", Message: "sent"}, ctx.Err()
}

// serveControl serves a socket in a state directory of its own.
func serveControl(t *testing.T, plugins Plugins) *config.Config {
	t.Helper()
	dir, err := os.MkdirTemp("", "ctl") // short: a socket's path may have 104 bytes
	if err != nil {
		t.Fatal(err)
	}
	c, err := newControl(filepath.Join(dir, ControlName), noKeys{})
	if err != nil {
		t.Fatal(err)
	}
	c.plugins = plugins
	done := make(chan error, 1)
	go func() { done <- c.serve() }()
	t.Cleanup(func() {
		if err := errors.Join(c.server.Close(), <-done, os.RemoveAll(dir)); err != nil {
			t.Error(err)
		}
	})
	return &config.Config{Data: dir}
}

type noKeys struct{}

func (noKeys) AddKey(string) (string, bridge.Key, error) { return "", bridge.Key{}, nil }
func (noKeys) ListKeys() ([]bridge.Key, error)           { return nil, nil }
func (noKeys) RemoveKey(string) error                    { return nil }

func TestPluginControl(t *testing.T) {
	h := &house{}
	p, err := RunningPlugins(serveControl(t, h))
	if err != nil {
		t.Fatal(err)
	}
	list, err := p.List()
	if err != nil || len(list) != 1 || list[0].Instance != "phone" || list[0].State != bridge.PluginReady || list[0].Log[0] != "started" {
		t.Errorf("list: %+v, %v", list, err)
	}
	if err := p.Enable("phone", true); err != nil {
		t.Error(err)
	}
	if err := p.Enable("a/../b", false); bridge.CodeOf(err) != bridge.CodeNotFound || err.Error() != `there is no plugin "a/../b"` {
		t.Errorf("disable: %v", err)
	}
	r, err := p.Test("phone")
	if err != nil || r.Handle != "m1" || r.Message != "sent" {
		t.Errorf("test: %+v, %v", r, err)
	}
	if got := strings.Join(h.asked, ","); got != "phone,a/../b,test phone" {
		t.Errorf("asked for %s", got)
	}
}

func TestPluginControlWithoutPlugins(t *testing.T) {
	p, err := RunningPlugins(serveControl(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	if list, err := p.List(); err != nil || len(list) != 0 {
		t.Errorf("list: %v, %v", list, err)
	}
	if _, err := p.Test("phone"); bridge.CodeOf(err) != bridge.CodeUnavailable || !strings.Contains(err.Error(), "name one in plugins.instances") {
		t.Errorf("test: %v", err)
	}
}

func TestNoBridgeRuns(t *testing.T) {
	_, err := RunningPlugins(&config.Config{Data: t.TempDir()})
	if bridge.CodeOf(err) != bridge.CodeUnavailable || !strings.Contains(err.Error(), "the bridge is not running") {
		t.Errorf("got %v", err)
	}
}
