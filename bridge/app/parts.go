package app

import (
	"log/slog"
	"net"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/broker"
	"github.com/espcam-bridge/espcam-bridge/bridge/config"
	"github.com/espcam-bridge/espcam-bridge/bridge/httpapi"
	"github.com/espcam-bridge/espcam-bridge/bridge/mqtt"
	"github.com/espcam-bridge/espcam-bridge/bridge/store"
	"github.com/espcam-bridge/espcam-bridge/web"
)

// This file translates the configuration into each adapter's own and connects
// adapters that must not know each other.

func newBroker(e config.Embedded, log *slog.Logger) (*broker.Broker, error) {
	cfg := broker.Config{Listen: e.Address()}
	for _, u := range e.Users {
		cfg.Users = append(cfg.Users, broker.User{Name: u.Username, Password: u.Password.Reveal()})
	}
	return broker.New(cfg, log)
}

func (a *App) newMQTT(o Options) (*mqtt.Client, error) {
	texts, err := store.NewTable[string](a.store, "mqtt")
	if err != nil {
		return nil, err
	}
	m := a.cfg.MQTT
	cfg := mqtt.Config{
		Broker:          m.Broker,
		Username:        m.Username,
		Password:        m.Password.Reveal(),
		BaseTopic:       m.BaseTopic,
		DiscoveryPrefix: m.DiscoveryPrefix,
		Name:            a.cfg.Name,
		App:             a.cfg.HTTP.App,
		Version:         o.Version,
		Preview:         mqtt.DefaultPreview,
		PageURL:         a.publicURL,
	}
	if a.broker != nil {
		cfg.Broker = a.broker.URL()
		cfg.Username, cfg.Password = a.broker.Credentials()
	}
	var restart func()
	if o.Supervised {
		restart = a.restart
	}
	return mqtt.New(cfg, mqtt.Deps{
		Fleet:       a.fleet,
		Refused:     func(n bridge.Notice) { a.api.Notify(n) }, // made after us
		Motion:      digest{a.watch},
		Plugins:     a.pluginsOnMQTT(),
		Pictures:    a.hub,
		Store:       texts,
		Log:         a.log,
		LogLevel:    o.Level,
		Restart:     restart,
		Placeholder: func(c bridge.Camera) []byte { return a.api.Placeholder(c).JPEG() }, // made after us
	})
}

// restart makes Run end with ErrRestart.
func (a *App) restart() {
	select {
	case a.again <- struct{}{}:
	default: // it was asked for already
	}
}

// publicURL is where people find the page, or one camera on it: by the first
// name in http.hosts, else by the listener's own address, else by this
// machine's name.
func (a *App) publicURL(camera string) string {
	host, port := Port(a.plain.Addr().String())
	name := ""
	if len(a.cfg.HTTP.Hosts) > 0 {
		name = a.cfg.HTTP.Hosts[0]
	} else if ip := net.ParseIP(host); ip != nil && !ip.IsUnspecified() {
		name = host
	} else if n, err := os.Hostname(); err == nil {
		name = n
	} else {
		return ""
	}
	u := url.URL{Scheme: "http", Host: net.JoinHostPort(name, port), Path: a.cfg.HTTP.BasePath + "/"}
	if camera != "" {
		u.Fragment = "/" + camera
	}
	return u.String()
}

func (a *App) newAPI(version string) (*httpapi.Server, error) {
	h := a.cfg.HTTP
	return httpapi.New(httpapi.Config{
		Name:           a.cfg.Name,
		Version:        version,
		App:            h.App,
		Auth:           h.Auth,
		PublicStreams:  h.PublicStreams,
		Hosts:          h.Hosts,
		BasePath:       h.BasePath,
		TrustedProxies: h.TrustedProxies,
		MaxViewers:     h.Limits.Viewers,
		MaxPerAddress:  h.Limits.PerAddress,
	}, httpapi.Deps{
		Fleet:   a.fleet,
		Hub:     a.hub,
		Auth:    a.auth,
		Motion:  a.watch,
		Events:  a.journal,
		Ingest:  a.ingest,
		Plugins: a.plugins,
		Alerts:  a.alerts,
		Web:     web.FS(),
		Sources: httpapi.Sources{
			Store:   seldom(10*time.Second, a.diskState),
			MQTT:    a.mqttState,
			Refused: func() map[bridge.Reason]uint64 { return a.ingest.Stats().Refused },

			Events:    a.journal.Check,
			Journal:   func() httpapi.EventFigures { return httpapi.EventFigures(a.journal.Stats()) },
			Detectors: a.detectorFigures,
			Alerts:    a.alertFigures,
			Unsaid:    func() map[string]uint64 { return a.alerts.Stats().Suppressed },
			Plugins:   a.pluginFigures,
		},
		Log: a.log,
	})
}

func (a *App) detectorFigures() []httpapi.DetectorFigures {
	stats := a.watch.Stats().Detectors
	out := make([]httpapi.DetectorFigures, len(stats))
	for i, d := range stats {
		out[i] = httpapi.DetectorFigures(d)
	}
	return out
}

// diskState says whether what people asked for survives a restart.
func (a *App) diskState() error {
	if n := a.fleet.Unsaved(); n > 0 {
		return bridge.Errorf(bridge.CodeUnavailable, "%d cameras could not be saved: is the disk of %s full?", n, a.cfg.Data)
	}
	return a.store.Check()
}

// seldom repeats check's last answer until it is older than age: a readiness
// probe must not make the disk write every second.
func seldom(age time.Duration, check func() error) func() error {
	var mu sync.Mutex
	var at time.Time
	var last error
	return func() error {
		mu.Lock()
		defer mu.Unlock()
		if at.IsZero() || time.Since(at) > age {
			last, at = check(), time.Now()
		}
		return last
	}
}

func (a *App) mqttState() (connected bool, why string) {
	s := a.mqtt.Status()
	return s.Connected, s.LastError
}
