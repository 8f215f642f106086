// Package mqtt is the bridge's presence on an MQTT broker: Home Assistant
// discovery, states, motion and telemetry of every camera, commands back, now and
// then a picture. It is not the video path.
//
// App makes one Client and runs it; httpapi reads its Status; README.md lists topics
// and entities. One goroutine, that
// of Client.Run, owns everything; handlers of the MQTT library only put messages
// into a bounded box, and one goroutine hands messages to the library. What is
// published is always made anew from the fleet's present state, so after an
// outage nothing old is sent but motion's begin and end, of at most 1000 events.
//
// A broker that is absent, refuses, dies, says nothing or comes back costs MQTT
// alone: states keep one value per topic, pictures one per camera, all else is
// bounded, and what is dropped is counted. Two bridges with one base topic
// notice each other (rival.go); the second stays off.
package mqtt

import (
	"context"
	"crypto/tls"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// DefaultPreview is a good value for Config.Preview.
const DefaultPreview = 10 * time.Second

// Config is what a client is built from. Empty values take the defaults named
// beside them.
type Config struct {
	Broker          string        // mqtt://, mqtts://, ws:// or wss://host:port
	Username        string        //
	Password        string        //
	TLS             *tls.Config   // for mqtts and wss; the system's roots
	BaseTopic       string        // espcam
	DiscoveryPrefix string        // such as homeassistant; empty: no discovery
	BirthTopic      string        // where Home Assistant says that it is there; DiscoveryPrefix/status
	BirthPayload    string        // what it says; online
	Name            string        // of this instance, for people and for the client id
	App             string        // of the paths to streams; bridge.DefaultApp
	Version         string        // of the program
	Preview         time.Duration // between pictures of a camera that nobody asked otherwise of, at least 2 s; 0: only when asked for
	ConnectTimeout  time.Duration // until the broker's answer; 10 s

	// PageURL returns the page's URL for a camera, or for the bridge if camera
	// is empty. Nil or an answer that is no http(s) URL: none is shown.
	PageURL func(camera string) string
}

// Fleet is the part of package fleet that the client uses.
type Fleet interface {
	Cameras() []bridge.Camera
	Camera(ref string) (bridge.Camera, error)
	Set(ctx context.Context, id string, s bridge.Settings) (bridge.Camera, error)
	Do(ctx context.Context, id string, a bridge.Action) error
	SetMotion(id string, in map[string]any) (bridge.Camera, error)
	Tell(bridge.Notice)
	SetEnabled(id string, on bool) error
	SetHidden(id string, hidden bool) error
	Rename(id, name string) error
	Remove(id string) error
	PermitJoin(d time.Duration)
	Permitted() time.Duration
	Subscribe() (*bridge.Listener, func())
}

// Motion is the part of package watch that the client uses.
type Motion interface {
	Subscribe() (*bridge.EventListener, func())
	Active() []bridge.Event
}

// Pictures gives a camera's newest frame, or the zero Frame.
type Pictures interface {
	Latest(camera string) bridge.Frame
}

// Store keeps a few short texts over restarts: the frozen id prefix, this
// instance's id, which entities each camera was announced with, and how often its
// picture is sent.
type Store interface {
	Get(key string) (string, bool, error)
	Put(key, value string) error
	Delete(key string) error
}

// Deps are the parts of the program that the client needs.
type Deps struct {
	Fleet    Fleet
	Pictures Pictures
	Motion   Motion  // nil: pictures are not judged, and nothing of motion is announced
	Plugins  Plugins // nil: none are configured, and nothing of them is announced
	Store    Store
	Log      *slog.Logger

	// Refused hears of each command that failed, in the words of T/error. It must
	// not block. Nil: only MQTT hears.
	Refused func(bridge.Notice)

	// Placeholder draws the picture of a camera that is switched off. Nil: the
	// last real picture stays in Home Assistant's memory.
	Placeholder func(bridge.Camera) []byte
	LogLevel    *slog.LevelVar // of the program's log; nil: it cannot be changed
	Restart     func()         // ends the program so that its supervisor starts it again; nil: there is none
	Clock       Clock          // nil: the system's
	Rand        func() float64 // in [0,1), for jitter; nil: math/rand
}

// Status is how things stand, for /readyz and /metrics.
type Status struct {
	Connected bool      // and everything is announced
	Since     time.Time // of the last change of Connected
	LastError string    // a sentence; empty if all is well

	Published uint64 // messages that the broker took
	Dropped   uint64 // pictures and events that found no connection or were overtaken
	Failed    uint64 // messages that a connection lost
	Commands  uint64 // commands received, refused ones too
	Ignored   uint64 // messages that were no commands: retained, empty, for nobody
}

// Client is the bridge's connection to the broker. Below, each field says who
// uses it.
type Client struct {
	// Fixed after New.
	cfg    Config
	deps   Deps
	topics topics
	self   claim
	rows   []row[subject] // of a camera
	prefix string         // of all ids, frozen at the first start
	random func() float64

	answerTime time.Duration // how long a probe waits for a rival's answer
	ackTime    time.Duration // how long the broker may take to acknowledge a message

	// Locked by themselves.
	out    *outbox
	counts counts
	status status
	states pluginStates
	wg     sync.WaitGroup // everything that Run started

	// Used only by Run's goroutine.
	ctx       context.Context
	agenda    *agenda
	log       *limitedLog
	started   time.Time
	session   *session // being opened or open; nil between two attempts
	live      bool     // session is announced, or being announced
	liveSince time.Time
	attempts  int  // to connect, since the last good connection
	probing   bool // the next session only asks whether a rival is there
	cleared   bool // a probe found no rival
	announced bool // once, in this process
	sweeping  bool
	told      overview          // the bridge's figures, as published
	plugins   []bridge.Plugin   // as last listed
	parts     map[string]string // the bridge's own, like entry.parts
	ended     map[string]int    // documents that we ended over the present session, and whose end we did not hear of yet
	errands   []errand          // for the fleet, see ask; the first is under way
	entries   map[string]*entry
	stories   []*story          // events that are not told to their end, the oldest first
	missed    []string          // cameras that were removed while there was no connection
	macs      map[string]string // camera by MAC: two devices with one MAC become one

	opened  chan opening
	results chan func()
}

// New checks the configuration and reads or makes this instance's identity. Its
// errors are *bridge.Error for a wrong configuration, else the store's. Nothing
// is connected before Run.
func New(cfg Config, deps Deps) (*Client, error) {
	cfg = withDefaults(cfg)
	if err := check(cfg); err != nil {
		return nil, err
	}
	if deps.Clock == nil {
		deps.Clock = systemClock{}
	}
	c := &Client{
		cfg: cfg, deps: deps, random: deps.Rand, started: deps.Clock.Now(),
		topics: topics{base: cfg.BaseTopic, discovery: cfg.DiscoveryPrefix},
		out:    newOutbox(), entries: map[string]*entry{}, macs: map[string]string{},
		answerTime: answerTime, ackTime: ackTimeout, ended: map[string]int{},
		agenda: newAgenda(deps.Clock), log: newLimitedLog(deps.Log, deps.Clock),
		opened: make(chan opening), results: make(chan func()),
	}
	c.rows = slices.DeleteFunc(slices.Clone(cameraRows), func(r row[subject]) bool { return r.judged && deps.Motion == nil })
	if c.random == nil {
		c.random = rand.Float64
	}
	c.status.since = c.started
	c.states.of = map[string]map[string][]byte{}
	err := c.identify()
	c.parts = c.loadParts("bridge")
	return c, err
}

// Status returns how things stand. It may be called from any goroutine.
func (c *Client) Status() Status {
	s := c.status.get()
	s.Published, s.Failed = c.counts.published.Load(), c.counts.failed.Load()
	s.Commands, s.Ignored = c.counts.commands.Load(), c.counts.ignored.Load()
	s.Dropped = c.out.lost()
	return s
}

// Run keeps the connection until ctx ends, then says goodbye and waits for what
// it started. It is called once. It returns nil: a broker that is absent is told
// by Status and the log.
func (c *Client) Run(ctx context.Context) error {
	news, cancel := c.deps.Fleet.Subscribe()
	defer cancel()
	events, cancel := c.listen()
	defer cancel()
	plugins, cancel := c.watchPlugins()
	defer cancel()
	defer c.wg.Wait()
	c.ctx = ctx
	c.connect()
	c.everyMinute()
	c.preview()
	for {
		select {
		case <-ctx.Done():
			c.goodbye()
			return nil
		case o := <-c.opened:
			c.onOpened(o)
		case <-c.gone():
			c.onLost()
		case <-c.received():
			for _, m := range c.session.in.take() {
				c.onMessage(m)
			}
		case then := <-c.results:
			then()
		case <-events.Ready():
			c.onEvents(events.Take())
		case <-news.Ready():
			c.onNews(news.Take())
		case _, more := <-plugins:
			if c.onPlugins(); !more {
				plugins = nil // there will be no more
			}
		case <-c.agenda.next():
			c.agenda.run()
		}
	}
}

// listen begins to hear of motion, and takes over what goes on.
func (c *Client) listen() (*bridge.EventListener, func()) {
	if c.deps.Motion == nil {
		return bridge.NewEventListener(), func() {}
	}
	events, cancel := c.deps.Motion.Subscribe()
	c.onEvents(c.deps.Motion.Active(), 0)
	return events, cancel
}

// gone is closed when the live session is over.
func (c *Client) gone() <-chan struct{} {
	if !c.live {
		return nil
	}
	return c.session.gone
}

// received is readable when the live session has messages.
func (c *Client) received() <-chan struct{} {
	if !c.live {
		return nil
	}
	return c.session.in.wake
}
