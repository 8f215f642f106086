package hatest_test

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge/mqtt/fakeha"
)

// fakeIsHonest connects the small Home Assistant of the quick tests to the same
// broker: both see the same devices, entities and states.
func (h *house) fakeIsHonest() {
	schema, err := fakeha.Load("../../mqtt/testdata/ha-mqtt-schema-2026.9.json")
	if err != nil {
		h.Fatal(err)
	}
	fake, err := fakeha.Start(schema, fmt.Sprintf("tcp://127.0.0.1:%d", h.port), "", "")
	if err != nil {
		h.Fatal(err)
	}
	defer fake.Stop()
	h.steady()
	var ours, its []string
	defer func() {
		for _, p := range fake.Problems() {
			h.Errorf("the fake one complains: %s", p)
		}
	}()
	same := func() bool {
		ours, its = h.seen(), fakeSeen(fake.Entities())
		return fake.Idle() && slices.Equal(ours, its)
	}
	if took, ok := within(patience, same); !ok {
		h.Errorf("the real one and the fake one differ:\n%s", unlike(ours, its))
	} else {
		h.figure("both see the same %d entities after %v", len(ours), took)
	}
	var names, fakeNames []string
	for _, d := range h.ha.devices(h) {
		names = append(names, text(d["name"]))
	}
	for _, d := range fake.Devices() {
		fakeNames = append(fakeNames, d.Name)
	}
	slices.Sort(names)
	slices.Sort(fakeNames)
	if !slices.Equal(names, fakeNames) {
		h.Errorf("the devices are %v, to the fake one %v", names, fakeNames)
	}
}

// within is eventually without the end of the test.
func within(limit time.Duration, holds func() bool) (took time.Duration, ok bool) {
	began := time.Now()
	for ; time.Since(began) < limit; <-time.After(50 * time.Millisecond) {
		if holds() {
			return time.Since(began), true
		}
	}
	return limit, false
}

// unlike are the lines that are not in both lists.
func unlike(a, b []string) string {
	var out []string
	for _, line := range a {
		if !slices.Contains(b, line) {
			out = append(out, "real: "+line)
		}
	}
	for _, line := range b {
		if !slices.Contains(a, line) {
			out = append(out, "fake: "+line)
		}
	}
	return strings.Join(out, "\n")
}

// seen is what the real one shows, a line per entity.
func (h *house) seen() (out []string) {
	for _, e := range h.ha.ours(h, "espcam_") {
		out = append(out, line(e.Unique, e.domain(), e.Name, e.Category, e.Class, h.enabled[e.Unique], e.State != "unavailable", plain(e)))
	}
	slices.Sort(out)
	return out
}

func line(unique, platform, name, category, class string, enabled, available bool, state string) string {
	return fmt.Sprintf("%s: %s %q %s %s enabled=%v available=%v state=%q", unique, platform, name, cmp.Or(category, "-"), cmp.Or(class, "-"), enabled, available, state)
}

// plain is the state as both can say it. Pictures have none, buttons only the time
// at which they were pressed, and what is measured changes while one looks.
func plain(e entity) string {
	switch d := e.domain(); {
	case d == "camera", d == "image", d == "button", d == "event", d == "update", volatile[e.short()]:
		return ""
	case d == "number":
		return number(e.State)
	case e.Class == "timestamp":
		return instant(e.State)
	case d == "light" && e.State == "on" && e.Attributes["brightness"] != nil:
		return fmt.Sprint("on ", e.Attributes["brightness"])
	}
	return e.State
}

// volatile are figures that change by themselves.
var volatile = map[string]bool{
	"bitrate": true, "fps": true, "heap": true, "psram": true, "rssi": true, "temperature": true, "frame_size": true, "dropped": true,
	"viewers": true, "throughput": true, "memory": true, "goroutines": true,
}

func number(s string) string {
	if f, err := strconv.ParseFloat(s, 64); err == nil {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return s
}

func instant(s string) string {
	if at, err := time.Parse(time.RFC3339, s); err == nil {
		return at.UTC().Format(time.RFC3339)
	}
	return s
}

// fakeSeen is what the fake one shows, in the same words.
func fakeSeen(list []fakeha.Entity) (out []string) {
	for _, f := range list {
		e := entity{ID: f.Platform + ".x", Unique: f.UniqueID, Class: text(f.Config["device_class"]), state: state{State: f.State}}
		if s, err := strconv.Unquote(f.State); err == nil && f.Platform == "text" {
			e.State = s
		}
		if class := text(f.Config["device_class"]); f.Config["name"] == nil && class != "" && f.Platform != "camera" {
			f.Name = className(class) // as Home Assistant calls it in English
		}
		state := plain(e)
		if n, ok := strings.CutPrefix(f.State, "on "); ok && f.Platform == "light" {
			state = "on " + n
		}
		out = append(out, line(f.UniqueID, f.Platform, f.Name, text(f.Config["entity_category"]), text(f.Config["device_class"]), !f.Disabled, f.Available, state))
	}
	slices.Sort(out)
	return out
}

func className(class string) string {
	name := strings.ReplaceAll(class, "_", " ")
	return strings.ToUpper(name[:1]) + name[1:]
}
