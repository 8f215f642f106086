package mqtt

import (
	"net"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

func withDefaults(c Config) Config {
	or := func(s *string, d string) {
		if *s == "" {
			*s = d
		}
	}
	or(&c.BaseTopic, "espcam")
	or(&c.App, bridge.DefaultApp)
	or(&c.BirthPayload, "online")
	or(&c.Version, "dev")
	if c.DiscoveryPrefix != "" {
		or(&c.BirthTopic, c.DiscoveryPrefix+"/status")
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = 10 * time.Second
	}
	if c.Preview > 0 {
		c.Preview = max(c.Preview, minPreview)
	}
	return c
}

// check returns an *Error that names the configuration key, or nil.
func check(c Config) error {
	if _, err := brokerURL(c.Broker); err != nil {
		return err
	}
	for field, topic := range map[string]string{"mqtt.base_topic": c.BaseTopic, "mqtt.discovery_prefix": c.DiscoveryPrefix} {
		if topic != "" && !validTopic(topic) {
			return bridge.Errorf(bridge.CodeInvalid, "%s is %.64q: it must be a topic such as espcam or home/cams, without +, # and empty levels", field, topic).At(field)
		}
	}
	if c.BaseTopic == c.DiscoveryPrefix {
		return bridge.Errorf(bridge.CodeInvalid, "mqtt.base_topic is the same as mqtt.discovery_prefix: choose another").At("mqtt.base_topic")
	}
	return nil
}

func validTopic(s string) bool {
	return len(s) <= 200 && utf8.ValidString(s) && !strings.ContainsAny(s, "+#\x00") && s[0] != '$' &&
		!strings.HasPrefix(s, "/") && !strings.HasSuffix(s, "/") && !strings.Contains(s, "//")
}

// brokerURL parses the broker's address and adds the usual port.
func brokerURL(s string) (*url.URL, error) {
	ports := map[string]string{"mqtt": "1883", "mqtts": "8883", "ws": "80", "wss": "443"}
	u, err := url.Parse(s)
	if err != nil || ports[u.Scheme] == "" || u.Hostname() == "" || u.User != nil {
		return nil, bridge.Errorf(bridge.CodeInvalid, "mqtt.broker must be a URL such as mqtt://192.168.1.2:1883; mqtt, mqtts, ws and wss are known, name and password have keys of their own").At("mqtt.broker")
	}
	if u.Port() == "" {
		u.Host = net.JoinHostPort(u.Hostname(), ports[u.Scheme])
	}
	return u, nil
}

// topics knows the name of every topic.
type topics struct{ base, discovery string }

// bridge is a topic of the bridge itself.
func (t topics) bridge(name string) string { return t.base + "/bridge/" + name }

// camera is a topic of a camera: T/name in the documentation.
func (t topics) camera(id, name string) string { return t.base + "/" + id + "/" + name }

// plugin is a topic of a plugin instance.
func (t topics) plugin(instance, name string) string {
	return t.base + "/plugin/" + instance + "/" + name
}

// document is where Home Assistant looks for a device.
func (t topics) document(device string) string { return t.discovery + "/device/" + device + "/config" }

// command takes a topic that ends in /set apart. property is empty for
// <base>/<camera>/set.
func (t topics) command(topic string) (camera, property string, ok bool) {
	rest, below := strings.CutPrefix(topic, t.base+"/")
	rest, set := strings.CutSuffix(rest, "/set")
	camera, property, _ = strings.Cut(rest, "/")
	return camera, property, below && set && !strings.Contains(property, "/")
}
