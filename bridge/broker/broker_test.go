package broker_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/mochi-mqtt/server/v2/packets"
	"go.uber.org/goleak"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/broker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs a broker until the test ends and returns it with its log.
func start(t *testing.T, cfg broker.Config) (*broker.Broker, *lines) {
	t.Helper()
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:0"
	}
	log := &lines{}
	b, err := broker.New(cfg, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	run(t, b)
	return b, log
}

func run(t *testing.T, b *broker.Broker) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(5 * time.Second):
			t.Error("Run did not end")
		}
	})
}

type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func options(b *broker.Broker, id, user, password string) *paho.ClientOptions {
	return paho.NewClientOptions().AddBroker(b.URL()).SetClientID(id).SetUsername(user).SetPassword(password).
		SetProtocolVersion(4).SetAutoReconnect(false).SetConnectTimeout(5 * time.Second)
}

func connect(t *testing.T, o *paho.ClientOptions) paho.Client {
	t.Helper()
	c := paho.NewClient(o)
	if tok := c.Connect(); !tok.WaitTimeout(5*time.Second) || tok.Error() != nil {
		t.Fatalf("connect: %v", tok.Error())
	}
	t.Cleanup(func() { c.Disconnect(250) })
	return c
}

func await(t *testing.T, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(10 * time.Second)
	for !cond() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s: not within 10 s", what)
		}
	}
}

// raw is a connection of which the test writes each packet itself.
type raw struct {
	net.Conn
	t *testing.T
}

func dial(t *testing.T, b *broker.Broker) raw {
	t.Helper()
	c, err := net.Dial("tcp", b.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	return raw{c, t}
}

func (r raw) connect(version byte, id, user, password string) {
	r.t.Helper()
	pk := packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Connect}, ProtocolVersion: version,
		Connect: packets.ConnectParams{
			ProtocolName: []byte("MQTT"), ClientIdentifier: id, Clean: true, Keepalive: 60,
			UsernameFlag: user != "", Username: []byte(user), PasswordFlag: password != "", Password: []byte(password),
		},
	}
	var buf bytes.Buffer
	if err := pk.ConnectEncode(&buf); err != nil {
		r.t.Fatal(err)
	}
	if _, err := r.Write(buf.Bytes()); err != nil {
		r.t.Fatal(err)
	}
}

// code reads a CONNACK and returns its reason code.
func (r raw) code() byte {
	r.t.Helper()
	head := make([]byte, 4)
	if _, err := io.ReadFull(r, head); err != nil {
		r.t.Fatalf("no CONNACK: %v", err)
	}
	if head[0] != packets.Connack<<4 {
		r.t.Fatalf("%x is no CONNACK", head)
	}
	return head[3]
}

func (r raw) subscribe(filter string) {
	r.t.Helper()
	pk := packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Subscribe, Qos: 1}, PacketID: 1,
		ProtocolVersion: 4, Filters: packets.Subscriptions{{Filter: filter}},
	}
	var buf bytes.Buffer
	if err := pk.SubscribeEncode(&buf); err != nil {
		r.t.Fatal(err)
	}
	if _, err := r.Write(buf.Bytes()); err != nil {
		r.t.Fatal(err)
	}
	if _, err := io.ReadFull(r, make([]byte, 5)); err != nil {
		r.t.Fatal(err)
	}
}

// closed waits until the broker closed the connection.
func (r raw) closed(within time.Duration) {
	r.t.Helper()
	_ = r.SetReadDeadline(time.Now().Add(within))
	if _, err := io.Copy(io.Discard, r); err != nil && !strings.Contains(err.Error(), "reset") {
		r.t.Errorf("still open after %v: %v", within, err)
	}
}

