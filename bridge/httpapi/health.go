package httpapi

import (
	"log/slog"
	"net/http"
	"runtime"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// Sources are figures of other parts, for readiness and metrics. Each may be
// nil; none may block for long.
type Sources struct {
	Store   func() error                        // nil error: the disk takes writes
	MQTT    func() (connected bool, why string) // why: what is wrong, in a sentence, connected or not
	Refused func() map[bridge.Reason]uint64     // camera handshakes refused since the start

	Events    func() error        // nil error: events are saved
	Journal   func() EventFigures // of the events that are kept
	Detectors func() []DetectorFigures

	Alerts  func() []AlertFigures
	Unsaid  func() map[string]uint64 // events that no route told, by reason
	Plugins func() []PluginFigures
}

// EventFigures are those of the events that are kept. Counters begin with the
// program.
type EventFigures struct {
	Begun         uint64 // events that began
	Events        int    // on disk, readable
	Bytes         int64  // on disk, of all events
	Corrupt       int    // on disk, not readable
	Waiting       int    // going on, or waiting for the disk
	Removed       uint64 // by age or size
	Lost          uint64 // events that never came to the disk
	FramesDropped uint64 // frames of clips, and pictures, that never came to the disk
}

// DetectorFigures are the calls of one detector since the program started.
type DetectorFigures struct {
	Name     string
	Calls    uint64
	Busy     uint64 // pictures replaced by a newer one while a call was under way, or refused as busy
	Timeouts uint64 // calls that ended after their time
	Errors   uint64
	Hung     int // calls whose time is over and that have not ended
}

// ingest is the cameras' door. It judges keys itself.
func (s *Server) ingest(w http.ResponseWriter, r *http.Request, _ *visit) error {
	if s.deps.Ingest == nil {
		return bridge.Errorf(bridge.CodeNotFound, "this bridge takes no cameras here")
	}
	s.deps.Ingest.ServeHTTP(w, r)
	return nil
}

// healthz says that the process is alive, to everybody, and nothing else.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request, _ *visit) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ok\n"))
	return nil
}

// ready is the body of /readyz. A broker that is away, events that cannot be
// saved, or a plugin with a problem make the bridge degraded, not unready:
// cameras and pages work without.
type ready struct {
	Ready    bool   `json:"ready"`
	Degraded bool   `json:"degraded"`
	Store    string `json:"store"`
	MQTT     string `json:"mqtt"`
	Events   string `json:"events,omitempty"`
	Plugins  string `json:"plugins,omitempty"`
	Cameras  struct {
		Known  int `json:"known"`
		Online int `json:"online"`
	} `json:"cameras"`
}

func (s *Server) readyz(w http.ResponseWriter, _ *http.Request, _ *visit) error {
	out := ready{Ready: true, Store: "ok", MQTT: "connected"}
	if f := s.deps.Sources.Store; f != nil {
		if err := f(); err != nil {
			out.Ready, out.Store = false, err.Error()
		}
	}
	if f := s.deps.Sources.MQTT; f == nil {
		out.MQTT = "off"
	} else if ok, why := f(); !ok || why != "" {
		out.Degraded, out.MQTT = true, why
	}
	if f := s.deps.Sources.Events; f != nil {
		out.Events = "ok"
		if err := f(); err != nil {
			out.Degraded, out.Events = true, err.Error()
		}
	}
	if s.deps.Plugins != nil && len(s.deps.Plugins.List()) > 0 {
		out.Plugins = "ok"
		if why := s.pluginTrouble(); why != "" {
			out.Degraded, out.Plugins = true, why
		}
	}
	for _, c := range s.deps.Fleet.Cameras() {
		out.Cameras.Known++
		if c.State == bridge.Online {
			out.Cameras.Online++
		}
	}
	status := http.StatusOK
	if !out.Ready {
		status = http.StatusServiceUnavailable
	}
	send(w, status, out)
	return nil
}

// trouble is what a part of the bridge cannot do just now, in words for people.
type trouble struct {
	Part    string `json:"part"` // "mqtt", "events" or "plugins"
	Message string `json:"message"`
}

// troubles are those that the page shows: what degrades the bridge, while it
// lasts. None is [], never null.
func (s *Server) troubles() []trouble {
	out := []trouble{}
	if f := s.deps.Sources.MQTT; f != nil {
		if _, why := f(); why != "" {
			out = append(out, trouble{"mqtt", why})
		}
	}
	if f := s.deps.Sources.Events; f != nil {
		if err := f(); err != nil {
			out = append(out, trouble{"events", err.Error()})
		}
	}
	if why := s.pluginTrouble(); why != "" {
		out = append(out, trouble{"plugins", why})
	}
	return out
}

