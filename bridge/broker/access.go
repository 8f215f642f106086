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
	return bytes.IndexByte([]byte{mochi.OnConnect, mochi.OnConnectAuthenticate, mochi.OnACLCheck}, b) >= 0
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

// OnACLCheck lets everybody do everything, but for the broker's own topics.
func (a *access) OnACLCheck(_ *mochi.Client, topic string, _ bool) bool {
	return !strings.HasPrefix(topic, "$") || strings.HasPrefix(topic, "$share/")
}
