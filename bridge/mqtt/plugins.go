package mqtt

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// What the bridge tells of its plugins, and what they tell themselves:
//
//	<base>/bridge/plugins                      how many run and which need somebody; retained
//	<base>/plugin/<instance>/<name>            a state of the plugin (SetState); retained
//	<base>/plugin/<instance>/event/<name>      a message of the plugin (Publish); not retained
//
// A state is sent again whenever everything is, and ends with its instance: at
// once, or after the next connection, when what an earlier process left behind
// is looked for below this base topic. A plugin cannot name a topic outside its
// own branch, nor one that is heard as a command.

const (
	// maxPublish is the longest message of a plugin, maxPluginState its longest
	// state, in bytes.
	maxPublish     = 64 << 10
	maxPluginState = 4 << 10
	// maxPluginStates is how many states an instance may have.
	maxPluginStates = 64
)

// Plugins is the part of package pluginhost that the client uses.
type Plugins interface {
	List() []bridge.Plugin
	Subscribe() (changed <-chan struct{}, cancel func())
}

var (
	instancePattern = regexp.MustCompile(`^[a-z0-9_-]{1,64}$`)
	namePattern     = regexp.MustCompile(`^[a-z0-9_-]{1,32}$`)
)

// pluginStates are the states of all instances, for the next announcement. They
// are set from any goroutine; the lock is held while one is handed over, so that
// the broker's order is ours.
type pluginStates struct {
	mu sync.Mutex
	of map[string]map[string][]byte // by instance and name
}

// Publish sends a message of a plugin to <base>/plugin/<instance>/event/<name>,
// once and not retained. It may be called from any goroutine and never waits. Its
// error is a *bridge.Error: CodeInvalid for a wrong name, CodeTooLarge, or
// CodeUnavailable while there is no connection.
func (c *Client) Publish(instance, name string, payload []byte) error {
	if err := checkPlugin(instance, name, len(payload), maxPublish); err != nil {
		return err
	}
	if !c.status.get().Connected {
		return bridge.Errorf(bridge.CodeUnavailable, "there is no connection to the MQTT broker: %s", cmp.Or(c.status.get().LastError, "it is being opened"))
	}
	c.out.event(message{topic: c.topics.plugin(instance, "event/"+name), payload: append([]byte(nil), payload...), qos: 1})
	return nil
}

// SetState puts a state of a plugin on <base>/plugin/<instance>/<name>, retained,
// now or as soon as there is a connection; "" takes it away. It may be called from
// any goroutine and never waits. Its error is a *bridge.Error: CodeInvalid for a
// wrong name, CodeTooLarge for a long value or too many names.
func (c *Client) SetState(instance, name, value string) error {
	if err := checkPlugin(instance, name, len(value), maxPluginState); err != nil {
		return err
	}
	if name == "set" || name == "event" {
		return bridge.Errorf(bridge.CodeInvalid, "%q cannot be the name of a state: that topic is for something else", name).At("name")
	}
	s := &c.states
	s.mu.Lock()
	defer s.mu.Unlock()
	mine := s.of[instance]
	if _, known := mine[name]; !known && len(mine) >= maxPluginStates {
		return bridge.Errorf(bridge.CodeTooLarge, "plugin %s has %d states already: it may not have more", instance, maxPluginStates)
	}
	if mine == nil {
		mine = map[string][]byte{}
		s.of[instance] = mine
	}
	mine[name] = []byte(value) // an empty one, too: perhaps only the next connection can end it
	c.putRetained(c.topics.plugin(instance, name), mine[name], 1, false)
	return nil
}

func checkPlugin(instance, name string, size, most int) error {
	switch {
	case !instancePattern.MatchString(instance):
		return bridge.Errorf(bridge.CodeInvalid, "%.64q is no plugin instance", instance).At("instance")
	case !namePattern.MatchString(name):
		return bridge.Errorf(bridge.CodeInvalid, "%.64q is no name: it must be 1 to 32 of a-z, 0-9, _ and -", name).At("name")
	case size > most:
		return bridge.Errorf(bridge.CodeTooLarge, "%s has %d bytes: %d are allowed", name, size, most).At(name)
	}
	return nil
}