func TestAddresses(t *testing.T) {
	users := []broker.User{{Name: "ha", Password: "secret"}}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	tests := []struct {
		name, listen string
		users        []broker.User
		want         string // prefix of the address in use
		code         bridge.Code
		say          string
	}{
		{"everywhere, no users", ":0", nil, "127.0.0.1:", "", ""},
		{"zero address, no users", "0.0.0.0:0", nil, "127.0.0.1:", "", ""},
		{"localhost, no users", "localhost:0", nil, "127.0.0.1:", "", ""},
		{"loopback, no users", "127.0.0.1:0", nil, "127.0.0.1:", "", ""},
		{"everywhere, users", ":0", users, "[::]:", "", ""},
		{"reachable, no users", "192.0.2.1:0", nil, "", bridge.CodeInvalid, "add mqtt.embedded.users, or listen on 127.0.0.1:0"},
		{"no such address", "192.0.2.1:0", users, "", bridge.CodeInvalid, "cannot listen on 192.0.2.1:0"},
		{"no port", "1883", users, "", bridge.CodeInvalid, "must be host:port"},
		{"in use", taken.Addr().String(), nil, "", bridge.CodeBusy, "is in use by another program"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, err := broker.New(broker.Config{Listen: tt.listen, Users: tt.users}, slog.New(slog.DiscardHandler))
			if bridge.CodeOf(err) != tt.code || err != nil && !strings.Contains(err.Error(), tt.say) {
				t.Fatalf("New: %v (%s), want %s %q", err, bridge.CodeOf(err), tt.code, tt.say)
			}
			if err != nil {
				return
			}
			if !strings.HasPrefix(b.Addr(), tt.want) || strings.HasSuffix(b.Addr(), ":0") {
				t.Errorf("address %s, want %s", b.Addr(), tt.want)
			}
			if !strings.HasPrefix(b.URL(), "mqtt://127.0.0.1:") {
				t.Errorf("URL %s", b.URL())
			}
			if err := b.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	}
}

func TestUsers(t *testing.T) {
	b, log := start(t, broker.Config{Users: []broker.User{{Name: "ha", Password: "right"}, {Name: "empty"}}})
	name, secret := b.Credentials()
	tests := []struct {
		user, password string
		want           bool
	}{
		{"ha", "right", true},
		{"ha", "wrong", false},
		{"ha", "", false},
		{"", "", false},
		{"nobody", "right", false},
		{"nobody", "", false},
		{name, secret, true},
		{name, "", false},
		{strings.Repeat("x\n", 500), "right", false},
	}
	for _, version := range []byte{4, 5} {
		for i, tt := range tests {
			t.Run(fmt.Sprintf("%d/%d", version, i), func(t *testing.T) {
				c := dial(t, b)
				c.connect(version, fmt.Sprint("c", i), tt.user, tt.password)
				got := c.code()
				if tt.want != (got == 0) {
					t.Errorf("%q %q: code %d", tt.user, tt.password, got)
				}
				if !tt.want {
					c.closed(5 * time.Second)
				}
			})
		}
	}
	if n := strings.Count(log.String(), "refused: wrong user"); n != 1 {
		t.Errorf("%d lines about refusals, want 1:\n%s", n, log)
	}
	if strings.Contains(log.String(), secret) || strings.Contains(log.String(), "right") {
		t.Errorf("the log holds a password:\n%s", log)
	}
	if n := b.Counters().Refused; n != 14 {
		t.Errorf("%d refused, want 14", n)
	}
}

func TestRetainedStay(t *testing.T) {
	b, _ := start(t, broker.Config{})
	c := connect(t, options(b, "a", "", ""))
	for _, topic := range []string{"home/state", "home/other"} {
		if tok := c.Publish(topic, 1, true, "online"); !tok.WaitTimeout(5*time.Second) || tok.Error() != nil {
			t.Fatal(tok.Error())
		}
	}
	b.Age(40 * 24 * 60 * 60)
	// A message that expires shows that the server has looked for old ones.
	expiring := dial(t, b)
	expiring.connect(5, "v5", "", "")
	expiring.code()
	pk := packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Publish, Retain: true}, ProtocolVersion: 5,
		TopicName: "home/short", Payload: []byte("x"), Properties: packets.Properties{MessageExpiryInterval: 1},
	}
	var buf bytes.Buffer
	if err := pk.PublishEncode(&buf); err != nil {
		t.Fatal(err)
	}
	if _, err := expiring.Write(buf.Bytes()); err != nil {
		t.Fatal(err)
	}
	await(t, "the message is kept", func() bool { return b.Keeps("home/short") })
	await(t, "the message expires", func() bool { return !b.Keeps("home/short") })

	got := make(chan string, 10)
	o := options(b, "b", "", "").SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) { got <- m.Topic() })
	if tok := connect(t, o).Subscribe("home/#", 0, nil); !tok.WaitTimeout(5*time.Second) || tok.Error() != nil {
		t.Fatal(tok.Error())
	}
	for range 2 {
		select {
		case topic := <-got:
			if topic == "home/short" {
				t.Error("the expired message came")
			}
		case <-time.After(5 * time.Second):
			t.Fatal("a retained message is gone")
		}
	}
}

