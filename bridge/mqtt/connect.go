package mqtt

import (
	"strings"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

const (
	// firstRetry and lastRetry bound the time between two attempts to connect. A
	// broker that was away is found again soon; one that refuses us is not asked
	// more often than up to refusedRetry: that needs a person.
	firstRetry   = time.Second
	lastRetry    = 5 * time.Second
	refusedRetry = 30 * time.Second
	// steady is how long a connection must hold before the next attempt counts
	// as the first again.
	steady = 30 * time.Second
	// birthJitter spreads the announcements of several bridges after Home
	// Assistant's start.
	birthJitter = 3 * time.Second
	// returnTime is how long after a connection Home Assistant should be back too,
	// if it does not say so itself.
	returnTime = 30 * time.Second
)

// connect begins an attempt; its end arrives in c.opened.
func (c *Client) connect() {
	ctx, s := c.ctx, c.newSession(c.ctx)
	trust, announced := c.cleared, c.announced
	c.session, c.cleared = s, false
	c.wg.Go(func() {
		o := s.open(ctx, trust, announced)
		select {
		case c.opened <- o:
		case <-ctx.Done():
			s.close()
		}
	})
}

func (c *Client) onOpened(o opening) {
	switch s := o.session; {
	case o.err != nil:
		c.drop()
		c.trouble(o.err.Error())
		c.retry(c.backoff(o.err))
	case s.probe && o.rival != nil:
		c.drop()
		c.blocked(*o.rival)
		c.retry(standby)
	case s.probe:
		c.drop()
		c.probing, c.cleared = false, true
		c.connect()
	case o.rival != nil:
		c.drop()
		c.probing = true
		c.connect()
	default:
		c.begin(s)
	}
}

// begin announces everything over a connection that is ours alone.
func (c *Client) begin(s *session) {
	c.ended = map[string]int{}
	c.live, c.announced, c.liveSince = true, true, c.deps.Clock.Now()
	c.out.reset(true)
	c.wg.Go(s.pump)
	problem := ""
	switch {
	case len(s.denied) > 0:
		problem = s.deniedWords()
	case s.lossy:
		problem = "the MQTT broker grants a lower QoS than 1: commands may be lost, check its limits"
	case s.deaf:
		problem = "the MQTT broker does not deliver " + c.topics.bridge("claim") + " to its sender: check its access list"
	}
	c.status.set(c.deps.Clock.Now(), true, problem)
	c.log.Info("MQTT connected", "broker", c.cfg.Broker, "client", c.clientID())
	if problem != "" {
		c.log.Limited("problem", problem)
	}
	c.resume()
	c.announce()
	c.agenda.in(sweepDelay, "sweep", c.sweep)
	c.agenda.in(returnTime, "missed", c.withdrawMissed)
}

func (c *Client) onLost() {
	why := c.session.lostError()
	if c.deps.Clock.Now().Sub(c.liveSince) >= steady {
		c.attempts = 0
	}
	err := c.session.why
	c.drop()
	c.trouble(why)
	c.retry(c.backoff(err))
}

// drop ends the session, whatever state it is in.
func (c *Client) drop() {
	c.live, c.sweeping = false, false
	c.out.reset(false)
	c.session.close()
	c.session = nil
}

// trouble tells why there is no connection, and logs it unless it was the last
// thing said.
func (c *Client) trouble(why string) {
	said := c.status.get().LastError
	c.status.set(c.deps.Clock.Now(), false, why)
	if why != said {
		c.log.Warn(why)
	}
}

func (c *Client) retry(d time.Duration) { c.agenda.in(d, "connect", c.connect) }

// backoff is the time until the next attempt: longer each time, and with enough
// chance in it that many bridges do not come back in the same moment.
func (c *Client) backoff(err error) time.Duration {
	last := lastRetry
	if bridge.CodeOf(err) == bridge.CodeDenied {
		last = refusedRetry
	}
	spread := min(time.Second<<min(c.attempts, 5), last-firstRetry)
	c.attempts++
	return firstRetry + time.Duration(c.random()*float64(spread))
}

// goodbye says offline before the connection ends: the broker does not send the
// will of a client that disconnects.
func (c *Client) goodbye() {
	if !c.live {
		return
	}
	for _, e := range c.entries {
		c.finish(e, c.deps.Clock.Now())
	}
	c.tellAll("")
	said := make(chan struct{})
	c.out.last(message{topic: c.topics.bridge("state"), payload: []byte("offline"), qos: 1, retain: true, taken: func() { close(said) }})
	timeout := time.NewTimer(goodbyeTimeout)
	defer timeout.Stop()
	select {
	case <-said:
	case <-c.session.gone:
	case <-timeout.C:
	}
	c.session.close()
	c.status.set(c.deps.Clock.Now(), false, "")
}

// onMessage sorts what arrives.
func (c *Client) onMessage(m incoming) {
	switch {
	case !c.live: // an earlier message of the same batch ended the session
	case m.topic == c.topics.bridge("claim"):
		c.onClaim(m)
	case m.topic == c.topics.bridge("info"):
		c.onInfo(m)
	case m.topic == c.topics.bridge("state"):
		c.onState(m)
	case m.topic == c.cfg.BirthTopic:
		c.onBirth(m)
	case c.topics.discovery != "" && strings.HasPrefix(m.topic, c.topics.discovery+"/device/"):
		c.onDocument(m)
	case c.isPluginState(m.topic):
		c.onLeftover(m)
	case strings.HasPrefix(m.topic, c.topics.bridge("request/")):
		c.onRequest(m)
	default:
		c.onCommand(m)
	}
}

// onBirth announces everything again some moments after Home Assistant started:
// it has forgotten what is not retained, and perhaps the broker lost what was. A
// retained birth message is old: we have just announced.
func (c *Client) onBirth(m incoming) {
	if string(m.payload) == c.cfg.BirthPayload && !m.retained {
		c.agenda.soon(time.Duration(c.random()*float64(birthJitter)), "announce", func() {
			c.announce()
			c.agenda.in(0, "pictures", c.pictures) // it says so when it is subscribed to everything
			c.withdrawMissed()
			c.agenda.in(pictureDelay, "late", func() { c.tellAll("") })
		})
	}
}
