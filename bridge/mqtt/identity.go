package mqtt

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
)

// Keys in the Store.
const (
	keyPrefix   = "prefix"
	keyInstance = "instance"
	keyParts    = "components/" // + camera id, or "bridge"
	keyInterval = "interval/"   // + camera id
)

// claim says who is talking: a program that runs on a base topic. It is part of
// the retained <base>/bridge/info and all of <base>/bridge/claim.
type claim struct {
	Instance string `json:"instance"` // of the state directory
	Run      string `json:"run"`      // of the process; orders by start
	Name     string `json:"name"`
	Ask      bool   `json:"ask,omitempty"`
}

// identify reads what must not change from one start to the next, or makes it:
// the id prefix follows the base topic once and never again, because ids that
// change give Home Assistant every entity a second time.
func (c *Client) identify() error {
	var err error
	if c.prefix, err = c.remember(keyPrefix, idPrefix(c.cfg.BaseTopic)); err != nil {
		return fmt.Errorf("mqtt: id prefix: %w", err)
	}
	c.self.Name = c.cfg.Name
	if c.self.Instance, err = c.remember(keyInstance, randomHex(4)); err != nil {
		return fmt.Errorf("mqtt: instance id: %w", err)
	}
	c.self.Run = fmt.Sprintf("%016x-%s", c.started.UnixNano(), randomHex(4))
	return nil
}

// remember returns what the store has under key, or puts value there.
func (c *Client) remember(key, value string) (string, error) {
	old, ok, err := c.deps.Store.Get(key)
	if ok || err != nil {
		return old, err
	}
	return value, c.deps.Store.Put(key, value)
}

func idPrefix(base string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_' || r == '-' {
			return r
		}
		return '_'
	}, base)
}

func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// clientID is the same at each start, so that a new process takes the place of a
// dead one at once, and the dead one's will does not come later.
func (c *Client) clientID() string {
	name := idPrefix(strings.ToLower(c.cfg.Name))
	if len(name) > 32 {
		name = name[:32]
	}
	id := c.prefix + "-"
	if name != "" {
		id += name + "-"
	}
	return id + c.self.Instance
}

// device is the id of a camera's device, or of the bridge's own.
func (c *Client) device(name string) string { return c.prefix + "_" + name }
