package config

import (
	"log/slog"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// schema is the table of all keys, bound to the fields of c that they fill. To
// add a key, add a field to the type, its default to Default, a row here, and
// its explanation to configs/bridge.yaml.
func schema(c *Config) section {
	return section{
		row("name", one(&c.Name, words(64))),
		row("data", one(&c.Data, filePath)),
		row("http", c.HTTP.schema()),
		row("mqtt", c.MQTT.schema()),
		row("ingest", c.Ingest.schema()),
		row("cameras", table{
			add:  func(id string) value { return addCamera(c, id) },
			name: bridge.CheckID,
		}),
		row("motion", motion(&c.Motion)),
		row("events", section{
			row("keep", one(&c.Events.Keep, duration(minKeep, maxKeep))),
			row("max_size", one(&c.Events.MaxSize, size[int64](10<<20, 1<<40))),
		}),
		row("plugins", c.Plugins.schema()),
		row("alerts", listOf(&c.Alerts, (*Alert).schema)),
		row("log", section{
			row("level", one(&c.Log.Level, logLevel)),
			row("format", one(&c.Log.Format, choice("text", "json"))),
		}),
	}
}

func (h *HTTP) schema() section {
	return section{
		row("listen", one(&h.Listen, address)),
		row("app", one(&h.App, room)),
		row("auth", one(&h.Auth, boolean)),
		row("public_streams", one(&h.PublicStreams, boolean)),
		row("hosts", listOf(&h.Hosts, func(s *string) value { return one(s, hostName) })),
		row("limits", section{
			row("viewers", one(&h.Limits.Viewers, number(1, 100_000))),
			row("per_address", one(&h.Limits.PerAddress, number(1, 100_000))),
		}),
		row("tokens", listOf(&h.Tokens, (*Token).schema)),
		row("base_path", one(&h.BasePath, optional(basePath))),
		row("trusted_proxies", listOf(&h.TrustedProxies, oneNetwork)),
		row("tls", section{
			row("listen", one(&h.TLS.Listen, optional(address))),
			row("cert", one(&h.TLS.Cert, optional(filePath))),
			row("key", one(&h.TLS.Key, optional(filePath))),
		}),
	}
}

func (t *Token) schema() value {
	return section{
		required("name", one(&t.Name, words(64))),
		required("token", secret{&t.Token, checkToken}),
		required("role", one(&t.Role, choice(bridge.Viewer, bridge.Operator, bridge.Admin))),
		row("cameras", listOf(&t.Cameras, func(s *string) value { return one(s, cameraID) })),
	}
}

func (m *MQTT) schema() section {
	return section{
		row("broker", one(&m.Broker, optional(brokerURL))),
		row("username", one(&m.Username, optional(words(128)))),
		row("password", secret{&m.Password, checkPassword}),
		row("base_topic", one(&m.BaseTopic, topic)),
		row("discovery_prefix", one(&m.DiscoveryPrefix, optional(topic))),
		row("embedded", section{
			row("listen", one(&m.Embedded.Listen, address)),
			row("users", listOf(&m.Embedded.Users, (*User).schema)),
		}),
	}
}

func (u *User) schema() value {
	return section{
		required("username", one(&u.Username, words(128))),
		required("password", secret{&u.Password, checkUserPassword}),
	}
}

func (i *Ingest) schema() section {
	return section{
		row("max_frame_bytes", one(&i.MaxFrameBytes, size(4<<10, 2<<20))),
		row("max_pixels", one(&i.MaxPixels, number(10_000, 6_000_000))),
		row("max_fps", one(&i.MaxFPS, number(1, 60))),
		row("idle_timeout", one(&i.IdleTimeout, duration(minIdle, maxIdle))),
	}
}

func addCamera(c *Config, id string) value {
	c.Cameras = append(c.Cameras, Camera{ID: id})
	cam := &c.Cameras[len(c.Cameras)-1]
	return section{
		row("name", one(&cam.Name, words(64))),
		row("room", one(&cam.Room, optional(room))),
		row("key", secret{&cam.Key, checkCameraKey}),
		row("settings", cam.settings()),
		row("motion", motion(&cam.Motion)),
	}
}

// settings has a row for each property that some camera has. People may know
// it by its name on MQTT.
func (c *Camera) settings() section {
	var s section
	for _, p := range bridge.Properties() {
		s = append(s, field{key: p.Name, also: p.Topic, value: scalar(func(text string) error {
			v, err := setting(p, text)
			if err != nil {
				return err
			}
			c.Settings = c.Settings.With(bridge.Settings{p.Name: v})
			return nil
		})})
	}
	return s
}

func logLevel(text string) (slog.Level, error) {
	name, err := choice("debug", "info", "warn", "error")(text)
	if err != nil {
		return 0, err
	}
	var l slog.Level
	return l, l.UnmarshalText([]byte(name))
}
