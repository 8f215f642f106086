// Package auth decides who is who: cameras by their keys, programs by tokens,
// browsers by sessions.
//
// Fleet asks it for camera keys (VerifyKey, Mint, Revoke), httpapi for people
// and programs (VerifyToken, Login, Session) and for what may see pictures only
// (VerifyStreamToken). App makes it from the configuration and prints the first
// token, if one had to be made.
//
// No secret is kept: of keys, tokens and session cookies there is a SHA-256 only,
// which is enough because each of ours has 256 random bits. Comparisons take
// constant time. What is verified is held in memory, so a slow or full disk never
// keeps a camera or a person out; minting and revoking do wait for the disk and
// fail with its error.
package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/store"
)

// Config is what the configuration file says about credentials. Secrets in it
// are hashed by Open and not kept.
type Config struct {
	Tokens []Token
	Keys   []ConfigKey
	Now    func() time.Time // nil means time.Now
}

// Token admits a program, or the browser of a person who types it in.
type Token struct {
	Name    string // for logs; not empty
	Secret  string // 8 characters or more
	Role    bridge.Role
	Cameras []string // ids that it may see; empty means all
}

// ConfigKey is a camera key from the configuration file.
type ConfigKey struct {
	Camera string // id of the one camera that it admits
	Secret string // wsk_ and 24 or more of [A-Za-z0-9_-]
	Source string // "file:line"
}

// Auth holds all credentials. Its methods may be called from any goroutine.
type Auth struct {
	now func() time.Time

	keyTable     *store.Table[keyRecord]
	tokenTable   *store.Table[tokenRecord]
	sessionTable *store.Table[sessionRecord]
	streamTable  *store.Table[streamRecord]

	mu       sync.Mutex
	keys     map[string]keyRecord // minted, by id
	fileKeys []keyRecord
	tokens   []tokenRecord
	sessions map[digest]*session
	streams  map[string]streamRecord // tokens for pictures, by id
}

// Open reads the stored credentials and adds those of the configuration. A bad
// token or key in c is a *bridge.Error with CodeInvalid.
func Open(c Config, s *store.Store) (*Auth, error) {
	a := &Auth{now: c.Now, sessions: map[digest]*session{}}
	if a.now == nil {
		a.now = time.Now
	}
	if err := a.openTables(s); err != nil {
		return nil, err
	}
	if err := a.loadKeys(c.Keys); err != nil {
		return nil, err
	}
	if err := a.loadTokens(c.Tokens); err != nil {
		return nil, err
	}
	var err error
	if a.streams, err = a.streamTable.All(); err != nil {
		return nil, err
	}
	return a, a.loadSessions()
}

func (a *Auth) openTables(s *store.Store) (err error) {
	if a.keyTable, err = store.NewTable[keyRecord](s, "keys"); err != nil {
		return err
	}
	if a.tokenTable, err = store.NewTable[tokenRecord](s, "tokens"); err != nil {
		return err
	}
	if a.sessionTable, err = store.NewTable[sessionRecord](s, "sessions"); err != nil {
		return err
	}
	a.streamTable, err = store.NewTable[streamRecord](s, "stream_tokens")
	return err
}

// digest is the SHA-256 of a secret.
type digest [sha256.Size]byte

func digestOf(secret string) digest { return sha256.Sum256([]byte(secret)) }

func (d digest) equal(o digest) bool { return subtle.ConstantTimeCompare(d[:], o[:]) == 1 }

// MarshalText writes the hexadecimal form that the store keeps.
func (d digest) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%x", d[:]), nil }

// UnmarshalText reads it.
func (d *digest) UnmarshalText(b []byte) error {
	var raw []byte
	if n, err := fmt.Sscanf(string(b), "%x", &raw); n != 1 || err != nil || len(raw) != len(d) {
		return fmt.Errorf("%q is not a SHA-256 digest", b)
	}
	copy(d[:], raw)
	return nil
}

func (d digest) String() string { return fmt.Sprintf("%x", d[:]) }

// random returns n random bytes in lower-case base32. crypto/rand never fails.
func random(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b))
}

// secretBytes makes a secret that nobody guesses: 256 bits.
const secretBytes = 32
