package auth

import (
	"cmp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

const (
	streamPrefix    = "est_"
	maxStreamName   = 64   // characters
	maxStreamTokens = 1000 // each is compared with, at every request for a picture
)

// streamRecord is a stream token as the store keeps it, under its id.
type streamRecord struct {
	Token  bridge.StreamToken
	Digest digest
}

// MintStreamToken makes a token for the pictures of the cameras, which must be
// known, and returns its secret, which nothing shows again. Its errors are
// *bridge.Error: CodeInvalid for a name or a list that cannot be, CodeConflict if
// there are too many, CodeUnavailable from the disk.
func (a *Auth) MintStreamToken(name string, cameras []string) (secret string, t bridge.StreamToken, err error) {
	name = strings.TrimSpace(name)
	if n := utf8.RuneCountInString(name); n == 0 || n > maxStreamName || !utf8.ValidString(name) {
		return "", t, bridge.Errorf(bridge.CodeInvalid, "a stream token needs a name of 1 to %d characters", maxStreamName).At("name")
	}
	if len(cameras) == 0 {
		return "", t, bridge.Errorf(bridge.CodeInvalid, "a stream token needs cameras: name at least one").At("cameras")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.streams) >= maxStreamTokens {
		return "", t, bridge.Errorf(bridge.CodeConflict, "there are %d stream tokens: revoke some that are not used", len(a.streams))
	}
	secret = streamPrefix + random(secretBytes)
	t = bridge.StreamToken{
		ID: a.freeStreamIDLocked(), Name: name, Cameras: slices.Compact(slices.Sorted(slices.Values(cameras))),
		Prefix: secret[:shownChars], Created: a.now().UTC().Truncate(time.Second),
	}
	r := streamRecord{t, digestOf(secret)}
	if err := a.streamTable.Put(t.ID, r); err != nil {
		return "", bridge.StreamToken{}, bridge.Errorf(bridge.CodeUnavailable, "the new stream token could not be stored: %w", err)
	}
	a.streams[t.ID] = r
	return secret, t, nil
}

func (a *Auth) freeStreamIDLocked() string {
	for {
		id := random(keyIDBytes)
		if _, taken := a.streams[id]; !taken {
			return id
		}
	}
}

// VerifyStreamToken returns who holds the secret, if it is a stream token: a
// viewer of its cameras. It opens pictures; the caller lets it do nothing else.
func (a *Auth) VerifyStreamToken(secret string) (bridge.Principal, bool) {
	d := digestOf(secret)
	a.mu.Lock()
	defer a.mu.Unlock()
	var found streamRecord
	for _, r := range a.streams { // all of them, so that the time says nothing
		if r.Digest.equal(d) {
			found = r
		}
	}
	if found.Token.ID == "" {
		return bridge.Principal{}, false
	}
	return bridge.Principal{Name: found.Token.Name, Role: bridge.Viewer, Cameras: found.Token.Cameras}, true
}

// RevokeStreamToken forgets a stream token: what it opened ends soon. An unknown
// one is CodeNotFound.
func (a *Auth) RevokeStreamToken(id string) (bridge.StreamToken, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r, ok := a.streams[id]
	if !ok {
		return bridge.StreamToken{}, bridge.Errorf(bridge.CodeNotFound, "there is no stream token %.40q", id)
	}
	return r.Token, a.forgetStreamLocked(id)
}

// StreamTokens lists all stream tokens, by name and then by age.
func (a *Auth) StreamTokens() []bridge.StreamToken {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := make([]bridge.StreamToken, 0, len(a.streams))
	for _, r := range a.streams {
		out = append(out, r.Token)
	}
	slices.SortFunc(out, func(x, y bridge.StreamToken) int {
		return cmp.Or(cmp.Compare(x.Name, y.Name), x.Created.Compare(y.Created), cmp.Compare(x.ID, y.ID))
	})
	return out
}

// forgetStreamsLocked takes a camera that was removed out of all stream tokens:
// a later one of the same id is another one.
func (a *Auth) forgetStreamsLocked(camera string) error {
	for id, r := range a.streams {
		if !slices.Contains(r.Token.Cameras, camera) {
			continue
		}
		if len(r.Token.Cameras) == 1 {
			if err := a.forgetStreamLocked(id); err != nil {
				return err
			}
			continue
		}
		r.Token.Cameras = slices.DeleteFunc(slices.Clone(r.Token.Cameras), func(c string) bool { return c == camera })
		if err := a.streamTable.Put(id, r); err != nil {
			return bridge.Errorf(bridge.CodeUnavailable, "stream token %s could not be stored: %w", id, err)
		}
		a.streams[id] = r
	}
	return nil
}

func (a *Auth) forgetStreamLocked(id string) error {
	if err := a.streamTable.Delete(id); err != nil {
		return bridge.Errorf(bridge.CodeUnavailable, "stream token %s could not be removed: %w", id, err)
	}
	delete(a.streams, id)
	return nil
}
