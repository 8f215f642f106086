package app

import (
	"cmp"
	"context"
	"log/slog"
	"slices"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/alert"
	"github.com/espcam-bridge/espcam-bridge/bridge/config"
	"github.com/espcam-bridge/espcam-bridge/bridge/httpapi"
	"github.com/espcam-bridge/espcam-bridge/bridge/mqtt"
	"github.com/espcam-bridge/espcam-bridge/bridge/pluginhost"
)

// This file connects plugins, and the alerts that they carry, with everything else.

// newPlugins makes what runs the plugins and what tells people through them. It
// comes after the watch and the journal and before MQTT, which tells of plugins.
func (a *App) newPlugins(level *slog.LevelVar) (err error) {
	cfg := pluginhost.Config{Dir: a.cfg.Plugins.Dir, DataDir: a.cfg.Data}
	var names []string
	for _, i := range a.cfg.Plugins.Instances {
		names = append(names, i.Name)
		cfg.Instances = append(cfg.Instances, pluginhost.Instance{
			Name: i.Name, Type: i.Type, Enabled: i.Enabled, Settings: i.Settings.Reveal(), Hidden: i.Settings.Hidden(),
			Cameras: i.Cameras, Memory: i.Memory, Every: i.Every, MaxFPS: i.MaxFPS, Dev: i.Dev, RunAs: i.RunAs, Source: short(i.Source),
		})
	}
	deps := pluginhost.Deps{
		Cameras:     a.fleet,
		Hub:         a.hub,
		Publisher:   publisher{func() *mqtt.Client { return a.mqtt }}, // made after us
		Events:      a.watch.Digest,
		AddDetector: a.watch.AddDetector,
		Store:       a.store,
		Log:         a.log,
	}
	if level != nil {
		deps.Level = level
	}
	if a.plugins, err = pluginhost.New(cfg, deps); err != nil {
		return err
	}
	a.alerts, err = alert.New(alert.Config{Routes: routes(a.cfg.Alerts), Instances: names}, alert.Deps{
		Notifier: a.plugins,
		Journal:  a.journal,
		Store:    a.store,
		Name:     a.cameraName,
		Sample:   a.samplePicture,
		URL:      a.pageOf,
		Log:      a.log,
	})
	return err
}

// routes translates the alerts of the file.
func routes(alerts []config.Alert) []alert.Route {
	out := make([]alert.Route, len(alerts))
	for n, c := range alerts {
		out[n] = alert.Route{
			Name: c.Name, To: c.To, Cameras: c.Cameras, Labels: c.Labels, Zones: c.Zones, Sources: c.Sources, MinScore: c.MinScore,
			Phases: c.Phases, Cooldown: c.Cooldown, HoldOff: c.HoldOff, Priority: c.Priority, Picture: c.Picture,
			Title: c.Title, Text: c.Text, Actions: c.Actions, TimeZone: c.TimeZone,
		}
		for _, q := range c.Quiet {
			out[n].Quiet = append(out[n].Quiet, alert.Quiet(q))
		}
	}
	return out
}

// cameraName is what people call a camera.
func (a *App) cameraName(camera string) string {
	if c, err := a.fleet.Camera(camera); err == nil && c.Name != "" {
		return c.Name
	}
	return camera
}

// pageOf is where people look at what an alert is about: the camera on the page,
// or the page itself if there is none.
func (a *App) pageOf(camera, _ string) string {
	if _, err := a.fleet.Camera(camera); err != nil {
		camera = ""
	}
	return a.publicURL(camera)
}

// samplePicture is for a test: the newest picture that any camera has, else the
// placeholder of one, else a drawn one of none.
func (a *App) samplePicture() (camera string, f bridge.Frame) {
	cameras := a.fleet.Cameras()
	for _, c := range cameras {
		if latest := a.hub.Latest(c.ID); !latest.IsZero() && latest.Received.After(f.Received) {
			camera, f = c.ID, latest
		}
	}
	if !f.IsZero() {
		return camera, f
	}
	c := bridge.Camera{ID: "camera", Name: a.cfg.Name}
	if len(cameras) > 0 {
		c = cameras[0]
	}
	return c.ID, a.api.Placeholder(c)
}

// runPlugins starts the plugins, and after them the alerts, which end first: what
// is under way may finish while the plugins still run.
func (a *App) runPlugins(run func(func(context.Context) error) (stop func())) (stop func()) {
	stopPlugins := run(a.plugins.Run)
	events, cancel := a.watch.Digest()
	stopAlerts := run(func(ctx context.Context) error { return a.alerts.Run(ctx, events) })
	return func() {
		stopAlerts()
		cancel()
		stopPlugins()
	}
}

// publisher is MQTT for plugins.
type publisher struct{ client func() *mqtt.Client }

func (p publisher) SetState(instance, name, value string) error {
	return p.client().SetState(instance, name, value)
}

func (p publisher) Publish(instance, name string, payload []byte) error {
	return p.client().Publish(instance, name, payload)
}

// desk is what the command line does with plugins.
type desk struct {
	*pluginhost.Host
	alerts *alert.Alerts
}

func (d desk) Test(ctx context.Context, instance string) (bridge.Receipt, error) {
	return d.alerts.Test(ctx, instance)
}

// desk is nil where no plugin is configured.
func (a *App) desk() Plugins {
	if len(a.cfg.Plugins.Instances) == 0 {
		return nil
	}
	return desk{a.plugins, a.alerts}
}

// pluginsOnMQTT is nil where no plugin is configured: then nothing of plugins is
// announced.
func (a *App) pluginsOnMQTT() mqtt.Plugins {
	if len(a.cfg.Plugins.Instances) == 0 {
		return nil
	}
	return a.plugins
}

// List is sorted by name, for people.
func (d desk) List() []bridge.Plugin {
	list := d.Host.List()
	slices.SortFunc(list, func(a, b bridge.Plugin) int { return cmp.Compare(a.Instance, b.Instance) })
	return list
}

func (a *App) alertFigures() []httpapi.AlertFigures {
	var out []httpapi.AlertFigures
	for _, s := range a.alerts.Stats().Instances {
		out = append(out, httpapi.AlertFigures{
			Plugin: s.Instance, Delivered: s.Sent, Retried: s.Retried, Failed: s.Failed + s.Dropped, Replaced: s.Replaced, Waiting: s.Queued,
		})
	}
	return out
}

func (a *App) pluginFigures() []httpapi.PluginFigures {
	var out []httpapi.PluginFigures
	for _, s := range a.plugins.Stats() {
		out = append(out, httpapi.PluginFigures{
			Plugin: s.Instance, Entered: s.Entered, Exits: s.Exits, Calls: s.Calls, Failures: s.Failures,
			Refused: s.Refused, Dropped: s.SinkDropped, Lines: s.LinesLost,
		})
	}
	return out
}
