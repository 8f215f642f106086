package mqtt

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"sync"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

const (
	keepAlive = 30 * time.Second
	// writeTimeout is how long one message may take into a stalled connection.
	writeTimeout = 5 * time.Second
	// ackTimeout is how long the broker may take to acknowledge a message.
	ackTimeout = 20 * time.Second
	// window is how many messages may wait for their acknowledgement.
	window = 64
	// goodbyeTimeout is how long the last message may take.
	goodbyeTimeout = 2 * time.Second
)

// session is one connection to the broker, from dialling to its end. Each has a
// paho client of its own: paho's reconnecting client would send what it stored
// before the interruption after it, says nothing of why an attempt failed, and
// retries without jitter. With one client per connection there is no store to
// replay and a clean session is really clean.
type session struct {
	client *Client // only what is fixed after New, its outbox and counts
	probe  bool
	in     *inbox

	ctx    context.Context // ends a connection attempt, and the socket with it
	cancel context.CancelFunc
	paho   paho.Client
	gone   chan struct{} // closed when the connection is over
	once   sync.Once
	why    error // set before gone is closed
	deaf   bool  // the broker does not let us hear ourselves
	denied []string
	lossy  bool // the broker gives less than the QoS that we want
}

func (c *Client) newSession(ctx context.Context) *session {
	s := &session{client: c, probe: c.probing, gone: make(chan struct{}), in: newInbox(&c.counts.ignored)}
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx)) // goodbye comes after ctx ended
	s.paho = paho.NewClient(s.options())
	return s
}

func (s *session) options() *paho.ClientOptions {
	c := s.client
	id := c.clientID()
	o := paho.NewClientOptions().
		AddBroker(c.cfg.Broker).
		SetUsername(c.cfg.Username).
		SetPassword(c.cfg.Password).
		SetTLSConfig(c.cfg.TLS).
		SetProtocolVersion(4). // or a wrong password is tried twice
		SetCleanSession(true). // commands sent while we were away must not run later
		SetAutoReconnect(false).
		SetConnectRetry(false).
		SetConnectTimeout(c.cfg.ConnectTimeout).
		SetWriteTimeout(writeTimeout).
		SetKeepAlive(keepAlive).
		SetPingTimeout(10 * time.Second).
		// Handlers run one after the other, or commands change their order. Ours
		// never waits.
		SetOrderMatters(true).
		SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) { s.receive(m) }).
		SetConnectionLostHandler(func(_ paho.Client, err error) { s.end(err) }).
		SetCustomOpenConnectionFn(func(*url.URL, paho.ClientOptions) (net.Conn, error) { return s.dial() })
	if s.probe {
		return o.SetClientID(id + "-" + c.self.Run) // and no will: it may not disturb whoever is there
	}
	return o.SetClientID(id).SetWill(c.topics.bridge("state"), "offline", 1, true)
}

// dial opens the socket, which ends with s.ctx whatever happens.
func (s *session) dial() (net.Conn, error) {
	cfg := s.client.cfg
	u, err := brokerURL(cfg.Broker)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(s.ctx, cfg.ConnectTimeout)
	defer cancel()
	var conn net.Conn
	switch u.Scheme {
	case "ws", "wss":
		conn, err = paho.NewWebsocket(u.String(), cfg.TLS, cfg.ConnectTimeout, nil, nil)
	case "mqtts":
		conn, err = (&tls.Dialer{Config: cfg.TLS}).DialContext(ctx, "tcp", u.Host)
	default:
		conn, err = new(net.Dialer).DialContext(ctx, "tcp", u.Host)
	}
	if err == nil {
		context.AfterFunc(s.ctx, func() { conn.Close() })
	}
	return conn, err
}

