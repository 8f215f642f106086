package mqtt_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/mqtt/fakeha"
)

const passwordOfAll = "right"

// configured is a Mosquitto with the files of configs/mosquitto, but for ports and
// paths, and without the lines of the access list that the test takes out.
func configured(t *testing.T, without string) *mosquitto {
	t.Helper()
	m := newMosquitto(t).(*mosquitto)
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join("../../configs/mosquitto", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	passwords, acl := filepath.Join(m.dir, "passwords"), filepath.Join(m.dir, "acl")
	for _, args := range [][]string{{"-b", "-c", passwords, "espcam"}, {"-b", passwords, "homeassistant"}, {"-b", passwords, "other"}} {
		if out, err := exec.CommandContext(t.Context(), "mosquitto_passwd", append(args, passwordOfAll)...).CombinedOutput(); err != nil {
			t.Fatalf("mosquitto_passwd: %v %s", err, out)
		}
	}
	_, port, err := net.SplitHostPort(m.addr)
	if err != nil {
		t.Fatal(err)
	}
	conf := read("mosquitto.conf")
	for old, new := range map[string]string{
		"\nlistener 1883\n":             "\nlistener " + port + " 127.0.0.1\n",
		"/etc/mosquitto/passwords\nacl": passwords + "\nacl",
		"/etc/mosquitto/acl":            acl,
	} {
		if strings.Count(conf, old) != 1 {
			t.Fatalf("mosquitto.conf has %q %d times", old, strings.Count(conf, old))
		}
		conf = strings.Replace(conf, old, new, 1)
	}
	// As root it would become the user mosquitto, who cannot read the directory.
	if err := os.WriteFile(m.conf, []byte("user root\n"+conf), 0o600); err != nil {
		t.Fatal(err)
	}
	list := read("acl")
	if without != "" {
		bridges, others, _ := strings.Cut(list, "user homeassistant")
		list = strings.Replace(bridges, without+"\n", "", 1) + "user homeassistant" + others
	}
	if err := os.WriteFile(acl, []byte(list+"\nuser other\ntopic readwrite #\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return m
}

// rightsOf are the lines of a user in configs/mosquitto/acl.
func rightsOf(t *testing.T, user string) []string {
	t.Helper()
	text, err := os.ReadFile("../../configs/mosquitto/acl")
	if err != nil {
		t.Fatal(err)
	}
	_, list, ok := strings.Cut(string(text), "user "+user+"\n")
	list, _, _ = strings.Cut(list, "\nuser ")
	if !ok {
		t.Fatalf("the access list has no user %s", user)
	}
	return slices.DeleteFunc(strings.Split(list, "\n"), func(line string) bool { return !strings.HasPrefix(line, "topic ") })
}

// TestConfiguredRights: with the access list that we give away everything works,
// and without any of the bridge's lines something does not.
func TestConfiguredRights(t *testing.T) {
	t.Parallel()
	lines := rightsOf(t, "espcam")
	if len(lines) != 11 {
		t.Errorf("%d rights of the bridge: %q", len(lines), lines)
	}
	for _, without := range append([]string{""}, lines...) {
		t.Run("without "+without, func(t *testing.T) {
			t.Parallel()
			broken := tryRights(newRig(t, configured(t, without)))
			switch {
			case without == "" && broken != "":
				t.Errorf("it does not work: %s", broken)
			case without != "" && broken == "":
				t.Errorf("nobody misses %q", without)
			case without != "":
				t.Logf("without it: %s", broken)
			}
		})
	}
}

// tryRights uses everything that needs a right. It returns the first thing that
// does not work.
func tryRights(r *rig) (broken string) {
	r.broker.start(r.T)
	ha, err := fakeha.Start(r.schema, r.url(), "homeassistant", passwordOfAll)
	if err != nil {
		r.Fatal(err)
	}
	r.homes = append(r.homes, ha)
	defer ha.Stop()
	cfg := r.config()
	cfg.Username, cfg.Password = "espcam", passwordOfAll
	plugins := r.anyoneAs("other", passwordOfAll, "espcam/plugin/#")
	plugins.publish("espcam/plugin/gone/level", "7", true)
	b := r.bridge(cfg, newMemory(), newFleet(porch()))
	works := func(what string, cond func() bool) bool {
		r.Helper()
		if broken != "" {
			return false
		}
		for end := time.Now().Add(4 * time.Second); !cond(); <-time.After(5 * time.Millisecond) {
			if time.Now().After(end) {
				broken = what
				return false
			}
			if r.quiet() {
				r.clock.advance(r.step)
			}
		}
		return true
	}
	state := func(key, want string) func() bool {
		return func() bool { e := ha.Entity("espcam_" + key); return e.Available && e.State == want }
	}
	works("the announcement", state("porch_jpeg_quality", "12"))
	works("the bridge's state", state("bridge_connection", "on"))
	works("no complaint", func() bool { return b.Status().Connected && b.Status().LastError == "" })
	ha.Publish("espcam/porch/jpeg_quality/set", "20", false)
	works("a command", state("porch_jpeg_quality", "20"))
	ha.Publish("espcam/porch/set", `{"jpeg_quality":21}`, false)
	works("a command of many", state("porch_jpeg_quality", "21"))
	ha.Publish("espcam/bridge/request/rename", `{"camera":"porch","name":"Gate"}`, false)
	works("a request", func() bool { return slices.Contains(ha.Devices(), fakeha.Device{ID: "espcam_porch", Name: "Gate"}) })
	b.watch.tell(b.watch.event("porch", "a cat"))
	works("motion", state("porch_motion", "on"))
	works("its picture", func() bool { return string(ha.Entity("espcam_porch_motion_image").Picture) == "a cat" })
	before := b.Status().Published
	ha.Birth()
	works("a birth message", func() bool { return b.Status().Published > before+30 })
	other := mqttConfig(r.url())
	other.Username, other.Password = cfg.Username, cfg.Password
	rival := r.bridge(other, newMemory(), newFleet(yard()))
	works("that a second bridge stays off", func() bool { return strings.Contains(rival.Status().LastError, "uses base topic") })
	rival.stop()
	r.pass(5 * time.Second) // what that made us announce again
	all := r.anyoneAs("other", passwordOfAll, "espcam/bridge/state")
	all.publish("espcam/bridge/state", "offline", true)
	works("that a wrong state is put right", func() bool {
		heard := all.heard("espcam/bridge/state")
		return len(heard) > 2 && heard[len(heard)-2] == "offline" && heard[len(heard)-1] == "online"
	})
	ha.Delete("espcam_porch")
	works("a removal", func() bool { return slices.Contains(b.fleet.settings(), "porch hidden true") })
	b.fleet.change("porch", func(c *bridge.Camera) { c.Hidden = false })
	works("a return", state("porch_connection", "on"))
	works("that a state of a plugin that is gone is swept away", func() bool {
		return slices.Equal(plugins.heard("espcam/plugin/gone/level"), []string{"7", ""})
	})
	works("a state of a plugin", func() bool {
		return b.SetState("phone", "level", "8") == nil && slices.Contains(plugins.heard("espcam/plugin/phone/level"), "8")
	})
	all.publish("espcam/bridge/info", `{"instance":"another","run":"0","name":"earlier"}`, false)
	works("that it leaves the place to an earlier bridge", func() bool { return strings.Contains(b.Status().LastError, "uses base topic") })
	return broken
}

// TestRightsEndThere: neither of the two users can do more than that.
func TestRightsEndThere(t *testing.T) {
	t.Parallel()
	r := newRig(t, configured(t, ""))
	r.broker.start(t)
	everybody := r.anyoneAs("other", passwordOfAll, "#")
	heard := map[string]*anyone{"espcam": r.anyoneAs("espcam", passwordOfAll, "#"), "homeassistant": r.anyoneAs("homeassistant", passwordOfAll, "#")}
	tests := []struct {
		user, topic string
		write, read bool
	}{
		{"espcam", "zigbee2mqtt/lamp/set", false, false},
		{"espcam", "espcam2/porch/motion", false, false},
		{"espcam", "homeassistant/status", false, true},
		{"espcam", "homeassistant/light/x/config", false, false},
		{"espcam", "espcam/porch/image", true, false},
		{"espcam", "espcam/porch/jpeg_quality/set", true, true},
		{"espcam", "espcam/plugin/phone/level", true, true},
		{"espcam", "espcam/plugin/phone/event/sent", true, false},
		{"homeassistant", "espcam/porch/motion", false, true},
		{"homeassistant", "espcam/bridge/info", false, true},
		{"homeassistant", "espcam/plugin/phone/level", false, true},
		{"homeassistant", "espcam/bridge/request/restart", true, true},
		{"homeassistant", "zigbee2mqtt/lamp/set", false, false},
	}
	for i, tt := range tests {
		mine, theirs := fmt.Sprint("written ", i), fmt.Sprint("read ", i)
		heard[tt.user].client.Publish(tt.topic, 1, false, mine).WaitTimeout(5 * time.Second)
		everybody.publish(tt.topic, theirs, false)
		// Messages of one client keep their order, so the last one tells that all came.
		everybody.publish("homeassistant/status", theirs, false)
		r.await("all came", func() bool {
			return slices.Contains(heard[tt.user].heard("homeassistant/status"), theirs) && slices.Contains(everybody.heard("homeassistant/status"), theirs)
		})
		if got := slices.Contains(everybody.heard(tt.topic), mine); got != tt.write {
			t.Errorf("%s writes %s: %v", tt.user, tt.topic, got)
		}
		if got := slices.Contains(heard[tt.user].heard(tt.topic), theirs); got != tt.read {
			t.Errorf("%s reads %s: %v", tt.user, tt.topic, got)
		}
	}
}
