package config

import (
	"fmt"
	"net"
	"slices"
	"strings"
)

// check finds what no single value shows. Each part looks only at values that
// were read without a problem, so that one mistake is not told twice.
func (l *loader) check(c *Config) {
	l.checkListeners(c)
	l.checkTLS(c.HTTP.TLS)
	l.checkAuth(c.HTTP)
	l.checkTokens(c.HTTP.Tokens)
	l.checkMQTT(c.MQTT)
	l.checkUsers(c.MQTT)
	l.checkCameras(c)
	l.checkPlugins(c)
	l.checkAlerts(c)
	if l.inline && l.public {
		l.warn(position{file: l.file}, "", "holds secrets and can be read by everybody on this machine: chmod 600 %s", l.file)
	}
}

// wrong is a problem of the key at path, if that key and the others could be
// read.
func (l *loader) wrong(path string, others []string, format string, args ...any) {
	if !slices.ContainsFunc(append(others, path), l.unread) {
		l.suggest(l.at(path), path, "", format, args...)
	}
}

// unread reports whether the key or one around it had a problem.
func (l *loader) unread(path string) bool {
	for ; path != ""; path = around(path) {
		if l.bad[path] {
			return true
		}
	}
	return false
}

// around returns the path of the key that path is in; "" for the top.
func around(path string) string { return path[:max(strings.LastIndexAny(path, ".["), 0)] }

func (l *loader) warn(at position, path, format string, args ...any) {
	if len(l.warnings) < maxProblems {
		l.warnings = append(l.warnings, Problem{File: at.file, Line: at.line, Column: at.col, Key: path, Message: fmt.Sprintf(format, args...)})
	}
}

// at is where a key stands; that of the nearest key around it that is written.
func (l *loader) at(path string) position {
	for ; path != ""; path = around(path) {
		if p, ok := l.where[path]; ok {
			return p
		}
	}
	return position{file: l.file}
}

// source is where a key of the file stands, as file:line.
func (l *loader) source(path string) string {
	p := l.at(path)
	return fmt.Sprintf("%s:%d", p.file, p.line)
}

// listener is an address that is opened, and the key that says so.
type listener struct{ path, addr string }

func (h HTTP) listeners() []listener {
	return []listener{{"http.listen", h.Listen}, {"http.tls.listen", h.TLS.Listen}}
}

// checkListeners finds two listeners that would want the same port.
func (l *loader) checkListeners(c *Config) {
	all := c.HTTP.listeners()
	if c.MQTT.Broker == "" {
		all = append(all, listener{"mqtt.embedded.listen", c.MQTT.Embedded.Address()})
	}
	for i, a := range all {
		for _, b := range all[:i] {
			if collide(a.addr, b.addr) {
				l.wrong(a.path, []string{b.path, "mqtt.broker"}, "has the same port as %s, which is %s: choose another", b.path, b.addr)
			}
		}
	}
}

func collide(a, b string) bool {
	hostA, portA, errA := net.SplitHostPort(a)
	hostB, portB, errB := net.SplitHostPort(b)
	if errA != nil || errB != nil || portA != portB || portA == "0" {
		return false
	}
	return hostA == hostB || anywhere(hostA) || anywhere(hostB)
}

func anywhere(host string) bool { return host == "" || host == "0.0.0.0" || host == "::" }

func (l *loader) checkTLS(t TLS) {
	parts := []struct{ path, text string }{{"http.tls.listen", t.Listen}, {"http.tls.cert", t.Cert}, {"http.tls.key", t.Key}}
	if t == (TLS{}) {
		return
	}
	for _, p := range parts {
		if p.text == "" {
			l.wrong(p.path, nil, "is missing: TLS needs listen, cert and key together")
		}
	}
}

func (l *loader) checkAuth(h HTTP) {
	if h.Auth {
		return
	}
	for _, on := range h.listeners() {
		if on.addr != "" && !loopback(on.addr) {
			l.wrong("http.auth", []string{on.path}, "is false, but %s is %s, where everybody in the network could watch: listen on 127.0.0.1, or remove auth: false", on.path, on.addr)
		}
	}
}

// unique complains of each value that stands there a second time. Empty ones
// are no values.
func (l *loader) unique(n int, at func(i int) (v, path, name string)) {
	first := map[string]string{}
	for i := range n {
		v, path, name := at(i)
		if v == "" {
			continue
		}
		if other, twice := first[v]; twice {
			l.wrong(path, nil, "%s is used twice, first in %s: choose another", name, l.source(other))
			continue
		}
		first[v] = path
	}
}

