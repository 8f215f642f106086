package mqtt

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// Two bridges with one base topic would overwrite each other's entities and sweep
// each other's cameras away, so each looks before it publishes:
//
//   - Retained <base>/bridge/info says who announced last (instance = state
//     directory, run = process), <base>/bridge/state whether it is there. Another
//     instance that is "online" is only a suspicion: after a kill -9 or a power cut
//     of its machine and the broker's, "online" stays for ever.
//   - A suspicion is settled by asking: on <base>/bridge/claim, from a connection
//     with a client id of its own and without a will, and whoever is announced there
//     answers. No answer within 5 s: the place is free. So nobody is locked out by
//     what a dead bridge left behind, and a bridge that restarts finds its own
//     instance there and does not even ask.
//   - A copied state directory means one client id for two, and the broker then ends
//     the older connection. Whoever announced itself and then finds an earlier run of
//     its own instance there suspects that; the earlier one just comes back.
//   - Two that start in the same moment see each other's info or answer while they
//     are running: the one that started first stays and announces itself again.
//
// A bridge that stays off says so, asks again every 30 s, and takes the place when
// nobody answers any more.
const (
	// echoTimeout is how long a broker may take to give us back our own message,
	// behind which all retained ones have come.
	echoTimeout = 2 * time.Second
	// answerTime is how long a probe waits for a rival to answer.
	answerTime = 5 * time.Second
	// askAgain is the time between a probe's questions.
	askAgain = time.Second
	// standby is the time between two probes.
	standby = 30 * time.Second
)

// opening is how an attempt to open a session ended.
type opening struct {
	session *session
	rival   *claim // somebody else is there, or may be
	err     error
}

// open connects, looks for a rival, and subscribes. trust skips the look.
func (s *session) open(ctx context.Context, trust, announced bool) opening {
	stop := context.AfterFunc(ctx, s.cancel)
	defer stop()
	c := s.client
	if err := s.connect(); err != nil {
		return opening{s, nil, err}
	}
	if err := s.subscribe(1, c.topics.bridge("info"), c.topics.bridge("state"), c.topics.bridge("claim")); err != nil {
		return opening{s, nil, err}
	}
	if s.probe {
		rival, err := s.ask()
		return opening{s, rival, err}
	}
	info, state, err := s.look()
	if err != nil {
		return opening{s, nil, err}
	}
	if !trust && c.suspicious(info, state, announced) {
		return opening{s, &info, nil}
	}
	filters := []string{c.topics.base + "/+/set", c.topics.base + "/+/+/set", c.topics.bridge("request/+")}
	if c.topics.discovery != "" {
		filters = append(filters, c.topics.document("+"))
	}
	if c.cfg.BirthTopic != "" {
		filters = append(filters, c.cfg.BirthTopic)
	}
	return opening{s, nil, s.subscribe(1, filters...)}
}

// suspicious reports whether info may be another program that is running.
func (c *Client) suspicious(info claim, state string, announced bool) bool {
	switch {
	case info.Run == "" || info.Run == c.self.Run:
		return false
	case info.Instance == c.self.Instance:
		// Before our first announcement it is our own last run.
		return announced && info.Run < c.self.Run
	}
	return state == "online"
}

// look returns the retained info and state. It waits for the echo of a message
// of our own: the broker sends retained ones before it.
func (s *session) look() (info claim, state string, err error) {
	if err := s.wait(s.say(true)); err != nil {
		return info, "", err
	}
	timeout := time.NewTimer(echoTimeout)
	defer timeout.Stop()
	for {
		for _, m := range s.in.take() {
			switch m.topic {
			case s.client.topics.bridge("info"):
				_ = json.Unmarshal(m.payload, &info) // what is no info is nobody's
			case s.client.topics.bridge("state"):
				state = string(m.payload)
			case s.client.topics.bridge("claim"):
				if s.client.readClaim(m).Run == s.client.self.Run {
					return info, state, nil
				}
			}
		}
		select {
		case <-s.in.wake:
		case <-timeout.C:
			s.deaf = true
			return info, state, nil
		case <-s.gone:
			return info, state, s.why
		case <-s.ctx.Done():
			return info, state, s.ctx.Err()
		}
	}
}

