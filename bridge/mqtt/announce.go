package mqtt

import (
	"encoding/json"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// removalGap is the time between the end of a device and whatever follows under
// the same ids: Home Assistant works through removals one after the other, and
// makes twins of what comes too early.
const removalGap = 2 * time.Second

// pictureDelay is the time between an announcement and the pictures that follow
// it: they are not retained, and Home Assistant subscribes to them only when it is
// done with the documents.
const pictureDelay = 2 * time.Second

// firstFigures is the time between a camera's arrival and its first figures that
// mean something; later ones come every minute.
const firstFigures = 5 * time.Second

// entry is what the client keeps of a camera between two of its snapshots.
type entry struct {
	camera   bridge.Camera
	parts    map[string]string // platform by component, as announced; also in the store
	booted   time.Time         // as told; moves only when it is another boot
	bright   int               // the flash's last brightness above 0
	steadily string            // the part of telemetry whose change is told at once
	picture  uint64            // sequence number of the last one sent
	cover    bool              // it was switched off: its last picture is to be covered
	story    *story            // the event going on; nil if there is none
	past     string            // id of the last event that ended
	moved    time.Time         // begin of the newest event
	proof    bridge.Frame      // picture of the newest event, until it is sent
	bare     bool              // the broker has no picture of an event
	lane     lane
}

// announced reports whether Home Assistant knows the camera.
func (e *entry) announced() bool { return len(e.parts) > 0 }

// announce publishes everything: first who we are, so that a rival hears it before
// anything of his is overwritten; then in the order in which Home Assistant needs
// it, devices, states, availability, and last that the bridge is there.
func (c *Client) announce() {
	if !c.live {
		return
	}
	c.agenda.drop("announce")
	c.out.forget()
	c.sync()
	c.putInfo(false)
	c.putBridgeDocument()
	known := c.present()
	for _, e := range known {
		c.putDocument(e)
	}
	for _, e := range known {
		e.steadily = ""
		c.putStates(e)
	}
	c.putBridgeStats(true)
	for _, e := range known {
		c.putAvailability(e)
	}
	c.putOnline(false)
	c.agenda.in(pictureDelay, "pictures", func() { c.pictures(true) })
}

// sync brings the entries in line with the fleet.
func (c *Client) sync() {
	there := map[string]bool{}
	for _, cam := range c.deps.Fleet.Cameras() {
		there[cam.ID] = true
		c.entry(cam)
	}
	for id := range c.entries {
		if !there[id] {
			c.remove(id)
		}
	}
}

// entry returns the camera's entry with its newest snapshot.
func (c *Client) entry(cam bridge.Camera) *entry {
	e := c.entries[cam.ID]
	if e == nil {
		e = &entry{parts: c.loadParts(cam.ID)}
		c.entries[cam.ID] = e
	}
	if e.camera.Enabled && !cam.Enabled {
		e.cover = true
	}
	if e.camera.State != bridge.Online && cam.State == bridge.Online {
		c.agenda.in(firstFigures, "figures/"+cam.ID, func() { c.figuresOf(cam.ID) })
	}
	e.camera = cam
	if d := cam.BootedAt.Sub(e.booted); d > 5*time.Second || d < -5*time.Second {
		e.booted = cam.BootedAt
	}
	if v, ok := cam.Setting("led"); ok {
		if n, ok := v.(int); ok && n > 0 {
			e.bright = n
		}
	}
	return e
}

// present returns the entries that are announced now, by id: those that once
// said hello or sent a picture, and are not just being removed.
func (c *Client) present() []*entry {
	var list []*entry
	for _, id := range sortedKeys(c.entries) {
		if c.visible(c.entries[id]) {
			list = append(list, c.entries[id])
		}
	}
	return list
}

func (c *Client) visible(e *entry) bool {
	cam := e.camera
	return cam.State != bridge.Pending && !c.agenda.has("remove/"+cam.ID) &&
		(e.announced() || cam.Dialect == bridge.Native || !cam.LastFrame.IsZero())
}

// onNews publishes what changed.
func (c *Client) onNews(n bridge.News) {
	for _, id := range n.Cameras {
		c.onCamera(id)
	}
	for _, notice := range n.Notices {
		if notice.Camera != "" {
			c.putError(notice.Camera, topicOf(notice.Property), notice.Value, notice.Code, notice.Message)
		}
	}
}

func (c *Client) onCamera(id string) {
	cam, err := c.deps.Fleet.Camera(id)
	if err != nil || cam.ID != id {
		c.remove(id)
		return
	}
	c.refresh(c.entry(cam))
}

// refresh publishes what is new about a camera.
func (c *Client) refresh(e *entry) {
	switch {
	case !c.live:
	case c.visible(e):
		if !e.announced() {
			c.agenda.soon(pictureDelay, "pictures", func() { c.pictures(true) })
		}
		c.putDocument(e)
		c.putStates(e)
		c.putAvailability(e)
		if e.cover {
			c.putPicture(e, true)
		}
		c.putBridgeStats(false)
	case e.camera.Connected && e.camera.State != bridge.Pending: // its first picture is no news of its own
		c.agenda.soon(time.Second, "first/"+e.camera.ID, func() { c.onCamera(e.camera.ID) })
	}
}

// remove forgets a camera: first its device, then, when Home Assistant is done
// with that, all its retained topics.
func (c *Client) remove(id string) {
	e := c.entries[id]
	if e == nil {
		return
	}
	c.finish(e, c.deps.Clock.Now())
	delete(c.entries, id)
	c.agenda.drop("slim/" + id)
	c.agenda.drop("lane/" + id)
	c.agenda.drop("figures/" + id)
	for mac, owner := range c.macs {
		if owner == id {
			delete(c.macs, mac)
		}
	}
	if err := c.deps.Store.Delete(keyParts + id); err != nil {
		c.log.Limited("store", "cannot forget a camera's entities", "camera", id, "err", err)
	}
	if !e.announced() {
		return
	}
	if !c.live {
		c.missed = append(c.missed, id)
		return
	}
	c.withdraw(id)
	c.putBridgeStats(false)
}

// withdraw ends a camera's device.
func (c *Client) withdraw(id string) {
	if c.topics.discovery != "" {
		c.clear(c.topics.document(c.device(id)))
	}
	c.clearLater(id)
}

// withdrawMissed ends the devices of cameras that were removed without a
// connection, and that the sweep did not find because the broker forgot them: a
// Home Assistant that ran all the time still has them. It is done once, when that
// is there again, because it warns of the end of a device that it does not know.
func (c *Client) withdrawMissed() {
	if !c.live {
		return
	}
	for _, id := range c.missed {
		if c.entries[id] == nil {
			c.withdraw(id)
		}
	}
	c.missed = nil
}

// clearLater ends a camera's retained topics, and then announces it again if it
// came back in the meantime.
func (c *Client) clearLater(id string) {
	c.agenda.in(removalGap, "remove/"+id, func() {
		for _, name := range retainedTopics() { // what is not there is no harm to clear
			c.clear(c.topics.camera(id, name))
		}
		c.onCamera(id)
	})
}

// clear ends a retained topic.
func (c *Client) clear(topic string) { c.out.clear(topic) }

// loadParts reads which entities a camera was announced with, perhaps by an
// earlier process.
func (c *Client) loadParts(id string) map[string]string {
	parts := map[string]string{}
	text, ok, err := c.deps.Store.Get(keyParts + id)
	if err == nil && ok {
		err = json.Unmarshal([]byte(text), &parts)
	}
	if err != nil {
		c.log.Limited("store", "cannot read a camera's entities", "camera", id, "err", err)
	}
	return parts
}

func (c *Client) saveParts(e *entry, parts map[string]string) {
	e.parts = parts
	if err := c.deps.Store.Put(keyParts+e.camera.ID, string(encode(parts))); err != nil {
		c.log.Limited("store", "cannot keep a camera's entities", "camera", e.camera.ID, "err", err)
	}
}

// everyMinute publishes figures, and what no news was heard of.
func (c *Client) everyMinute() {
	c.agenda.in(time.Minute, "minute", c.everyMinute)
	if !c.live {
		return
	}
	c.sync()
	for _, e := range c.present() {
		e.steadily = "" // figures are due
		c.refresh(e)
	}
	c.putBridgeStats(true)
}

// figuresOf publishes a camera's figures before their minute.
func (c *Client) figuresOf(id string) {
	if e := c.entries[id]; e != nil {
		e.steadily = ""
		c.onCamera(id)
	}
}

// preview publishes a picture of each camera that has a new one.
func (c *Client) preview() {
	c.agenda.in(c.cfg.Preview, "preview", c.preview)
	if c.live {
		c.pictures(false)
	}
}

// pictures publishes each camera's newest picture; again, even if it was sent
// before.
func (c *Client) pictures(again bool) {
	for _, e := range c.present() {
		if again || e.camera.Enabled {
			c.putPicture(e, again)
		}
	}
}