func (l *loader) checkTokens(tokens []Token) {
	path := func(i int, key string) string { return fmt.Sprintf("http.tokens[%d].%s", i, key) }
	l.unique(len(tokens), func(i int) (string, string, string) {
		return tokens[i].Name, path(i, "name"), quote(tokens[i].Name)
	})
	l.unique(len(tokens), func(i int) (string, string, string) {
		return tokens[i].Token.Reveal(), l.given(path(i, "token")), "this token"
	})
	for i, t := range tokens {
		if _, ok := l.where[path(i, "cameras")]; ok && len(t.Cameras) == 0 {
			l.wrong(path(i, "cameras"), nil, "names no camera: name some, or remove the line to allow all")
		}
	}
}

// given is the path of a secret or of its twin, whichever is written.
func (l *loader) given(path string) string {
	if _, ok := l.where[path+twinSuffix]; ok {
		return path + twinSuffix
	}
	return path
}

func (l *loader) checkMQTT(m MQTT) {
	if m.Broker != "" && !m.Password.IsZero() && m.Username == "" {
		l.wrong(l.given("mqtt.password"), []string{"mqtt.username"}, "needs mqtt.username too: MQTT has no password without one")
	}
	if m.BaseTopic == m.DiscoveryPrefix {
		l.wrong("mqtt.base_topic", []string{"mqtt.discovery_prefix"}, "is the same as mqtt.discovery_prefix: choose another")
	}
	if m.Broker == "" && (m.Username != "" || !m.Password.IsZero()) && !l.unread("mqtt.broker") {
		path := "mqtt.username"
		if m.Username == "" {
			path = l.given("mqtt.password")
		}
		l.warn(l.at(path), path, "has no effect without mqtt.broker: the users of the embedded broker stand in mqtt.embedded.users")
	}
}

func (l *loader) checkUsers(m MQTT) {
	users := m.Embedded.Users
	l.unique(len(users), func(i int) (string, string, string) {
		return users[i].Username, fmt.Sprintf("mqtt.embedded.users[%d].username", i), quote(users[i].Username)
	})
	switch path := "mqtt.embedded.users"; {
	case m.Broker != "" && len(users) > 0:
		l.warn(l.at(path), path, "have no effect with mqtt.broker: the embedded broker is not started")
	case m.Broker == "" && len(users) == 0 && !loopback(m.Embedded.Listen) && !l.unread("mqtt.broker") && !l.unread("mqtt.embedded.users") && !l.unread("mqtt.embedded.listen"):
		l.warn(l.at(path), path, "are missing: the embedded broker listens on %s only, and Home Assistant on another machine cannot reach it", m.Embedded.Address())
	}
}

func (l *loader) checkCameras(c *Config) {
	cams := c.Cameras
	path := func(i int, key string) string { return join("cameras", cams[i].ID) + "." + key }
	l.unique(len(cams), func(i int) (string, string, string) {
		return cams[i].Key.Reveal(), l.given(path(i, "key")), "this key"
	})
	l.checkRooms(cams, path)
	for i := range cams {
		cam := &cams[i]
		cam.Source = l.source(join("cameras", cam.ID))
		if !cam.Key.IsZero() {
			cam.KeySource = l.source(l.given(path(i, "key")))
		}
		if fps, ok := cam.Settings["fps"].(int); ok && fps > c.Ingest.MaxFPS {
			l.wrong(path(i, "settings.fps"), []string{"ingest.max_fps"}, "is %d, more than ingest.max_fps, which is %d", fps, c.Ingest.MaxFPS)
		}
	}
}

// checkRooms makes sure that each name in an URL means one camera: a room is
// found only if no camera has it as its id.
func (l *loader) checkRooms(cams []Camera, path func(int, string) string) {
	l.unique(len(cams), func(i int) (string, string, string) {
		return cams[i].Room, path(i, "room"), quote(cams[i].Room)
	})
	for i, cam := range cams {
		if cam.Room == cam.ID {
			continue
		}
		if slices.ContainsFunc(cams, func(o Camera) bool { return o.ID == cam.Room }) {
			l.wrong(path(i, "room"), nil, "is %s, the id of another camera: choose another", quote(cam.Room))
		}
	}
}
