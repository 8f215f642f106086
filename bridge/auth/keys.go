package auth

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

const (
	keyPrefix  = "wsk_"
	keyIDBytes = 5 // 8 characters
	shownChars = 8 // of a key, in lists
	maxKey     = 512
)

var keyPattern = regexp.MustCompile(`^wsk_[A-Za-z0-9_-]{24,}$`)

// keyRecord is a key as the store keeps it.
type keyRecord struct {
	Key    bridge.Key
	Digest digest
	Taken  bool // its secret was the camera's own, so the id is no part of it
}

func (a *Auth) loadKeys(fromFile []ConfigKey) (err error) {
	if a.keys, err = a.keyTable.All(); err != nil {
		return err
	}
	for _, c := range fromFile {
		r, err := c.record()
		if err != nil {
			return err
		}
		same := func(o keyRecord) bool { return o.Digest.equal(r.Digest) }
		if i := slices.IndexFunc(a.fileKeys, same); i >= 0 {
			return bridge.Errorf(bridge.CodeInvalid, "%s: camera %s has the same key as camera %s: each camera needs its own",
				c.Source, c.Camera, a.fileKeys[i].Key.Camera)
		}
		a.fileKeys = append(a.fileKeys, r)
	}
	return nil
}

func (c ConfigKey) record() (keyRecord, error) {
	if err := bridge.CheckID(c.Camera); err != nil {
		return keyRecord{}, err
	}
	if !keyPattern.MatchString(c.Secret) {
		return keyRecord{}, bridge.Errorf(bridge.CodeInvalid, "%s: the key of camera %s must be wsk_ and 24 or more letters, digits, - or _", c.Source, c.Camera)
	}
	k := bridge.Key{ID: "config-" + c.Camera, Camera: c.Camera, Prefix: c.Secret[:shownChars], Source: c.Source}
	return keyRecord{Key: k, Digest: digestOf(c.Secret)}, nil
}

// VerifyKey returns the key that the secret is, if it is one.
func (a *Auth) VerifyKey(secret string) (bridge.Key, bool) {
	if len(secret) > maxKey || !keyPattern.MatchString(secret) {
		return bridge.Key{}, false
	}
	d := digestOf(secret)
	id, _, _ := strings.Cut(secret[len(keyPrefix):], "_")
	a.mu.Lock()
	defer a.mu.Unlock()
	if r, ok := a.keys[id]; ok && r.Digest.equal(d) {
		return r.Key, true
	}
	for _, r := range a.fileKeys {
		if r.Digest.equal(d) {
			return r.Key, true
		}
	}
	for _, r := range a.keys {
		if r.Taken && r.Digest.equal(d) {
			return r.Key, true
		}
	}
	return bridge.Key{}, false
}

// Take makes a secret that a camera brought along its key. Its errors are
// CodeInvalid for a text that is no key, CodeConflict for one that is known, and
// CodeUnavailable if it could not be stored.
func (a *Auth) Take(camera, secret, identity string) (bridge.Key, error) {
	if len(secret) > maxKey || !keyPattern.MatchString(secret) {
		return bridge.Key{}, bridge.Errorf(bridge.CodeInvalid, "a key must be wsk_ and 24 or more letters, digits, - or _")
	}
	if k, known := a.VerifyKey(secret); known {
		return bridge.Key{}, bridge.Errorf(bridge.CodeConflict, "that is the key of camera %s", k.Camera)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	k := bridge.Key{ID: a.freeIDLocked(), Camera: camera, Prefix: secret[:shownChars], Identity: identity, Created: a.now().UTC().Truncate(time.Second)}
	return k, a.keepLocked(keyRecord{Key: k, Digest: digestOf(secret), Taken: true})
}

func (a *Auth) freeIDLocked() string {
	id := random(keyIDBytes)
	for _, taken := a.keys[id]; taken; _, taken = a.keys[id] {
		id = random(keyIDBytes)
	}
	return id
}

func (a *Auth) keepLocked(r keyRecord) error {
	if err := a.keyTable.Put(r.Key.ID, r); err != nil {
		return bridge.Errorf(bridge.CodeUnavailable, "the new key could not be stored: %w", err)
	}
	a.keys[r.Key.ID] = r
	return nil
}

// Mint makes a key for the camera and returns its secret, which nothing shows
// again. identity is StreamHub's name of the device and may be empty.
func (a *Auth) Mint(camera, identity string) (secret string, k bridge.Key, err error) {
	if err := bridge.CheckID(camera); err != nil {
		return "", k, err
	}
	if identity != "" && !bridge.ValidRoom(identity) {
		return "", k, bridge.Errorf(bridge.CodeInvalid, "identity must be 1 to 64 letters, digits, - or _").At("identity")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	id := a.freeIDLocked()
	secret = keyPrefix + id + "_" + random(secretBytes)
	k = bridge.Key{ID: id, Camera: camera, Prefix: secret[:shownChars], Identity: identity, Created: a.now().UTC().Truncate(time.Second)}
	if err := a.keepLocked(keyRecord{Key: k, Digest: digestOf(secret)}); err != nil {
		return "", bridge.Key{}, err
	}
	return secret, k, nil
}

// Revoke forgets a minted key and returns it. A key of the configuration file
// is CodeConflict, an unknown one CodeNotFound.
func (a *Auth) Revoke(keyID string) (bridge.Key, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range a.fileKeys {
		if r.Key.ID == keyID {
			return bridge.Key{}, bridge.Errorf(bridge.CodeConflict, "the key of camera %s stands in %s: remove it there", r.Key.Camera, r.Key.Source)
		}
	}
	r, ok := a.keys[keyID]
	if !ok {
		return bridge.Key{}, bridge.Errorf(bridge.CodeNotFound, "there is no key %.40q", keyID)
	}
	return r.Key, a.forgetLocked(keyID)
}

// RevokeCamera forgets all minted keys of a camera that was removed, and what
// opens its pictures.
func (a *Auth) RevokeCamera(camera string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for id, r := range a.keys {
		if r.Key.Camera != camera {
			continue
		}
		if err := a.forgetLocked(id); err != nil {
			return err
		}
	}
	return a.forgetStreamsLocked(camera)
}

func (a *Auth) forgetLocked(id string) error {
	if err := a.keyTable.Delete(id); err != nil {
		return bridge.Errorf(bridge.CodeUnavailable, "key %s could not be removed: %w", id, err)
	}
	delete(a.keys, id)
	return nil
}

// Keys lists all keys, by camera and then by age, those of the file first.
func (a *Auth) Keys() []bridge.Key {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := make([]bridge.Key, 0, len(a.fileKeys)+len(a.keys))
	for _, r := range a.fileKeys {
		out = append(out, r.Key)
	}
	for _, r := range a.keys {
		out = append(out, r.Key)
	}
	slices.SortFunc(out, func(x, y bridge.Key) int {
		return cmp.Or(cmp.Compare(x.Camera, y.Camera), x.Created.Compare(y.Created), cmp.Compare(x.ID, y.ID))
	})
	return out
}
