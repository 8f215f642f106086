// Package config reads bridge.yaml. It describes what was asked for and never
// constructs anything: app translates a Config into each adapter's own.
//
// The programs call Load once at the start, check-config calls it to show every
// mistake at once, and demo starts from Default. One table (schema.go) says
// which keys exist and what each accepts; the environment variables, the twins
// ending in _file, the "did you mean" and the list of keys all follow from it.
//
// It reads the file and the files that hold secrets, nothing else, and starts no
// goroutine. Files are bounded (1 MiB), so it ends in bounded time. A secret
// never appears in a message, a log or JSON (see Secret).
package config

import (
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// Config is everything that can be configured. Load has checked it; who makes
// one by hand (from Default) answers for it.
type Config struct {
	Name    string // of this instance, for MQTT and for people
	Data    string // state directory
	HTTP    HTTP
	MQTT    MQTT
	Ingest  Ingest
	Cameras []Camera            // in the order of the file
	Motion  bridge.MotionChange // how the pictures of all cameras are judged; see Camera.Motion
	Events  Events
	Plugins Plugins
	Alerts  []Alert // in the order of the file
	Log     Log
}

// HTTP is the listener of the page, the API, the streams and the cameras.
type HTTP struct {
	Listen         string // host:port
	App            string // StreamHub's application name in URLs
	Auth           bool   // false only while all listeners are loopback
	PublicStreams  bool   // pictures need no token
	Hosts          []string
	Limits         Limits
	Tokens         []Token
	BasePath       string // "" or like /cams
	TrustedProxies []netip.Prefix
	TLS            TLS
}

// Limits bounds the viewers that are connected at the same time.
type Limits struct {
	Viewers    int // in all
	PerAddress int // from one address
}

// Token lets a machine in.
type Token struct {
	Name    string
	Token   Secret
	Role    bridge.Role // viewer, operator or admin
	Cameras []string    // ids; nil means all
}

// TLS is the second listener, with encryption. An empty Listen means none; else
// all three are set.
type TLS struct {
	Listen string // host:port
	Cert   string // PEM file
	Key    string // PEM file
}

// MQTT is the connection to a broker, or the broker in the program.
type MQTT struct {
	Broker          string // URL with host and port; "" means Embedded
	Username        string
	Password        Secret
	BaseTopic       string
	DiscoveryPrefix string // "" means no discovery
	Embedded        Embedded
}

// Embedded is the broker in the program.
type Embedded struct {
	Listen string // host:port as configured; Address says where it really listens
	Users  []User // unique by name
}

// User may log in to the embedded broker.
type User struct {
	Username string
	Password Secret
}

// Ingest bounds what cameras may send.
type Ingest struct {
	MaxFrameBytes int           // bytes
	MaxPixels     int           // width times height
	MaxFPS        int           // frames per second of one camera
	IdleTimeout   time.Duration // without a frame
}

// Camera is one camera of the file.
type Camera struct {
	ID        string
	Name      string              // "" if the file does not say
	Room      string              // "" means the id
	Key       Secret              // empty if the file does not say
	Settings  bridge.Settings     // desired at first sight; each fits its property, not yet this camera
	Motion    bridge.MotionChange // how its pictures are judged where that differs from Config.Motion; nil if the file does not say
	Source    string              // "file:line" of the camera
	KeySource string              // "file:line" of its key; "" without one
}

// Events bounds what is kept of events on disk. The older of two goes first.
type Events struct {
	Keep    time.Duration // since their end
	MaxSize int64         // bytes, all together
}

// Log says what is logged and how.
type Log struct {
	Level  slog.Level
	Format string // text or json
}

// Default returns what an empty file means.
func Default() *Config {
	return &Config{
		Name: "home",
		Data: "data",
		HTTP: HTTP{
			Listen: ":8080",
			App:    bridge.DefaultApp,
			Auth:   true,
			Limits: Limits{Viewers: 1024, PerAddress: 512},
		},
		MQTT: MQTT{
			BaseTopic:       "espcam",
			DiscoveryPrefix: "homeassistant",
			Embedded:        Embedded{Listen: ":1883"},
		},
		Ingest: Ingest{
			MaxFrameBytes: 256 << 10,
			MaxPixels:     2_100_000,
			MaxFPS:        15,
			IdleTimeout:   30 * time.Second,
		},
		Motion:  defaultMotion(),
		Events:  Events{Keep: 7 * 24 * time.Hour, MaxSize: 1 << 30},
		Plugins: Plugins{Dir: "espcam-plugins"},
		Log:     Log{Level: slog.LevelInfo, Format: "text"},
	}
}

// defaultMotion is bridge.DefaultMotion without what follows from its
// sensitivity.
func defaultMotion() bridge.MotionChange {
	m := bridge.MotionChange{}
	return m.Merge(bridge.DefaultMotion().Values())
}

// Address is where the embedded broker really listens: without users only on
// loopback, whatever Listen says.
func (e Embedded) Address() string {
	if len(e.Users) > 0 || loopback(e.Listen) {
		return e.Listen
	}
	_, port, _ := net.SplitHostPort(e.Listen)
	return net.JoinHostPort("127.0.0.1", port)
}

// loopback reports whether a listener on addr (host:port) can be reached from
// this machine only. A name other than localhost might resolve to anything.
func loopback(addr string) bool {
	host, _, _ := net.SplitHostPort(addr)
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}
