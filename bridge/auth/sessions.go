package auth

import (
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

const (
	sessionIdle = 24 * time.Hour
	sessionLife = 30 * 24 * time.Hour
	maxSessions = 1000             // beyond it, the one unused longest ends
	saveEvery   = 10 * time.Minute // how stale the stored Seen may be
)

// sessionRecord is a session as the store keeps it, under the digest of its
// cookie. It names the token it came from, so it ends with that token.
type sessionRecord struct {
	Token   digest
	Created time.Time
	Seen    time.Time
}

type session struct {
	sessionRecord
	saved time.Time // value of Seen in the store
}

func (s *session) over(now time.Time) bool {
	return now.Sub(s.Seen) > sessionIdle || now.Sub(s.Created) > sessionLife
}

func (a *Auth) loadSessions() error {
	all, err := a.sessionTable.All()
	if err != nil {
		return err
	}
	for key, r := range all {
		s := &session{r, r.Seen}
		var d digest
		_, known := a.tokenLocked(r.Token)
		if d.UnmarshalText([]byte(key)) != nil || s.over(a.now()) || !known {
			if err := a.sessionTable.Delete(key); err != nil {
				return err
			}
			continue
		}
		a.sessions[d] = s
	}
	return nil
}

// Login opens a session for the holder of a token and returns the cookie's
// value. It survives a restart unless the disk refused it.
func (a *Auth) Login(secret string) (cookie string, p bridge.Principal, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	t, ok := a.tokenLocked(digestOf(secret))
	if !ok {
		return "", p, false
	}
	a.makeRoomLocked()
	cookie = random(secretBytes)
	now := a.now().UTC()
	s := &session{sessionRecord: sessionRecord{t.Digest, now, now}}
	a.sessions[digestOf(cookie)] = s
	a.saveLocked(digestOf(cookie), s)
	return cookie, t.principal(), true
}

// Session returns who holds the cookie, if its session is alive, and counts as
// use of it. A session ends after 24 hours without use, after 30 days, and with
// its token.
func (a *Auth) Session(cookie string) (bridge.Principal, bool) {
	d := digestOf(cookie)
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.sessions[d]
	if s == nil {
		return bridge.Principal{}, false
	}
	now := a.now().UTC()
	t, ok := a.tokenLocked(s.Token)
	if !ok || s.over(now) {
		delete(a.sessions, d) // the next start forgets what is stored of it
		return bridge.Principal{}, false
	}
	s.Seen = now
	if now.Sub(s.saved) >= saveEvery {
		a.saveLocked(d, s)
	}
	return t.principal(), true
}

// Logout ends the session, if there is one. It is over at once; an error means
// that the disk still has it and would bring it back at the next start.
func (a *Auth) Logout(cookie string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.endLocked(digestOf(cookie))
}

// saveLocked writes the session. When the disk refuses, the session holds until
// the restart, and the next use tries again.
func (a *Auth) saveLocked(d digest, s *session) {
	if a.sessionTable.Put(d.String(), s.sessionRecord) == nil {
		s.saved = s.Seen
	}
}

func (a *Auth) endLocked(d digest) error {
	if _, ok := a.sessions[d]; !ok {
		return nil
	}
	delete(a.sessions, d)
	if err := a.sessionTable.Delete(d.String()); err != nil {
		return bridge.Errorf(bridge.CodeUnavailable, "the session could not be removed: %w", err)
	}
	return nil
}

func (a *Auth) makeRoomLocked() {
	if len(a.sessions) < maxSessions {
		return
	}
	var oldest digest
	var seen time.Time
	for d, s := range a.sessions {
		if seen.IsZero() || s.Seen.Before(seen) {
			oldest, seen = d, s.Seen
		}
	}
	delete(a.sessions, oldest)
	_ = a.sessionTable.Delete(oldest.String()) // at worst it is back after a restart, for at most its idle time
}
