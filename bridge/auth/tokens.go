package auth

import (
	"slices"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

const (
	tokenPrefix    = "esb_"
	firstToken     = "first"
	minTokenLength = 8
)

// tokenRecord is a token without its secret.
type tokenRecord struct {
	Name    string
	Role    bridge.Role
	Cameras []string
	Digest  digest
	Created time.Time // zero for one from the configuration
}

func (t tokenRecord) principal() bridge.Principal {
	return bridge.Principal{Name: t.Name, Role: t.Role, Cameras: t.Cameras}
}

// loadTokens takes the tokens of the configuration and, unless one of those is
// an admin's, the first token that an earlier start made: who writes an admin
// token of his own means that one.
func (a *Auth) loadTokens(fromFile []Token) error {
	for _, t := range fromFile {
		r, err := t.record()
		if err != nil {
			return err
		}
		same := func(o tokenRecord) bool { return o.Digest.equal(r.Digest) }
		if i := slices.IndexFunc(a.tokens, same); i >= 0 {
			return bridge.Errorf(bridge.CodeInvalid, "the tokens %s and %s are the same: each name needs its own", a.tokens[i].Name, r.Name)
		}
		a.tokens = append(a.tokens, r)
	}
	if slices.ContainsFunc(a.tokens, func(t tokenRecord) bool { return t.Role == bridge.Admin }) {
		return nil
	}
	first, ok, err := a.tokenTable.Get(firstToken)
	if ok {
		a.tokens = append(a.tokens, first)
	}
	return err
}

func (t Token) record() (tokenRecord, error) {
	switch {
	case t.Name == "":
		return tokenRecord{}, bridge.Errorf(bridge.CodeInvalid, "a token needs a name")
	case len(t.Secret) < minTokenLength:
		return tokenRecord{}, bridge.Errorf(bridge.CodeInvalid, "token %s is shorter than %d characters", t.Name, minTokenLength)
	case t.Role == bridge.Public || !t.Role.Includes(bridge.Public):
		return tokenRecord{}, bridge.Errorf(bridge.CodeInvalid, "token %s has the role %q: use viewer, operator or admin", t.Name, t.Role)
	}
	r := tokenRecord{Name: t.Name, Role: t.Role, Digest: digestOf(t.Secret)}
	if len(t.Cameras) > 0 {
		r.Cameras = slices.Clone(t.Cameras)
	}
	return r, nil
}

// FirstToken makes an admin token when there is no token at all, and reports
// whether it did. The caller shows the secret once; nothing shows it again.
func (a *Auth) FirstToken() (secret string, made bool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.tokens) > 0 {
		return "", false, nil
	}
	secret = tokenPrefix + random(secretBytes)
	r := tokenRecord{Name: firstToken, Role: bridge.Admin, Digest: digestOf(secret), Created: a.now().UTC().Truncate(time.Second)}
	if err := a.tokenTable.Put(firstToken, r); err != nil {
		return "", false, bridge.Errorf(bridge.CodeUnavailable, "the first token could not be stored: %w", err)
	}
	a.tokens = append(a.tokens, r)
	return secret, true, nil
}

// VerifyToken returns who holds the secret, if it is a token.
func (a *Auth) VerifyToken(secret string) (bridge.Principal, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	t, ok := a.tokenLocked(digestOf(secret))
	return t.principal(), ok
}

// tokenLocked compares with every token, so that its time says nothing.
func (a *Auth) tokenLocked(d digest) (found tokenRecord, ok bool) {
	for _, t := range a.tokens {
		if t.Digest.equal(d) {
			found, ok = t, true
		}
	}
	return found, ok
}
