// Package broker is the MQTT broker in the program, for homes that have none:
// MQTT 3.1.1 and 5, so that Home Assistant can connect to it (it speaks only 5
// from 2027 on).
//
// App makes it when no other broker is configured, and package mqtt connects to
// it over TCP like to any other. Without users it listens on loopback only and
// takes everybody; with users everybody must show a name and a password, and may
// then do everything.
//
// Nobody can make it grow or wait: packets, connections, sessions, retained
// messages and the queue of each client are bounded, a client that does not read
// is dropped after 10 s, one that does not speak after it connected too. Retained
// messages live as long as the program; the bridge publishes its own again.
package broker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"syscall"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// Config is what the broker is built from. Zero counts take the defaults named
// beside them.
type Config struct {
	Listen     string // host:port; port 0 picks one
	Users      []User // none: loopback only
	MaxClients int    // connections at once; 256
	MaxPacket  int    // bytes of one packet; 2 MiB and a little, a picture's own limit
}

// User may connect.
type User struct {
	Name     string
	Password string
}

const (
	defaultClients = 256
	defaultPacket  = 2<<20 + 64<<10

	// maxRetained is how many retained messages are kept; a camera has about 25.
	maxRetained = 1 << 16
	// queue is how many messages may wait for one client; further ones are
	// dropped and counted.
	queue = 8192
	// inflight is how many messages may wait for one client's acknowledgement.
	inflight = 32768
	// sessionSeconds is how long a client that asked for it is remembered.
	sessionSeconds = 2 * 60 * 60
	// sysSeconds is how often $SYS topics change, which nobody may read: each time
	// stops the world for a moment.
	sysSeconds = 60 * 60
)

// Broker is an open broker. Its methods may be called from any goroutine.
type Broker struct {
	server   *mochi.Server
	listener *listener
	access   *access
	close    sync.Once
}

// New opens the port, so that clients may knock; they are answered once Run
// runs. Its errors are *bridge.Error: CodeBusy for a port in use, CodeInvalid
// for an address that cannot be.
func New(cfg Config, log *slog.Logger) (*Broker, error) {
	if cfg.MaxClients == 0 {
		cfg.MaxClients = defaultClients
	}
	if cfg.MaxPacket == 0 {
		cfg.MaxPacket = defaultPacket
	}
	addr, err := address(cfg)
	if err != nil {
		return nil, err
	}
	if addr != cfg.Listen {
		log.Info("the embedded MQTT broker has no users, so it listens on loopback only: add mqtt.embedded.users to let others in", "address", addr)
	}
	b := &Broker{access: newAccess(cfg.Users, log), server: mochi.New(options(cfg, log))}
	if b.listener, err = listen(addr, cfg.MaxClients, log); err != nil {
		return nil, err
	}
	if err := b.assemble(); err != nil {
		return nil, errors.Join(err, b.listener.tcp.Close())
	}
	return b, nil
}

func (b *Broker) assemble() error {
	for _, h := range []mochi.Hook{b.access, &repair{retained: b.server.Topics.Retained.Len, listener: b.listener}} {
		if err := b.server.AddHook(h, nil); err != nil {
			return err
		}
	}
	b.listener.goodbye = b.goodbye
	return b.server.AddListener(b.listener)
}

// goodbye tells the clients that the broker stops, and hangs up.
func (b *Broker) goodbye() {
	for _, cl := range b.server.Clients.GetAll() {
		if cl.Net.Listener == b.listener.ID() && !cl.Closed() {
			_ = b.server.DisconnectClient(cl, packets.ErrServerShuttingDown) // one who left needs no goodbye
		}
	}
}

func options(cfg Config, log *slog.Logger) *mochi.Options {
	c := mochi.NewDefaultServerCapabilities()
	c.MaximumClients = int64(cfg.MaxClients)
	c.MaximumPacketSize = uint32(cfg.MaxPacket)
	c.MaximumClientWritesPending = queue
	c.MaximumInflight = inflight
	c.MaximumSessionExpiryInterval = sessionSeconds
	// Zero is "never": the default ends every retained message after a day, and
	// with it every entity.
	c.MaximumMessageExpiryInterval = 0
	return &mochi.Options{Capabilities: c, SysTopicResendInterval: sysSeconds, Logger: slog.New(quiet(log.Handler()))}
}

// address is where to listen: loopback if there are no users.
func address(cfg Config) (string, error) {
	host, port, err := net.SplitHostPort(cfg.Listen)
	if err != nil {
		return "", bridge.Errorf(bridge.CodeInvalid, "mqtt.embedded.listen %q must be host:port, such as :1883", cfg.Listen)
	}
	if len(cfg.Users) > 0 || host == "localhost" {
		return cfg.Listen, nil
	}
	ip, err := netip.ParseAddr(host)
	switch {
	case host == "", err == nil && ip.IsUnspecified():
		return net.JoinHostPort("127.0.0.1", port), nil
	case err == nil && ip.IsLoopback():
		return cfg.Listen, nil
	}
	return "", bridge.Errorf(bridge.CodeInvalid, "mqtt.embedded.listen is %s, which others can reach: add mqtt.embedded.users, or listen on 127.0.0.1:%s", cfg.Listen, port)
}

func openError(addr string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return bridge.Errorf(bridge.CodeBusy, "MQTT port %s is in use by another program (another broker?): choose another with mqtt.embedded.listen, or name that broker in mqtt.broker", addr)
	case errors.Is(err, syscall.EACCES):
		return bridge.Errorf(bridge.CodeDenied, "MQTT port %s needs rights that espcam-bridge does not have: choose one above 1023 with mqtt.embedded.listen", addr)
	}
	return bridge.Errorf(bridge.CodeInvalid, "MQTT cannot listen on %s: %w; see mqtt.embedded.listen", addr, err)
}

// Run serves until ctx ends or the listener breaks, then closes all connections
// and waits for them.
func (b *Broker) Run(ctx context.Context) error {
	if err := b.server.Serve(); err != nil {
		return fmt.Errorf("broker: %w", err)
	}
	defer b.Close()
	select {
	case <-ctx.Done():
		return nil
	case err := <-b.listener.broken:
		return bridge.Errorf(bridge.CodeUnavailable, "MQTT broker on %s: %w", b.Addr(), err)
	}
}

// Close ends all connections and waits for them. It is for a broker whose Run
// never ran; Run calls it by itself.
func (b *Broker) Close() error {
	var err error
	b.close.Do(func() { err = b.server.Close() })
	return err
}

// Addr is the address in use, such as 127.0.0.1:1883.
func (b *Broker) Addr() string { return b.listener.Address() }

// URL is where a client in this program connects.
func (b *Broker) URL() string {
	host, port, _ := net.SplitHostPort(b.Addr())
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "mqtt://" + net.JoinHostPort(host, port)
}

// Credentials are for the client in this program; they are made anew at each
// start and hold only from this machine.
func (b *Broker) Credentials() (username, password string) {
	return internalUser, b.access.internal
}

// Counters are what /metrics shows.
type Counters struct {
	Clients  int64 // connected now
	Retained int64 // messages kept now
	Dropped  int64 // messages that a slow client lost
	Refused  int64 // connections with a wrong name or password, or beyond MaxClients
}

// Counters returns the current figures.
func (b *Broker) Counters() Counters {
	info := b.server.Info.Clone()
	return Counters{
		Clients: info.ClientsConnected, Retained: int64(b.server.Topics.Retained.Len()),
		Dropped: info.MessagesDropped + info.InflightDropped,
		Refused: b.access.refused.Load() + b.listener.refused.Load(),
	}
}

func newSecret() string { return rand.Text() }
