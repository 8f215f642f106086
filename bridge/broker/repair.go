package broker

import (
	"bytes"
	"sync"
	"sync/atomic"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// repair is a hook that keeps faults of the server (mochi-mqtt v2.7.9) away from
// its clients, and from this program.
type repair struct {
	mochi.HookBase
	retained func() int // how many messages are retained
	listener *listener

	// The server reads its tree of retained messages without a lock while it
	// answers a subscription, and a string that is read while it is written may
	// end the program. So whoever changes the tree holds gate, and whoever answers
	// a subscription holds it for reading. In between the server waits for nothing
	// but, at worst, a write to that same client, which has writeTimeout.
	gate      sync.RWMutex
	changing  atomic.Pointer[mochi.Client] // whose message holds gate
	answering sync.Map                     // clients that hold gate for reading
}

// ID names the hook.
func (r *repair) ID() string { return "repair" }

// Provides tells the server which methods to call.
func (r *repair) Provides(b byte) bool {
	return bytes.IndexByte([]byte{
		mochi.OnConnect, mochi.OnSessionEstablish, mochi.OnPacketRead, mochi.OnSubscribe, mochi.OnPacketSent, mochi.OnPacketProcessed,
		mochi.OnPublish, mochi.OnWill, mochi.OnRetainMessage,
	}, b) >= 0
}

// OnConnect withdraws two things that MQTT 5 clients may ask for. Topic aliases:
// the server gives a topic its alias even when the message that announces it is
// dropped, and the client could then not know the topic of any later one. A delay
// of the will: a delayed one is retained without OnWill.
func (r *repair) OnConnect(cl *mochi.Client, _ packets.Packet) error {
	cl.Properties.Props.TopicAliasMaximum = 0
	cl.Properties.Will.WillDelayInterval = 0
	return nil
}

// OnSessionEstablish ends the client's earlier connection and waits until the
// server is done with it. The server itself goes on at once, and then the end of
// the old connection takes the new one off the list of clients, which hears
// nothing from then on; or the old one's will comes after the new one's words.
func (r *repair) OnSessionEstablish(cl *mochi.Client, _ packets.Packet) {
	if c, ok := cl.Net.Conn.(*conn); ok {
		r.listener.takeOver(cl.ID, c)
	}
}

// OnPacketRead frees the id of a packet from the client. The server keeps the ids
// of its own packets and of the client's in one table, though MQTT has two: it
// refuses a subscription (0x91, which MQTT 3.1.1 does not even have) whose id one
// of its own messages has just then. So that message counts as acknowledged; it
// is lost only if the connection ends right now.
func (r *repair) OnPacketRead(cl *mochi.Client, pk packets.Packet) (packets.Packet, error) {
	switch pk.FixedHeader.Type {
	case packets.Publish, packets.Subscribe, packets.Unsubscribe:
		ownID(cl, pk.PacketID)
	}
	return pk, nil
}

// OnSubscribe does that once more, at the last moment before the server looks.
func (r *repair) OnSubscribe(cl *mochi.Client, pk packets.Packet) packets.Packet {
	ownID(cl, pk.PacketID)
	return pk
}

func ownID(cl *mochi.Client, id uint16) {
	if pk, ok := cl.State.Inflight.Get(id); ok && pk.FixedHeader.Type == packets.Publish && cl.State.Inflight.Delete(id) {
		cl.State.Inflight.IncreaseSendQuota()
	}
}

// OnPacketSent is called after a SUBACK and before the retained messages of the
// subscription are looked up.
func (r *repair) OnPacketSent(cl *mochi.Client, pk packets.Packet, _ []byte) {
	if pk.FixedHeader.Type == packets.Suback {
		r.gate.RLock()
		r.answering.Store(cl, struct{}{})
	}
}

// OnPacketProcessed is called after them.
func (r *repair) OnPacketProcessed(cl *mochi.Client, pk packets.Packet, _ error) {
	if pk.FixedHeader.Type != packets.Subscribe {
		return
	}
	if _, held := r.answering.LoadAndDelete(cl); held {
		r.gate.RUnlock()
	}
}

// OnPublish is called right before a message is retained. It bounds how many
// there are: one too many is delivered, but not kept.
func (r *repair) OnPublish(cl *mochi.Client, pk packets.Packet) (packets.Packet, error) {
	if pk.FixedHeader.Retain && len(pk.Payload) > 0 && r.retained() >= maxRetained {
		pk.FixedHeader.Retain = false
	}
	if pk.FixedHeader.Retain {
		r.hold(cl)
	}
	return pk, nil
}

// OnWill is called right before a will is retained.
func (r *repair) OnWill(cl *mochi.Client, will mochi.Will) (mochi.Will, error) {
	if will.Retain {
		r.hold(cl)
	}
	return will, nil
}

func (r *repair) hold(cl *mochi.Client) {
	r.gate.Lock()
	r.changing.Store(cl)
}

// OnRetainMessage is called right after a message was retained.
func (r *repair) OnRetainMessage(cl *mochi.Client, _ packets.Packet, _ int64) {
	if r.changing.CompareAndSwap(cl, nil) {
		r.gate.Unlock()
	}
}
