package config_test

import (
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/config"
	"github.com/espcam-bridge/espcam-bridge/bridge/wording"
)

// FuzzLoad wants of any text and environment: an answer soon, the same one
// twice, problems that say where, no secret in them, and that what is accepted
// holds what the other packages count on.
func FuzzLoad(f *testing.F) {
	files, err := filepath.Glob("testdata/*/*.yaml")
	if err != nil || len(files) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, file := range append(files, example) {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, "ESPCAM_NAME=${A}\nA=b")
		f.Add([]byte(everything(string(b))), "NVR_TOKEN=a-token-of-the-recorder")
	}
	const secret = "wsk_Zq7JvXw0Y3KpT9RmB5NcD1Hs"
	f.Fuzz(func(t *testing.T, text []byte, env string) {
		start := time.Now()
		environ := strings.Split(env, "\n")
		c, warnings, err := config.Parse("bridge.yaml", text, environ, secret)
		if d := time.Since(start); d > 10*time.Second {
			t.Errorf("took %v for %d bytes", d, len(text))
		}
		again, _, err2 := config.Parse("bridge.yaml", text, environ, secret)
		if !reflect.DeepEqual(c, again) || !reflect.DeepEqual(err, err2) {
			t.Errorf("a second time it is %v, %v, not %v, %v", again, err2, c, err)
		}
		for _, w := range warnings {
			checkProblem(t, w, text)
		}
		if err == nil {
			checkConfig(t, c)
			return
		}
		var problems config.Problems
		if !errors.As(err, &problems) || len(problems) == 0 || c != nil {
			t.Fatalf("got %v and error %#v", c, err)
		}
		for _, p := range problems {
			checkProblem(t, p, text)
		}
		if strings.Contains(err.Error(), secret) && !strings.Contains(string(text)+env, secret) {
			t.Errorf("the secret is in %v", err)
		}
	})
}

func checkProblem(t *testing.T, p config.Problem, text []byte) {
	lines := 1
	for _, r := range string(text) {
		if strings.ContainsRune("\r\n\u0085\u2028\u2029", r) { // all that YAML takes for the end of a line
			lines++
		}
	}
	if p.File == "" || p.Message == "" || p.Line < 0 || p.Line > lines+1 || (p.Line > 0) != (p.Column > 0) {
		t.Errorf("%#v does not say what and where in %d lines", p, lines)
	}
	if p.Line > 0 && p.File != "bridge.yaml" {
		t.Errorf("%#v has a line of no file", p)
	}
	if s := p.String(); p.File[0] != '$' && strings.ContainsAny(s, "\n\x00\x1b") {
		t.Errorf("%q has control characters", s)
	}
}

func checkConfig(t *testing.T, c *config.Config) {
	addresses := []string{c.HTTP.Listen, c.MQTT.Embedded.Address()}
	if c.HTTP.TLS.Listen != "" {
		addresses = append(addresses, c.HTTP.TLS.Listen)
	}
	for _, a := range addresses {
		if _, _, err := net.SplitHostPort(a); err != nil {
			t.Error(err)
		}
	}
	checkMotion(t, c.Motion)
	if c.Events.Keep < time.Hour || c.Events.MaxSize < 10<<20 {
		t.Errorf("accepted the events %+v", c.Events)
	}
	for _, cam := range c.Cameras {
		checkMotion(t, cam.Motion)
		if bridge.CheckID(cam.ID) != nil || cam.Room != "" && !bridge.ValidRoom(cam.Room) || cam.Source == "" {
			t.Errorf("accepted the camera %+v", cam)
		}
	}
	checkAlerts(t, c)
	for _, token := range c.HTTP.Tokens {
		if token.Name == "" || len(token.Token.Reveal()) < 16 || !token.Role.Includes(bridge.Viewer) {
			t.Errorf("accepted the token %+v", token)
		}
	}
}

// checkMotion wants what was accepted to be what would be accepted again.
func checkMotion(t *testing.T, m bridge.MotionChange) {
	again, err := bridge.CheckMotion(m)
	if err != nil || len(m) > 0 && !reflect.DeepEqual(again, m) {
		t.Errorf("accepted %#v, which is %#v, %v", m, again, err)
	}
}

func checkAlerts(t *testing.T, c *config.Config) {
	known := map[string]bool{}
	for _, p := range c.Plugins.Instances {
		known[p.Name] = true
		if _, err := json.Marshal(p.Settings.Reveal()); err != nil || p.Type == "" || p.Memory <= 0 {
			t.Errorf("accepted the plugin %+v with settings that are no JSON: %v", p, err)
		}
	}
	for _, a := range c.Alerts {
		for _, to := range a.To {
			if !known[to] {
				t.Errorf("accepted %q, which is no plugin", to)
			}
		}
		_, title := wording.ParseTitle(a.Title)
		_, text := wording.ParseText(a.Text)
		if title != nil || text != nil || len(a.To) == 0 || len(a.Phases) == 0 || a.Name == "" || len(a.Labels) > 0 && a.HoldOff <= 0 {
			t.Errorf("accepted the alert %+v", a)
		}
	}
}