func TestNobodyMayPretendToBeTheBroker(t *testing.T) {
	b, _ := start(t, broker.Config{})
	c := connect(t, options(b, "a", "", ""))
	for _, topic := range []string{"$SYS/forged", "true"} {
		if tok := c.Publish(topic, 0, true, "x"); !tok.WaitTimeout(5*time.Second) || tok.Error() != nil {
			t.Fatal(tok.Error())
		}
	}
	await(t, "the second message is kept", func() bool { return b.Keeps("true") })
	if b.Keeps("$SYS/forged") {
		t.Error("the first one is kept too")
	}
}

func TestClientThatDoesNotSpeak(t *testing.T) {
	b, err := broker.New(broker.Config{Listen: "127.0.0.1:0"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	b.Hasten(50*time.Millisecond, 10*time.Second)
	run(t, b)
	c := dial(t, b)
	if _, err := c.Write([]byte{0x10, 40}); err != nil { // a CONNECT that never comes to its end
		t.Fatal(err)
	}
	c.closed(5 * time.Second)
}

func TestClientThatDoesNotRead(t *testing.T) {
	b, err := broker.New(broker.Config{Listen: "127.0.0.1:0"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	b.Hasten(10*time.Second, 100*time.Millisecond)
	run(t, b)
	stuck := dial(t, b)
	stuck.connect(4, "stuck", "", "")
	stuck.code()
	stuck.subscribe("image/#")

	seen := make(chan struct{}, 1000)
	o := options(b, "reader", "", "").SetDefaultPublishHandler(func(paho.Client, paho.Message) { seen <- struct{}{} })
	if tok := connect(t, o).Subscribe("image/#", 0, nil); !tok.WaitTimeout(5 * time.Second) {
		t.Fatal("subscribe")
	}
	writer := connect(t, options(b, "writer", "", ""))
	picture := make([]byte, 200<<10)
	for i := range 100 {
		if tok := writer.Publish("image/porch", 0, false, picture); !tok.WaitTimeout(5*time.Second) || tok.Error() != nil {
			t.Fatalf("picture %d: %v", i, tok.Error())
		}
		select {
		case <-seen:
		case <-time.After(5 * time.Second):
			t.Fatalf("the reader waits for picture %d because of a client that does not read", i)
		}
	}
	await(t, "the stuck client is dropped", func() bool { return b.Counters().Clients == 2 })
}

func TestPacketTooLarge(t *testing.T) {
	b, _ := start(t, broker.Config{MaxPacket: 10_000})
	c := dial(t, b)
	c.connect(4, "big", "", "")
	c.code()
	if _, err := c.Write([]byte{0x30, 0xff, 0xff, 0xff, 0x7f}); err != nil { // claims 256 MB
		t.Fatal(err)
	}
	c.closed(5 * time.Second)
	ok := connect(t, options(b, "small", "", ""))
	if tok := ok.Publish("a", 1, false, make([]byte, 9000)); !tok.WaitTimeout(5*time.Second) || tok.Error() != nil {
		t.Errorf("a smaller one: %v", tok.Error())
	}
}

func TestTooManyClients(t *testing.T) {
	b, _ := start(t, broker.Config{MaxClients: 2})
	dial(t, b).connect(4, "a", "", "")
	second := dial(t, b)
	second.connect(4, "b", "", "")
	second.code()
	third := dial(t, b)
	third.closed(5 * time.Second)
	if b.Counters().Refused != 1 {
		t.Errorf("%d refused, want 1", b.Counters().Refused)
	}
	second.Close()
	await(t, "the place is free again", func() bool { return b.Counters().Clients == 1 })
	connect(t, options(b, "c", "", ""))
}

// TestCloseWithClients has one that reads nothing, one that has not said who it
// is, and one that behaves.
func TestCloseWithClients(t *testing.T) {
	b, err := broker.New(broker.Config{Listen: "127.0.0.1:0"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()

	dial(t, b)
	stuck := dial(t, b)
	stuck.connect(4, "stuck", "", "")
	stuck.code()
	stuck.subscribe("#")
	lost := make(chan error, 1)
	good := connect(t, options(b, "good", "", "").SetConnectionLostHandler(func(_ paho.Client, err error) { lost <- err }))
	for range 50 {
		good.Publish("image", 0, false, make([]byte, 200<<10)).WaitTimeout(5 * time.Second)
	}
	start := time.Now()
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
	if d := time.Since(start); d > 3*time.Second {
		t.Errorf("closing took %v", d)
	}
	if err := <-lost; err == nil {
		t.Error("the client did not notice")
	}
	if _, err := net.Dial("tcp", b.Addr()); err == nil {
		t.Error("the port is still open")
	}
	if err := b.Close(); err != nil {
		t.Errorf("Close again: %v", err)
	}
}

// TestCloseWhileClientsLeave: the server's own goodbye could wait for ever for a
// client that left at that moment.
func TestCloseWhileClientsLeave(t *testing.T) {
	for range 20 {
		b, err := broker.New(broker.Config{Listen: "127.0.0.1:0"}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- b.Run(ctx) }()
		var clients []raw
		for i := range 40 {
			r := dial(t, b)
			r.connect(4, fmt.Sprint("client-", i), "", "")
			r.code()
			clients = append(clients, r)
		}
		var leaving sync.WaitGroup
		for _, r := range clients {
			leaving.Go(func() { r.Close() })
		}
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("the broker did not stop")
		}
		leaving.Wait()
	}
}

func TestWarningsOfTheServer(t *testing.T) {
	b, log := start(t, broker.Config{})
	for i := range 3 {
		c := dial(t, b)
		c.connect(4, fmt.Sprint("bad", i), "", "")
		c.code()
		// A SUBSCRIBE without packet id is against the protocol.
		if _, err := c.Write([]byte{0x82, 6, 0, 0, 0, 1, 'a', 0}); err != nil {
			t.Fatal(err)
		}
		c.closed(5 * time.Second)
	}
	if n := strings.Count(log.String(), "\n"); n != 1 || strings.Contains(log.String(), "pk=") {
		t.Errorf("want one short line, got:\n%s", log)
	}
}

func TestRunEndsWhenTheListenerBreaks(t *testing.T) {
	b, err := broker.New(broker.Config{Listen: "127.0.0.1:0"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	b.Break()
	err = b.Run(t.Context())
	if bridge.CodeOf(err) != bridge.CodeUnavailable || !strings.Contains(err.Error(), b.Addr()) {
		t.Errorf("Run: %v", err)
	}
}

// TestNoDescriptorsLeft: a connection that cannot be taken is said once, and the
// next one is.
func TestNoDescriptorsLeft(t *testing.T) {
	log := &lines{}
	b, err := broker.New(broker.Config{Listen: "127.0.0.1:0"}, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	b.FailAccepts(syscall.EMFILE, syscall.ECONNABORTED, syscall.ENFILE)
	run(t, b)
	connect(t, options(b, "patient", "", ""))
	if n := strings.Count(log.String(), "cannot take a connection"); n != 1 || !strings.Contains(log.String(), "too many open files") {
		t.Errorf("want one line about it, got:\n%s", log)
	}
}

// TestPacketIDs: the ids of a client's packets and of the broker's are two
// spaces, though the server keeps them in one. Home Assistant subscribes while it
// is given retained messages, so the same id on both sides is an everyday thing.
func TestPacketIDs(t *testing.T) {
	b, _ := start(t, broker.Config{})
	c := dial(t, b)
	c.connect(4, "ha", "", "")
	c.code()
	send := func(pk packets.Packet, encode func(*packets.Packet, *bytes.Buffer) error) {
		t.Helper()
		pk.ProtocolVersion = 4
		var buf bytes.Buffer
		if err := encode(&pk, &buf); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write(buf.Bytes()); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(want ...byte) {
		t.Helper()
		got := make([]byte, len(want))
		if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("got %x (%v), want %x", got, err, want)
		}
	}
	subscribe := func(id uint16, filter string) {
		t.Helper()
		send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Subscribe, Qos: 1}, PacketID: id,
			Filters: packets.Subscriptions{{Filter: filter, Qos: 1}}}, (*packets.Packet).SubscribeEncode)
		expect(packets.Suback<<4, 3, 0, byte(id), 1)
	}
	subscribe(1, "a")
	other := connect(t, options(b, "other", "", ""))
	for id := byte(1); id <= 3; id++ {
		other.Publish("a", 1, false, "x").WaitTimeout(5 * time.Second)
		expect(0x32, 6, 0, 1, 'a', 0, id, 'x') // never acknowledged
	}
	subscribe(1, "b")
	send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Unsubscribe, Qos: 1}, PacketID: 2,
		Filters: packets.Subscriptions{{Filter: "b"}}}, (*packets.Packet).UnsubscribeEncode)
	expect(packets.Unsuback<<4, 2, 0, 2)
	other.Publish("b", 1, false, "x").WaitTimeout(5 * time.Second) // must not come
	send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: 1}, PacketID: 3,
		TopicName: "c", Payload: []byte("y")}, (*packets.Packet).PublishEncode)
	expect(packets.Puback<<4, 2, 0, 3)
}

