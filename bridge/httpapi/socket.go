package httpapi

import (
	"context"
	"encoding/json"
	"maps"
	"math"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/time/rate"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

const (
	maxMessage  = 64 << 10 // bytes of one message of the page
	maxMessages = 50       // messages a second that are read, after twice as many at once
	maxQueue    = 256      // answers that wait for the page to read
	maxLane     = 16       // commands that wait for one camera

	closeDenied = 4401                   // close code: the token or session is no longer good
	cameraEvery = 500 * time.Millisecond // between two messages about one camera
)

// socket is one page's connection: all its cameras, states and commands. The
// handler's goroutine reads; write is the only one that sends messages; each
// camera with commands under way has a lane, so that one camera that does not
// answer holds up nobody else's commands and the order stays.
type socket struct {
	*Server
	v      *visit
	conn   *wsConn
	ctx    context.Context
	cancel context.CancelFunc
	news   *bridge.Listener
	wake   chan struct{} // there is something to write
	rate   *rate.Limiter
	lanes  sync.WaitGroup

	// Owned by write.
	told     map[string]time.Time // cameras that the page knows, and when it last heard of each
	old      map[string]bool      // cameras whose state it was told has changed since
	events   happenings
	troubles []trouble // as the page knows them
	plugins  pluginNews

	mu       sync.Mutex
	queue    [][]byte
	channels map[uint16]*channel
	order    []*channel // for fairness
	turn     int
	jobs     map[string][]func() // by camera; present while a lane runs
	parting  *websocket.CloseError
}

func (s *Server) pageSocket(w http.ResponseWriter, r *http.Request, v *visit) error {
	leave, err := s.seat(v)
	if err != nil {
		return err
	}
	defer leave()
	conn, release, err := s.upgrade(w, r, s.cfg.Timing.Silence)
	if err != nil {
		return err
	}
	defer release()
	k := newSocket(r.Context(), s, v)
	k.conn = conn
	var unsubscribe func()
	k.news, unsubscribe = s.deps.Fleet.Subscribe()
	defer unsubscribe()
	defer s.enrol(k.news)()
	if s.deps.Motion != nil {
		inbox, leave := s.deps.Motion.Subscribe()
		defer leave()
		k.events.inbox = inbox
	}
	defer k.watchPlugins()()
	k.run()
	return nil
}

func newSocket(ctx context.Context, s *Server, v *visit) *socket {
	k := &socket{
		Server: s, v: v, wake: make(chan struct{}, 1), rate: rate.NewLimiter(maxMessages, 2*maxMessages),
		told: map[string]time.Time{}, old: map[string]bool{}, events: newHappenings(),
		channels: map[uint16]*channel{}, jobs: map[string][]func(){},
	}
	k.ctx, k.cancel = context.WithCancel(ctx)
	return k
}

// run reads until the page leaves or is sent away, and waits for everything
// that was started for it.
func (k *socket) run() {
	var writing sync.WaitGroup
	writing.Go(k.write)
	k.read()
	k.cancel()
	writing.Wait()
	k.lanes.Wait()
	k.leaveAll()
}

func (k *socket) leaveAll() {
	k.mu.Lock()
	channels := k.order
	k.order, k.channels = nil, nil
	k.mu.Unlock()
	for _, c := range channels {
		c.feed.Leave(c)
	}
}

// end sends the page away with a close code, after what is queued.
func (k *socket) end(code int, reason string) {
	k.mu.Lock()
	if k.parting == nil {
		k.parting = &websocket.CloseError{Code: code, Text: reason}
	}
	k.mu.Unlock()
	k.cancel()
}

func (k *socket) ring() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// post queues the answer to a message. A page that asks and does not read is sent
// away; when it comes back it is told everything anew.
func (k *socket) post(message any) {
	if !k.enlist(message, maxQueue) {
		k.end(websocket.ClosePolicyViolation, "too slow")
	}
}

// say queues what the page is told unasked. Only write calls it, which sends all
// of it before it looks for more: however many cameras there are, it fits.
func (k *socket) say(message any) { k.enlist(message, math.MaxInt) }

// enlist queues a JSON message, unless so many are waiting.
func (k *socket) enlist(message any, most int) bool {
	b, err := json.Marshal(message)
	if err != nil {
		panic(err) // our own types: cannot be
	}
	k.mu.Lock()
	fits := len(k.queue) < most
	if fits {
		k.queue = append(k.queue, b)
	}
	k.mu.Unlock()
	k.ring()
	return fits
}

// Messages to the page.
type (
	welcomeMessage struct {
		Type    string       `json:"type"`
		Version string       `json:"version"`
		Name    string       `json:"name"`
		App     string       `json:"app"` // the name in stream URLs
		Role    bridge.Role  `json:"role"`
		Auth    bool         `json:"auth"`
		Open    bool         `json:"open_streams"` // pictures need no token
		Time    int64        `json:"time"`
		Cameras []cameraJSON `json:"cameras"`

		Troubles []trouble `json:"troubles"`
	}
	healthMessage struct {
		Type     string    `json:"type"`
		Troubles []trouble `json:"troubles"` // all that there are now
	}
	cameraMessage struct {
		Type   string     `json:"type"`
		Camera cameraJSON `json:"camera"`
	}
	removedMessage struct {
		Type   string `json:"type"`
		Camera string `json:"camera"`
	}
	noticeMessage struct {
		Type     string      `json:"type"`
		Time     int64       `json:"time"`
		Camera   string      `json:"camera"`
		Code     bridge.Code `json:"code"`
		Message  string      `json:"message"`
		Property string      `json:"property"`
		Value    string      `json:"value"`
	}
	resultMessage struct {
		Type   string      `json:"type"`
		ID     string      `json:"id"`
		OK     bool        `json:"ok"`
		Camera *cameraJSON `json:"camera,omitempty"`
		Error  *fault      `json:"error,omitempty"`
	}
	errorMessage struct {
		Type  string `json:"type"`
		Error fault  `json:"error"`
	}
	pongMessage struct {
		Type string      `json:"type"`
		Echo json.Number `json:"echo"`
		Time int64       `json:"time"`
	}
)

func (k *socket) welcome() {
	cameras := k.visible(k.v.who)
	for _, c := range cameras {
		k.told[c.ID] = k.now()
	}
	open := !k.cfg.Auth || k.cfg.PublicStreams
	k.troubles = k.mayKnow()
	k.say(welcomeMessage{"welcome", k.cfg.Version, k.cfg.Name, k.cfg.App, k.v.who.Role, k.cfg.Auth, open, k.now().UnixMilli(), cameras, k.troubles})
	k.welcomeEvents()
}

// mayKnow is what is wrong with the bridge, for who may see all of it, as on
// /readyz.
func (k *socket) mayKnow() []trouble {
	if k.v.who.Cameras != nil {
		return []trouble{}
	}
	return k.Server.troubles()
}

// tellTroubles says what is wrong with the bridge when that has changed.
func (k *socket) tellTroubles() {
	if now := k.mayKnow(); !slices.Equal(now, k.troubles) {
		k.troubles = now
		k.say(healthMessage{"health", now})
	}
}

// write sends until the page leaves, is sent away or takes nothing.
func (k *socket) write() {
	k.welcome()
	if k.pump() != nil {
		k.conn.Close()
		return
	}
	k.mu.Lock()
	last, why := k.queue, k.parting
	k.mu.Unlock()
	for _, b := range last {
		if k.conn.send(opText, nil, b) != nil {
			break
		}
	}
	if why == nil {
		why = &websocket.CloseError{Code: websocket.CloseNormalClosure}
	}
	k.conn.bye(why.Code, why.Text)
}

// pump sends answers first, then one picture at a time, so that neither waits
// long for the other. It returns nil when the page's time is over.
func (k *socket) pump() error {
	beat := time.NewTicker(cameraEvery)
	defer beat.Stop()
	stats := time.NewTicker(k.cfg.Timing.Stats)
	defer stats.Stop()
	recheck := time.NewTicker(k.cfg.Timing.Recheck)
	defer recheck.Stop()
	defer k.events.wake.Stop()
	for {
		if err := k.flush(); err != nil {
			return err
		}
		select {
		case <-k.ctx.Done():
			return nil
		case <-k.done:
			k.end(websocket.CloseGoingAway, "the bridge is stopping")
		case <-k.wake:
		case <-k.news.Ready():
			k.hear(k.news.Take())
		case <-k.events.ready():
			k.hearEvents()
		case <-k.events.wake.C:
			k.tellLater()
		case <-beat.C:
			k.tell()
			k.tellTroubles()
			k.tellPlugins()
		case <-stats.C:
			k.age()
		case <-recheck.C:
			if !k.v.still() {
				k.end(closeDenied, "session over")
			} else if err := k.conn.send(opPing, nil, nil); err != nil {
				return err
			}
		}
	}
}

// flush sends all queued messages and one picture.
func (k *socket) flush() error {
	k.mu.Lock()
	texts := k.queue
	k.queue = nil
	k.mu.Unlock()
	for _, b := range texts {
		if err := k.conn.send(opText, nil, b); err != nil {
			return err
		}
	}
	return k.sendPicture()
}

// hear takes what changed: cameras at once if they have not been told lately,
// notices as they are.
func (k *socket) hear(n bridge.News) {
	for _, id := range n.Cameras {
		k.old[id] = true
	}
	k.tell()
	for _, n := range n.Notices {
		if k.v.who.May(bridge.Viewer, n.Camera) {
			k.say(noticeMessage{"notice", n.Time.UnixMilli(), n.Camera, n.Code, n.Message, n.Property, n.Value})
		}
	}
}

// age marks the cameras whose figures change all the time.
func (k *socket) age() {
	for _, c := range k.deps.Fleet.Cameras() {
		if c.Connected {
			k.old[c.ID] = true
		}
	}
	k.tell()
}

// tell sends what the page has an old state of, each camera at most twice a
// second.
func (k *socket) tell() {
	now := k.now()
	for _, id := range slices.Sorted(maps.Keys(k.old)) {
		last, known := k.told[id]
		if known && now.Sub(last) < cameraEvery*9/10 {
			continue
		}
		delete(k.old, id)
		if !k.v.who.May(bridge.Viewer, id) {
			continue
		}
		c, err := k.deps.Fleet.Camera(id)
		switch {
		case err == nil && c.ID == id:
			k.told[id] = now
			k.say(cameraMessage{"camera", k.show(c)})
			k.cover(c)
		case known:
			delete(k.told, id)
			k.say(removedMessage{"removed", id})
		}
	}
}
