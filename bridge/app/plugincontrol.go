package app

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/config"
)

// Plugins is what `espcam-bridge plugin` asks of a running bridge. None of it
// names a program: which one an instance is comes from files alone.
type Plugins interface {
	// List returns all instances, sorted by name.
	List() []bridge.Plugin
	// Enable switches an instance on or off; it stays so.
	Enable(instance string, on bool) error
	// Test really sends an alert through an instance. It takes as long as that.
	Test(ctx context.Context, instance string) (bridge.Receipt, error)
}

// testTime is how long a test may take: longer than the 15 s of one Notify, and
// the wait for a plugin that starts.
const testTime = 40 * time.Second

// host is what serves plugins; a bridge without any answers why, so that the command
// line can say it.
func (c *control) host() (Plugins, error) {
	if c.plugins == nil {
		return nil, bridge.Errorf(bridge.CodeUnavailable, "the running bridge has no plugins: name one in plugins.instances of its file, and start it again")
	}
	return c.plugins, nil
}

func (c *control) pluginRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /plugins", c.listPlugins)
	mux.HandleFunc("POST /plugins/{instance}/{do}", c.doPlugin)
}

func (c *control) listPlugins(w http.ResponseWriter, _ *http.Request) {
	if c.plugins == nil {
		reply(w, answer{}, nil)
		return
	}
	reply(w, answer{Plugins: c.plugins.List()}, nil)
}

func (c *control) doPlugin(w http.ResponseWriter, r *http.Request) {
	host, err := c.host()
	if err != nil {
		reply(w, answer{}, err)
		return
	}
	instance := r.PathValue("instance")
	switch do := r.PathValue("do"); do {
	case "enable", "disable":
		reply(w, answer{}, host.Enable(instance, do == "enable"))
	case "test":
		if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(testTime + 5*time.Second)); err != nil {
			reply(w, answer{}, err)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), testTime)
		defer cancel()
		receipt, err := host.Test(ctx, instance)
		reply(w, answer{Receipt: receipt}, err)
	default:
		reply(w, answer{}, bridge.Errorf(bridge.CodeNotFound, "a plugin can be enabled, disabled and tested, not %q", do))
	}
}

// RunningPlugins reaches the plugins of the bridge that runs on cfg's state
// directory. The error has CodeUnavailable if none runs there.
func RunningPlugins(cfg *config.Config) (*RemotePlugins, error) {
	r, err := reach(cfg)
	if err != nil {
		return nil, err
	}
	if r == nil {
		return nil, bridge.Errorf(bridge.CodeUnavailable, "the bridge is not running on %s: start it with `espcam-bridge serve`, and then this again", cfg.Data)
	}
	r.client.Timeout = testTime + 10*time.Second
	return &RemotePlugins{r}, nil
}

// RemotePlugins are the plugins of another process, the running bridge.
type RemotePlugins struct{ remote *remote }

// List returns all instances, sorted by name.
func (p *RemotePlugins) List() ([]bridge.Plugin, error) {
	a, err := p.remote.call(http.MethodGet, "/plugins")
	return a.Plugins, err
}

// Enable switches an instance on or off; it stays so.
func (p *RemotePlugins) Enable(instance string, on bool) error {
	do := "disable"
	if on {
		do = "enable"
	}
	_, err := p.do(instance, do)
	return err
}

// Test really sends an alert through an instance.
func (p *RemotePlugins) Test(instance string) (bridge.Receipt, error) {
	a, err := p.do(instance, "test")
	return a.Receipt, err
}

func (p *RemotePlugins) do(instance, do string) (answer, error) {
	return p.remote.call(http.MethodPost, "/plugins/"+url.PathEscape(instance)+"/"+do)
}