// connect opens the connection. Its error is a sentence.
func (s *session) connect() error {
	t := s.paho.Connect()
	select {
	case <-t.Done(): // at the latest by the connect timeout
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
	if err := t.Error(); err != nil {
		return s.explain(err)
	}
	return nil
}

// subscribe asks for topics and notes those that the broker refuses.
func (s *session) subscribe(qos byte, filters ...string) error {
	want := map[string]byte{}
	for _, f := range filters {
		want[f] = qos
	}
	t := s.paho.SubscribeMultiple(want, nil)
	if err := s.wait(t); err != nil {
		return err
	}
	for f, granted := range t.(*paho.SubscribeToken).Result() {
		switch {
		case granted > 2:
			s.denied = append(s.denied, f)
		case granted < qos:
			s.lossy = true
		}
	}
	return nil
}

// wait waits for the broker's answer.
func (s *session) wait(t paho.Token) error {
	timer := time.NewTimer(s.client.ackTime)
	defer timer.Stop()
	select {
	case <-t.Done():
		return t.Error()
	case <-s.gone:
		return s.why
	case <-s.ctx.Done():
		return s.ctx.Err()
	case <-timer.C:
		return bridge.Errorf(bridge.CodeUnavailable, "the MQTT broker at %s takes messages but does not acknowledge them", s.client.cfg.Broker)
	}
}

// receive is called by paho for every message, on the goroutine that reads the
// connection.
func (s *session) receive(m paho.Message) {
	if !s.client.concerns(m.Topic(), m.Payload(), m.Retained()) {
		return
	}
	s.in.add(m.Topic(), m.Payload(), m.Retained())
}

// end marks the connection as over.
func (s *session) end(why error) {
	s.once.Do(func() {
		s.why = why
		close(s.gone)
	})
}

// close ends the connection politely, if it is still there: the broker drops the
// will.
func (s *session) close() {
	s.paho.Disconnect(uint(250))
	s.end(errors.New("closed"))
	s.cancel()
}

// pump hands messages to paho until the connection is over: a few at a time, so
// that a round trip per message does not limit an announcement, and paho never
// holds more than a window of them.
func (s *session) pump() {
	sent := make(chan outgoing, window)
	s.client.wg.Go(func() { s.acknowledge(sent) })
	defer close(sent)
	for {
		m, ok := s.client.out.next()
		if !ok {
			select {
			case <-s.client.out.wake:
				continue
			case <-s.gone:
				return
			}
		}
		select {
		case sent <- outgoing{s.paho.Publish(m.topic, m.qos, m.retain, m.payload), m}:
		case <-s.gone:
			s.client.counts.failed.Add(1)
			return
		}
	}
}

type outgoing struct {
	token paho.Token
	message
}

// acknowledge counts what the broker took. A message that is lost ends the
// session: the next announcement makes up for it.
func (s *session) acknowledge(sent <-chan outgoing) {
	for o := range sent {
		if err := s.wait(o.token); err != nil {
			s.client.counts.failed.Add(1)
			s.end(err)
			continue
		}
		s.client.counts.published.Add(1)
		if o.taken != nil {
			o.taken()
		}
	}
}

// explain turns an error of connecting into a sentence that says what to do.
func (s *session) explain(err error) error {
	where, user := s.client.cfg.Broker, s.client.cfg.Username
	var op *net.OpError
	var tlsErr *tls.CertificateVerificationError
	switch {
	case errors.Is(err, packets.ErrorRefusedBadUsernameOrPassword), errors.Is(err, packets.ErrorRefusedNotAuthorised):
		if user == "" {
			return bridge.Errorf(bridge.CodeDenied, "the MQTT broker at %s wants a user name and a password: set mqtt.username and mqtt.password", where)
		}
		return bridge.Errorf(bridge.CodeDenied, "the MQTT broker at %s refuses user %q: check mqtt.username and mqtt.password", where, user)
	case errors.Is(err, packets.ErrorRefusedServerUnavailable), errors.Is(err, packets.ErrorRefusedIDRejected):
		return bridge.Errorf(bridge.CodeUnavailable, "the MQTT broker at %s refuses the connection: %w", where, err)
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return bridge.Errorf(bridge.CodeUnavailable, "the MQTT broker at %s does not answer", where)
	case errors.Is(err, io.EOF):
		return bridge.Errorf(bridge.CodeUnavailable, "the MQTT broker at %s closes the connection at once: is it an MQTT broker, and TLS where mqtt.broker says so?", where)
	case errors.As(err, &tlsErr):
		return bridge.Errorf(bridge.CodeUnavailable, "the certificate of the MQTT broker at %s is not trusted: %w", where, tlsErr.Err)
	case errors.As(err, &op):
		err = op.Err // without the local port, so that the same failure reads the same
	}
	return bridge.Errorf(bridge.CodeUnavailable, "cannot reach the MQTT broker at %s: %w", where, err)
}

// lostError is the sentence for a connection that ended.
func (s *session) lostError() string {
	err := s.why
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	return fmt.Sprintf("the connection to the MQTT broker at %s was lost: %v", s.client.cfg.Broker, err)
}