// TestRetainWhileSubscribing is for the race detector: the server reads its
// retained messages without a lock.
func TestRetainWhileSubscribing(t *testing.T) {
	b, _ := start(t, broker.Config{})
	writer := connect(t, options(b, "writer", "", ""))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 300 {
			text := "x"
			if i%2 == 1 {
				text = ""
			}
			writer.Publish(fmt.Sprint("a/", i%6/2), 1, true, text).WaitTimeout(5 * time.Second)
		}
	}()
	reader := connect(t, options(b, "reader", "", ""))
	for range 100 {
		if tok := reader.SubscribeMultiple(map[string]byte{"a/+": 1, "#": 1, "a/1": 1}, nil); !tok.WaitTimeout(5*time.Second) || tok.Error() != nil {
			t.Fatal(tok.Error())
		}
	}
	<-done
}

// TestWills: a will is retained, also one that a client of MQTT 5 wants delayed,
// and the broker goes on.
func TestWills(t *testing.T) {
	b, _ := start(t, broker.Config{})
	for i, version := range []byte{4, 5} {
		c := dial(t, b)
		topic := fmt.Sprint("will/", version)
		pk := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Connect}, ProtocolVersion: version,
			Properties: packets.Properties{SessionExpiryInterval: 60, SessionExpiryIntervalFlag: version == 5},
			Connect: packets.ConnectParams{ProtocolName: []byte("MQTT"), ClientIdentifier: fmt.Sprint("w", i), Clean: true, Keepalive: 60,
				WillFlag: true, WillRetain: true, WillTopic: topic, WillPayload: []byte("offline"), WillProperties: packets.Properties{WillDelayInterval: 30}}}
		var buf bytes.Buffer
		if err := pk.ConnectEncode(&buf); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write(buf.Bytes()); err != nil {
			t.Fatal(err)
		}
		c.code()
		c.Close()
		await(t, "the will is kept", func() bool { return b.Keeps(topic) })
	}
	ok := connect(t, options(b, "after", "", ""))
	if tok := ok.Publish("a", 1, true, "x"); !tok.WaitTimeout(5*time.Second) || tok.Error() != nil {
		t.Errorf("publish after: %v", tok.Error())
	}
}

