package httpapi

import (
	"slices"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// pluginsMessage tells an admin's page to ask again for plugins and failed
// alerts, at most twice a second.
type pluginsMessage struct {
	Type string `json:"type"`
}

// pluginNews is what a page has heard of plugins. Its writer owns it.
type pluginNews struct {
	wanted  bool            // an admin of the whole bridge looks
	changed <-chan struct{} // nil: there are no plugins
	failed  []string        // ids of the failed alerts
}

// watchPlugins begins to hear of plugins, for who may see them. The caller calls
// leave.
func (k *socket) watchPlugins() (leave func()) {
	n := &k.plugins
	if n.wanted = k.v.who.May(bridge.Admin, "") && k.v.who.Cameras == nil; !n.wanted {
		return func() {}
	}
	n.failed = k.failedAlerts()
	if k.deps.Plugins == nil {
		return func() {}
	}
	n.changed, leave = k.deps.Plugins.Subscribe()
	return leave
}

func (k *socket) failedAlerts() (ids []string) {
	if k.deps.Alerts == nil {
		return nil
	}
	for _, f := range k.deps.Alerts.Failed() {
		ids = append(ids, f.ID)
	}
	return ids
}

// tellPlugins says that something of plugins or failed alerts has changed.
func (k *socket) tellPlugins() {
	n := &k.plugins
	if !n.wanted {
		return
	}
	news := false
	select {
	case _, news = <-n.changed:
		if !news {
			n.changed = nil // closed: nothing more is said
		}
	default:
	}
	if failed := k.failedAlerts(); !slices.Equal(failed, n.failed) {
		n.failed, news = failed, true
	}
	if news {
		k.say(pluginsMessage{"plugins"})
	}
}