// pluginTrouble names the plugins that a person should look at; "" if there is
// none. What is wrong with them the page shows to admins.
func (s *Server) pluginTrouble() string {
	if s.deps.Plugins == nil {
		return ""
	}
	var names []string
	for _, p := range s.deps.Plugins.List() {
		if p.State.Problem() {
			names = append(names, p.Instance)
		}
	}
	switch len(names) {
	case 0:
		return ""
	case 1:
		return "the plugin " + names[0] + " has a problem"
	}
	return "the plugins " + strings.Join(names, ", ") + " have a problem"
}

func (s *Server) serveMetrics(w http.ResponseWriter, r *http.Request, _ *visit) error {
	s.metrics.ServeHTTP(w, r)
	return nil
}

// newMetrics makes the handler of /metrics with a registry of its own.
func (s *Server) newMetrics() http.Handler {
	reg := prometheus.NewRegistry()
	reg.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		newFigures(s),
		newMotionFigures(s),
		newPluginFigures(s),
	)
	return promhttp.HandlerFor(reg, promhttp.HandlerOpts{ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelError)})
}

// figures collects the bridge's own metrics at the moment they are asked for.
// The label camera takes only ids of known cameras, reason only fixed words.
type figures struct {
	server *Server

	frames, bytes, drops, connected, enabled, rssi, fps, reconnects, viewers *prometheus.Desc // per camera
	streams, mqtt, refused, build                                            *prometheus.Desc
}

func newFigures(s *Server) *figures {
	of := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("espcam_"+name, help, labels, nil)
	}
	return &figures{
		server:     s,
		frames:     of("frames_received_total", "Accepted frames.", "camera"),
		bytes:      of("frame_bytes_total", "Bytes of accepted frames.", "camera"),
		drops:      of("frames_dropped_total", "Frames that were not published, and deliveries skipped for slow viewers.", "camera", "reason"),
		connected:  of("camera_connected", "1 if the camera is connected.", "camera"),
		enabled:    of("camera_enabled", "0 if the camera is switched off.", "camera"),
		rssi:       of("camera_rssi_dbm", "Signal strength as the camera reports it.", "camera"),
		fps:        of("camera_fps", "Accepted frames per second.", "camera"),
		reconnects: of("reconnects_total", "Connections of the camera after its first.", "camera"),
		viewers:    of("viewers", "Viewers that are watching the camera.", "camera"),
		streams:    of("open_streams", "Open MJPEG streams and sockets of viewers."),
		mqtt:       of("mqtt_connected", "1 if the broker is connected."),
		refused:    of("handshakes_refused_total", "Camera connections refused.", "reason"),
		build:      of("build_info", "1, with what runs as labels.", "version", "goversion"),
	}
}

// Describe implements prometheus.Collector.
func (f *figures) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{f.frames, f.bytes, f.drops, f.connected, f.enabled, f.rssi, f.fps, f.reconnects,
		f.viewers, f.streams, f.mqtt, f.refused, f.build} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (f *figures) Collect(ch chan<- prometheus.Metric) {
	s := f.server
	for _, c := range s.deps.Fleet.Cameras() {
		f.collectCamera(ch, c)
	}
	ch <- gauge(f.streams, float64(s.seats.open()))
	ch <- gauge(f.build, 1, s.cfg.Version, runtime.Version())
	if ask := s.deps.Sources.MQTT; ask != nil {
		ok, _ := ask()
		ch <- gauge(f.mqtt, number(ok))
	}
	if ask := s.deps.Sources.Refused; ask != nil {
		for reason, n := range ask() {
			ch <- counter(f.refused, float64(n), string(reason))
		}
	}
}

func (f *figures) collectCamera(ch chan<- prometheus.Metric, c bridge.Camera) {
	ch <- counter(f.frames, float64(c.Stats.Frames), c.ID)
	ch <- counter(f.bytes, float64(c.Stats.Bytes), c.ID)
	ch <- counter(f.reconnects, float64(c.Reconnects), c.ID)
	ch <- gauge(f.connected, number(c.Connected), c.ID)
	ch <- gauge(f.enabled, number(c.Enabled), c.ID)
	ch <- gauge(f.fps, c.Stats.FPS, c.ID)
	ch <- gauge(f.viewers, float64(c.Stats.Viewers), c.ID)
	if c.Stats.RSSI != nil && c.Connected {
		ch <- gauge(f.rssi, float64(*c.Stats.RSSI), c.ID)
	}
	for _, reason := range bridge.Drops() {
		ch <- counter(f.drops, float64(c.Stats.Dropped[reason]), c.ID, string(reason))
	}
}

func counter(d *prometheus.Desc, v float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
}

func gauge(d *prometheus.Desc, v float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