// TestTakeOver: a client comes back while the broker still has its old
// connection, as after every cut of a cable. The end of the old one must not take
// the new one's place away.
func TestTakeOver(t *testing.T) {
	b, _ := start(t, broker.Config{})
	writer := connect(t, options(b, "writer", "", ""))
	for i := range 60 {
		c := dial(t, b)
		c.connect(byte(4+i%2), "ha", "", "")
		if code := c.code(); code != 0 {
			t.Fatal(code)
		}
		if i%2 == 1 {
			if _, err := io.ReadFull(c, make([]byte, 4)); err != nil { // properties of MQTT 5's CONNACK
				t.Fatal(err)
			}
		}
		if i%3 == 0 { // its last word and its return may cross
			if _, err := c.Write([]byte{packets.Disconnect << 4, 0}); err != nil {
				t.Fatal(err)
			}
			continue
		}
		pk := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Subscribe, Qos: 1}, PacketID: 1, ProtocolVersion: byte(4 + i%2)}
		for n := range 200 {
			pk.Filters = append(pk.Filters, packets.Subscription{Filter: fmt.Sprint("topic/", n)})
		}
		var buf bytes.Buffer
		if err := pk.SubscribeEncode(&buf); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write(buf.Bytes()); err != nil {
			t.Fatal(err)
		}
		suback := 205 + i%2
		if _, err := io.ReadFull(c, make([]byte, suback)); err != nil {
			t.Fatal(err)
		}
		writer.Publish("topic/7", 0, false, "x").WaitTimeout(5 * time.Second)
		_ = c.SetReadDeadline(time.Now().Add(3 * time.Second))
		if _, err := c.Read(make([]byte, 1)); err != nil {
			t.Fatalf("connection %d is deaf: %v", i, err)
		}
	}
}