// watchPlugins begins to hear of changes. Without plugins nothing ever comes.
func (c *Client) watchPlugins() (changed <-chan struct{}, cancel func()) {
	if c.deps.Plugins == nil {
		return nil, func() {}
	}
	return c.deps.Plugins.Subscribe()
}

// onPlugins publishes what changed, and ends the states of instances that are gone.
func (c *Client) onPlugins() {
	c.putPlugins()
	c.endPluginStates()
	if c.live {
		c.putBridgeStats(false)
	}
}

// endPluginStates ends those of instances that are gone.
func (c *Client) endPluginStates() {
	c.states.mu.Lock()
	defer c.states.mu.Unlock()
	for instance, states := range c.states.of {
		if c.hasPlugin(instance) {
			continue
		}
		for name := range states {
			c.clear(c.topics.plugin(instance, name))
		}
		delete(c.states.of, instance)
	}
}

// hasPlugin reports whether there is an instance of that name.
func (c *Client) hasPlugin(instance string) bool {
	return slices.ContainsFunc(c.plugins, func(p bridge.Plugin) bool { return p.Instance == instance })
}

// failedPlugin is one that a person should look at.
type failedPlugin struct {
	Instance string             `json:"instance"`
	State    bridge.PluginState `json:"state"`
	Problem  string             `json:"problem"`
}

// putPlugins looks at the plugins, and publishes how many run and which have a
// problem.
func (c *Client) putPlugins() {
	if c.deps.Plugins == nil {
		if _, were := c.parts["plugin_problem"]; were {
			c.clear(c.topics.bridge("plugins"))
		}
		return
	}
	c.plugins = c.deps.Plugins.List()
	failed := []failedPlugin{}
	for _, p := range c.plugins {
		if p.State.Problem() {
			failed = append(failed, failedPlugin{p.Instance, p.State, cut(clean(p.Problem), maxState)})
		}
	}
	c.putRetained(c.topics.bridge("plugins"), encode(map[string]any{
		"running": c.running(), "problem": len(failed) > 0, "failed": failed,
	}), 1, false)
}

// running counts the plugins that take work.
func (c *Client) running() (n int) {
	for _, p := range c.plugins {
		if p.State.Running() {
			n++
		}
	}
	return n
}

// putPluginStates publishes the states of all plugins.
func (c *Client) putPluginStates() {
	c.states.mu.Lock()
	defer c.states.mu.Unlock()
	for _, instance := range sortedKeys(c.states.of) {
		for name, value := range c.states.of[instance] {
			c.putRetained(c.topics.plugin(instance, name), value, 1, false)
		}
	}
}

// sweepPlugins listens for the states that plugins left behind.
func (c *Client) sweepPlugins() {
	s, filter := c.session, c.topics.plugin("+", "+")
	asked := s.paho.Subscribe(filter, 1, nil)
	c.wg.Go(func() { _ = s.wait(asked) }) // without it nothing is swept
	c.agenda.in(sweepTime, "sweep plugins", func() {
		if c.session == s && c.live {
			over := s.paho.Unsubscribe(filter)
			c.wg.Go(func() { _ = s.wait(over) }) // what comes all the same is thrown away
		}
	})
}

// isPluginState reports whether a topic is one of a plugin's states.
func (c *Client) isPluginState(topic string) bool {
	return strings.HasPrefix(topic, c.topics.base+"/plugin/") && !strings.HasSuffix(topic, "/set")
}

// onLeftover ends the state of an instance that is not there any more.
func (c *Client) onLeftover(m incoming) {
	instance, _, _ := strings.Cut(strings.TrimPrefix(m.topic, c.topics.base+"/plugin/"), "/")
	if c.hasPlugin(instance) {
		return
	}
	c.log.Info("a state of a plugin that is gone is removed", "topic", m.topic)
	c.clear(m.topic)
}
