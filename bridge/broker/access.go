package broker

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// internalUser is the client in this program. A dollar sign cannot be mistaken
// for a person.
const internalUser = "$bridge"

// access decides who may connect and what may be done. It is a hook of the
// server, called from the goroutine of the client in question.
type access struct {
	mochi.HookBase
	users    map[string][sha256.Size]byte // empty: everybody
	internal string                       // password of internalUser
	retained func() int
	log      *slog.Logger

	refused atomic.Int64
	said    atomic.Int64 // unix seconds of the last line about a refusal
}

func newAccess(users []User, log *slog.Logger) *access {
	a := &access{users: map[string][sha256.Size]byte{}, internal: newSecret(), log: log}
	for _, u := range users {
		a.users[u.Name] = sha256.Sum256([]byte(u.Password))
	}
	return a
}

// ID names the hook.
func (a *access) ID() string { return "access" }

// Provides tells the server which methods to call.
func (a *access) Provides(b byte) bool {
	return bytes.IndexByte([]byte{mochi.OnConnect, mochi.OnConnectAuthenticate, mochi.OnACLCheck, mochi.OnPublish, mochi.OnPacketRead, mochi.OnSubscribe, mochi.OnUnsubscribe}, b) >= 0
}

// OnConnect withdraws topic aliases: the server would give a topic its alias
// even when the message that announces it is dropped, and the client could then
// not know the topic of any later one.
func (a *access) OnConnect(cl *mochi.Client, _ packets.Packet) error {
	cl.Properties.Props.TopicAliasMaximum = 0
	return nil
}

// OnConnectAuthenticate checks name and password.
func (a *access) OnConnectAuthenticate(cl *mochi.Client, pk packets.Packet) bool {
	if a.allowed(string(pk.Connect.Username), pk.Connect.Password, cl.Net.Remote) {
		return true
	}
	a.refused.Add(1)
	a.say(string(pk.Connect.Username), cl.Net.Remote)
	return false
}

// allowed takes the same time for an unknown name as for a wrong password.
func (a *access) allowed(name string, password []byte, remote string) bool {
	if len(a.users) == 0 {
		return true
	}
	want, known := a.users[name]
	if name == internalUser {
		want, known = sha256.Sum256([]byte(a.internal)), loopback(remote)
	}
	got := sha256.Sum256(password)
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1 && known
}

func loopback(remote string) bool {
	host, _, _ := net.SplitHostPort(remote)
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// say writes at most one line in 10 s, because a client with a wrong password
// tries for ever.
func (a *access) say(name, remote string) {
	now, last := time.Now().Unix(), a.said.Load()
	if now-last >= 10 && a.said.CompareAndSwap(last, now) {
		a.log.Warn("MQTT client refused: wrong user name or password, see mqtt.embedded.users", "user", limited(name), "address", remote, "refused", a.refused.Load())
	}
}

// limited is s without what could fill or forge a line of the log.
func limited(s string) string {
	s = strings.ToValidUTF8(s, "?")
	if len(s) > 64 {
		s = strings.ToValidUTF8(s[:64], "") + "..."
	}
	return s
}

// OnACLCheck lets everybody do everything but pretend to be the broker.
func (a *access) OnACLCheck(_ *mochi.Client, topic string, write bool) bool {
	return !write || !strings.HasPrefix(topic, "$")
}

// OnPublish bounds the retained messages: one too many is delivered, but not
// kept.
func (a *access) OnPublish(_ *mochi.Client, pk packets.Packet) (packets.Packet, error) {
	if pk.FixedHeader.Retain && len(pk.Payload) > 0 && a.retained() >= maxRetained {
		pk.FixedHeader.Retain = false
	}
	return pk, nil
}

// The server keeps the ids of its own packets and of the client's in one table,
// though MQTT has two: it refuses a subscription (0x91, which MQTT 3.1.1 does not
// even have) whose id one of its own messages has just then. So that message
// counts as acknowledged, which is lost only if the connection ends right now.
func ownID(cl *mochi.Client, id uint16) {
	if pk, ok := cl.State.Inflight.Get(id); ok && pk.FixedHeader.Type == packets.Publish && cl.State.Inflight.Delete(id) {
		cl.State.Inflight.IncreaseSendQuota()
	}
}

// OnPacketRead frees the id of a message that the client publishes.
func (a *access) OnPacketRead(cl *mochi.Client, pk packets.Packet) (packets.Packet, error) {
	if pk.FixedHeader.Type == packets.Publish && pk.FixedHeader.Qos > 0 {
		ownID(cl, pk.PacketID)
	}
	return pk, nil
}

// OnSubscribe frees the id of a subscription, at the last moment before the
// server looks.
func (a *access) OnSubscribe(cl *mochi.Client, pk packets.Packet) packets.Packet {
	ownID(cl, pk.PacketID)
	return pk
}

// OnUnsubscribe does the same for the end of a subscription.
func (a *access) OnUnsubscribe(cl *mochi.Client, pk packets.Packet) packets.Packet {
	ownID(cl, pk.PacketID)
	return pk
}
