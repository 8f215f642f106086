package httpapi

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// pluginFigures collects what is known of plugins and alerts at the moment it is
// asked for. The label plugin takes only names of instances.
type pluginFigures struct {
	server *Server

	state, restarts, memory *prometheus.Desc
	alerts, waiting         *prometheus.Desc
}

func newPluginFigures(s *Server) *pluginFigures {
	of := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("espcam_"+name, help, append([]string{"plugin"}, labels...), nil)
	}
	return &pluginFigures{
		server:   s,
		state:    of("plugin_state", "1 for the state that the plugin is in, 0 for all others.", "state"),
		restarts: of("plugin_restarts_total", "Starts of the plugin after its first."),
		memory:   of("plugin_memory_bytes", "Resident memory of the plugin's process."),
		alerts:   of("alerts_total", "Alerts delivered, given up, and replaced by a newer one while they waited; attempts that were repeated.", "result"),
		waiting:  of("alerts_waiting", "Alerts that wait for the plugin."),
	}
}

// pluginStates are all values of the label state.
func pluginStates() []bridge.PluginState {
	return []bridge.PluginState{
		bridge.PluginDisabled, bridge.PluginMissing, bridge.PluginUntrusted, bridge.PluginStarting, bridge.PluginConfiguring,
		bridge.PluginReady, bridge.PluginDegraded, bridge.PluginDraining, bridge.PluginStopped, bridge.PluginBackoff,
		bridge.PluginTripped, bridge.PluginBadConfig, bridge.PluginIncompatible,
	}
}

// Describe implements prometheus.Collector.
func (f *pluginFigures) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{f.state, f.restarts, f.memory, f.alerts, f.waiting} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (f *pluginFigures) Collect(ch chan<- prometheus.Metric) {
	if plugins := f.server.deps.Plugins; plugins != nil {
		for _, p := range plugins.List() {
			f.collectPlugin(ch, p)
		}
	}
	if ask := f.server.deps.Sources.Alerts; ask != nil {
		for _, a := range ask() {
			for result, n := range map[string]uint64{"delivered": a.Delivered, "retried": a.Retried, "failed": a.Failed, "replaced": a.Replaced} {
				ch <- counter(f.alerts, float64(n), a.Plugin, result)
			}
			ch <- gauge(f.waiting, float64(a.Waiting), a.Plugin)
		}
	}
}

func (f *pluginFigures) collectPlugin(ch chan<- prometheus.Metric, p bridge.Plugin) {
	for _, state := range pluginStates() {
		ch <- gauge(f.state, number(p.State == state), p.Instance, string(state))
	}
	ch <- counter(f.restarts, float64(p.Restarts), p.Instance)
	if p.Memory > 0 {
		ch <- gauge(f.memory, float64(p.Memory), p.Instance)
	}
}