// ask asks whether somebody is there, and returns who answered. Like all waits
// for the network it goes by the system's clock.
func (s *session) ask() (*claim, error) {
	end := time.NewTimer(s.client.answerTime)
	defer end.Stop()
	again := time.NewTicker(askAgain)
	defer again.Stop()
	for {
		if err := s.wait(s.say(true)); err != nil {
			return nil, err
		}
		for waiting := true; waiting; {
			for _, m := range s.in.take() {
				if who := s.client.readClaim(m); who.Run != "" && who.Run != s.client.self.Run && !who.Ask {
					return &who, nil
				}
			}
			select {
			case <-s.in.wake:
			case <-again.C:
				waiting = false
			case <-end.C:
				return nil, nil
			case <-s.gone:
				return nil, s.why
			case <-s.ctx.Done():
				return nil, s.ctx.Err()
			}
		}
	}
}

// say publishes who we are.
func (s *session) say(ask bool) paho.Token {
	return s.paho.Publish(s.client.topics.bridge("claim"), 1, false, s.client.claimText(ask))
}

func (c *Client) claimText(ask bool) []byte {
	who := c.self
	who.Ask = ask
	return encode(who)
}

// readClaim returns the zero claim for a message that is none.
func (c *Client) readClaim(m incoming) claim {
	var who claim
	if m.topic == c.topics.bridge("claim") && json.Unmarshal(m.payload, &who) != nil {
		return claim{}
	}
	return who
}

// onClaim answers those who ask, and hears whoever else believes to be here.
func (c *Client) onClaim(m incoming) {
	who := c.readClaim(m)
	switch {
	case who.Run == "" || who.Run == c.self.Run:
	case who.Ask:
		c.out.event(message{topic: m.topic, qos: 1, payload: c.claimText(false)})
	default:
		c.onRival(who)
	}
}

// onInfo hears another bridge announce itself over us.
func (c *Client) onInfo(m incoming) {
	var who claim
	if json.Unmarshal(m.payload, &who) == nil && who.Run != "" && who.Run != c.self.Run {
		c.onRival(who)
	}
}

// onRival settles who stays when both are announced: the one that started first.
func (c *Client) onRival(who claim) {
	if who.Run < c.self.Run {
		c.yield(who)
		return
	}
	c.log.Limited("rival", "another bridge uses this base topic and should stay off now", "base_topic", c.cfg.BaseTopic, "name", who.Name, "instance", who.Instance)
	c.putInfo(true)
	// Its last messages may come after this one: put everything right then.
	c.agenda.in(2*time.Second, "announce", c.announce)
}

// onState puts right what the will of a dead connection said, be it our own of a
// moment ago.
func (c *Client) onState(m incoming) {
	if string(m.payload) != "online" {
		c.agenda.soon(100*time.Millisecond, "online", func() { c.putOnline(true) })
	}
}

// yield leaves the place to a rival, without a word: "offline" would be taken for
// the rival's.
func (c *Client) yield(who claim) {
	c.drop()
	c.probing = true
	c.blocked(who)
	c.retry(0)
}

func (c *Client) blocked(who claim) {
	about := fmt.Sprintf("the bridge %q (instance %s)", who.Name, who.Instance)
	if who.Instance == c.self.Instance {
		about = "a bridge with a copy of this one's state directory"
	}
	c.trouble(fmt.Sprintf("%s uses base topic %q on this broker already: give one of the two another mqtt.base_topic; this one stays off MQTT", about, c.cfg.BaseTopic))
}

// deniedWords lists what the broker refused, for a sentence.
func (s *session) deniedWords() string {
	slices.Sort(s.denied)
	return fmt.Sprintf("the MQTT broker does not let user %q read %v: check its access list; until then what is sent there goes unheard", s.client.cfg.Username, s.denied)
}
