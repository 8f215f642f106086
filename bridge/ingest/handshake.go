package ingest

import (
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/wire"
)

// maxKey is the length of a key in characters beyond which nobody looks at it.
const maxKey = 256

// unauthorised is the close code of everything that is wrong with a handshake.
const unauthorised = 4401

// claimOf reads what a camera shows. The reason is "" unless app, room or key
// is malformed. A malformed identity counts as none, as on StreamHub.
func claimOf(r *http.Request) (bridge.Claim, bridge.Reason) {
	q := r.URL.Query()
	c := bridge.Claim{
		App: q.Get("app"), Room: q.Get("room"), Identity: q.Get("identity"),
		Key: bearer(r.Header.Get("Authorization")), Address: r.RemoteAddr,
	}
	if c.Key == "" {
		c.Key = q.Get("key")
	}
	if !bridge.ValidRoom(c.Identity) {
		c.Identity = ""
	}
	switch {
	case c.App != "" && !bridge.ValidRoom(c.App):
		return c, bridge.ReasonInvalidApp
	case c.Room != "" && !bridge.ValidRoom(c.Room):
		return c, bridge.ReasonInvalidRoom
	case c.Key == "" || len(c.Key) > maxKey:
		return c, bridge.ReasonInvalidKey
	}
	return c, ""
}

func bearer(header string) string {
	scheme, key, _ := strings.Cut(strings.TrimSpace(header), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(key)
}

// admit asks the registry. The reason is "" if the camera may send.
func (in *Ingest) admit(claim bridge.Claim, l bridge.Link) (bridge.Session, bridge.Reason, error) {
	s, err := in.registry.Admit(claim, l)
	if err == nil {
		in.counts.admitted.Add(1)
		return s, "", nil
	}
	var refusal *bridge.Refusal
	if errors.As(err, &refusal) {
		return nil, refusal.Reason, err
	}
	return nil, bridge.ReasonHandshake, err
}

// refused counts a refusal and returns the reason that the camera is told. Good
// keys are never counted, whatever else they are refused for (4403, 4409), and
// admitted from every address: hundreds of cameras may share one with a device
// that retries a wrong key for ever.
func (in *Ingest) refused(reason bridge.Reason, address string, err error) bridge.Reason {
	now := in.cfg.Now()
	if wire.CloseCode(reason) == unauthorised && in.refusals.over(address, now) {
		reason = bridge.ReasonRateLimited
	}
	in.counts.refused.add(reason)
	if in.told.first("refused "+string(reason)+" "+hostOf(address), now) {
		args := []any{"event", "camera_refused", "reason", reason, "address", address}
		if err != nil {
			args = append(args, "err", err)
		}
		in.log.Warn("camera refused", args...)
	}
	return reason
}

func hostOf(address string) string { return blockOf(address).String() }

const (
	refusalWindow = time.Minute
	maxRefusals   = 60     // per address and window; what is above is told "rate_limited"
	maxAddresses  = 10_000 // in the table; further ones count as being above
)

// refusals counts refused handshakes by address in windows of a minute. The
// zero value is ready for use.
type refusals struct {
	mu    sync.Mutex
	since time.Time
	count map[netip.Prefix]int
}

// over counts one refusal and reports whether it is above the limit.
func (r *refusals) over(address string, now time.Time) bool {
	block := blockOf(address)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.count == nil || now.Sub(r.since) >= refusalWindow {
		r.since, r.count = now, map[netip.Prefix]int{}
	}
	n, known := r.count[block]
	if !known && len(r.count) == maxAddresses {
		return true
	}
	r.count[block] = n + 1
	return n >= maxRefusals
}

// blockOf returns what counts as one address: an IPv6 peer has its whole /64.
// What is no address counts as the zero Prefix.
func blockOf(address string) netip.Prefix {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return netip.Prefix{}
	}
	ip := ap.Addr().Unmap().WithZone("")
	bits := 32
	if ip.Is6() {
		bits = 64
	}
	p, err := ip.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

const (
	repeatAfter = time.Minute
	maxMemory   = 4096 // entries; a full memory is emptied, so that something is said twice
)

// memory keeps repeats of log lines and notices apart by a minute. The zero
// value is ready for use.
type memory struct {
	mu   sync.Mutex
	last map[string]time.Time
}

// first reports whether what was not said in the last minute.
func (m *memory) first(what string, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if at, ok := m.last[what]; ok && now.Sub(at) < repeatAfter {
		return false
	}
	if m.last == nil || len(m.last) >= maxMemory {
		m.last = map[string]time.Time{}
	}
	m.last[what] = now
	return true
}
