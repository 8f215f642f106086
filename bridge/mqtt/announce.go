package mqtt

import (
	"cmp"
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
	interval time.Duration     // between two pictures; 0: only when asked for
	due      time.Time         // of the next picture
	awaited  bool              // its next picture is sent at once: it is new here, or was away
	unwanted bool              // somebody removed it in Home Assistant, and the fleet does not know yet
	lane     lane              // of commands to the camera
	guard    lane              // of enabled
}

// subject is what the camera's figures are made from.
func (e *entry) subject() subject { return subject{e.camera, e.booted, e.interval} }

// hidden reports whether somebody removed the camera in Home Assistant.
func (e *entry) hidden() bool { return e.camera.Hidden || e.unwanted }

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
	c.putOwn(false)
	known := c.present()
	for _, e := range known {
		c.putDocument(e)
	}
	for _, e := range known {
		e.steadily = ""
		c.putStates(e)
	}
	c.putPlugins()
	c.putPluginStates()
	c.putBridgeStats(true)
	for _, e := range known {
		c.putAvailability(e)
	}
	c.putOnline(false)
	c.agenda.in(pictureDelay, "pictures", c.pictures)
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
		e = &entry{parts: c.loadParts(cam.ID), interval: c.loadInterval(cam.ID), awaited: true}
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
	return cam.State != bridge.Pending && !e.hidden() && !c.agenda.has("remove/"+cam.ID) &&
		(e.announced() || cam.Dialect == bridge.Native || !cam.LastFrame.IsZero())
}

// onNews publishes what changed.
func (c *Client) onNews(n bridge.News) {
	for _, id := range n.Cameras {
		c.onCamera(id)
	}
	for _, notice := range n.Notices {
		if notice.Code != "" && !notice.Told { // without a code it is good news
			c.putError(fault{cmp.Or(notice.Camera, "bridge"), topicOf(notice.Property), notice.Value, notice.Code, notice.Message})
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
	e.awaited = e.awaited || e.camera.State != bridge.Online
	switch {
	case !c.live:
	case c.visible(e):
		if !e.announced() {
			c.agenda.soon(pictureDelay, "pictures", c.pictures)
		}
		c.putDocument(e)
		c.putStates(e)
		c.putAvailability(e)
		if e.cover {
			c.putPicture(e, true)
		}
		c.putBridgeStats(false)
	case e.camera.Connected && e.camera.State != bridge.Pending && !e.hidden(): // its first picture is no news of its own
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
	c.agenda.drop("lane/" + id)
	c.agenda.drop("guard/" + id)
	c.agenda.drop("figures/" + id)
	for mac, owner := range c.macs {
		if owner == id {
			delete(c.macs, mac)
		}
	}
	known := e.announced()
	c.forgetParts(e, id)
	if err := c.deps.Store.Delete(keyInterval + id); err != nil {
		c.log.Limited("store", "cannot forget a camera's snapshot interval", "camera", id, "err", err)
	}
	if !known {
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
		c.endDocument(c.topics.document(c.device(id)))
	}
	c.clearLater(id)
}

// endDocument ends a device, and notes that it was us.
func (c *Client) endDocument(topic string) {
	c.ended[topic]++
	c.clear(topic)
}

// onErased hears that a document was ended. If that was not us it was a person who
// removed the device in Home Assistant, which says so once per entity: the camera
// is not announced any more until somebody asks for it (Fleet.SetHidden).
func (c *Client) onErased(topic string) {
	if c.ended[topic] > 0 {
		c.ended[topic]--
		return
	}
	for id, e := range c.entries {
		if topic == c.topics.document(c.device(id)) && e.announced() && c.visible(e) {
			c.log.Info("a camera was removed in Home Assistant and is not announced any more", "camera", id)
			c.hide(e)
		}
	}
}

// hide ends what is retained of a camera that nobody wants in Home Assistant.
func (c *Client) hide(e *entry) {
	id := e.camera.ID
	e.unwanted, e.proof = true, bridge.Frame{}
	c.out.lose(c.topics.document(c.device(id)))
	c.finish(e, c.deps.Clock.Now())
	c.forgetParts(e, id)
	c.clearLater(id)
	c.ask(func() error { return c.deps.Fleet.SetHidden(id, true) }, func(err error) {
		e.unwanted = false // from now on the fleet knows
		c.onCamera(id)
		if err != nil {
			c.complain(fault{id, "", "", bridge.CodeOf(err), err.Error()})
		}
	})
}

// forgetParts forgets what a camera was announced with.
func (c *Client) forgetParts(e *entry, id string) {
	e.parts = nil
	c.agenda.drop("slim/" + id)
	if err := c.deps.Store.Delete(keyParts + id); err != nil {
		c.log.Limited("store", "cannot forget a camera's entities", "camera", id, "err", err)
	}
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

func (c *Client) saveParts(id string, parts map[string]string) {
	if err := c.deps.Store.Put(keyParts+id, string(encode(parts))); err != nil {
		c.log.Limited("store", "cannot keep a camera's entities", "camera", id, "err", err)
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
