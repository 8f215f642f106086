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
	alerts, waiting, unsaid *prometheus.Desc

	entered, exits, calls, failures, refused, dropped, lines *prometheus.Desc
}

// PluginFigures are the counters of one plugin instance since the program started.
type PluginFigures struct {
	Plugin   string
	Entered  map[bridge.PluginState]uint64 // how often it came into each state
	Exits    uint64                        // ends by itself, failed starts among them
	Calls    uint64                        // to the plugin: alerts, pictures, events
	Failures uint64                        // of those: with an error or too late
	Refused  uint64                        // calls to the bridge: not allowed or too many
	Dropped  uint64                        // events for which its queue had no room
	Lines    uint64                        // of its log that were too many
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
		unsaid:   prometheus.NewDesc("espcam_alerts_suppressed_total", "Events that a route did not tell, by why: the time of the day, the cool-down, or a condition.", []string{"reason"}, nil),

		entered:  of("plugin_transitions_total", "How often the plugin came into the state.", "state"),
		exits:    of("plugin_exits_total", "Ends of the plugin by itself, and starts that failed."),
		calls:    of("plugin_calls_total", "Alerts, pictures and events given to the plugin."),
		failures: of("plugin_call_failures_total", "Calls of the plugin that ended with an error or too late."),
		refused:  of("plugin_refused_calls_total", "Calls of the plugin to the bridge that were not allowed or too many."),
		dropped:  of("plugin_events_dropped_total", "Events for which the queue of the plugin had no room."),
		lines:    of("plugin_log_lines_dropped_total", "Lines of the plugin's log that were too many."),
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
	for _, d := range []*prometheus.Desc{f.state, f.restarts, f.memory, f.alerts, f.waiting, f.unsaid,
		f.entered, f.exits, f.calls, f.failures, f.refused, f.dropped, f.lines} {
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
	if ask := f.server.deps.Sources.Plugins; ask != nil {
		for _, p := range ask() {
			f.collectCounters(ch, p)
		}
	}
	if ask := f.server.deps.Sources.Unsaid; ask != nil {
		for reason, n := range ask() {
			ch <- counter(f.unsaid, float64(n), reason)
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

func (f *pluginFigures) collectCounters(ch chan<- prometheus.Metric, p PluginFigures) {
	for state, n := range p.Entered {
		ch <- counter(f.entered, float64(n), p.Plugin, string(state))
	}
	for desc, n := range map[*prometheus.Desc]uint64{
		f.exits: p.Exits, f.calls: p.Calls, f.failures: p.Failures, f.refused: p.Refused, f.dropped: p.Dropped, f.lines: p.Lines,
	} {
		ch <- counter(desc, float64(n), p.Plugin)
	}
}
