package hatest_test

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// entity is a row of Home Assistant's registry, with its newest state.
type entity struct {
	ID       string `json:"entity_id"`
	Unique   string `json:"unique_id"`
	Platform string `json:"platform"` // the integration
	Device   string `json:"device_id"`
	Name     string `json:"original_name"`
	Category string `json:"entity_category"`
	Class    string `json:"original_device_class"`
	Disabled string `json:"disabled_by"`

	state
	known bool // there is a state
}

// domain is what MQTT calls the platform.
func (e entity) domain() string {
	d, _, _ := strings.Cut(e.ID, ".")
	return d
}

// short is the end of the unique id, such as flash.
func (e entity) short() string {
	_, after, _ := strings.Cut(strings.TrimPrefix(e.Unique, "espcam_"), "_")
	return after
}

// ours returns the entities whose unique ids begin so, by unique id.
func (h *homeAssistant) ours(t testing.TB, prefix string) (out []entity) {
	t.Helper()
	var ids []string
	list, _ := h.socket.call(t, "config/entity_registry/list", nil).([]any)
	for _, e := range list {
		if at(e, "platform") == "mqtt" && strings.HasPrefix(text(at(e, "unique_id")), prefix) {
			ids = append(ids, text(at(e, "entity_id")))
		}
	}
	if len(ids) == 0 {
		return nil
	}
	full, _ := h.socket.call(t, "config/entity_registry/get_entries", object{"entity_ids": ids}).(object)
	for _, id := range ids {
		var e entity
		convert(t, full[id], &e)
		e.state = h.socket.state(id)
		e.known = e.state.ID != ""
		e.ID = id
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b entity) int { return cmp.Compare(a.Unique, b.Unique) })
	return out
}

// device returns the registry's row of a device; nil if there is none.
func (h *homeAssistant) device(t testing.TB, id string) object {
	t.Helper()
	for _, d := range h.devices(t) {
		if strings.Contains(fmt.Sprint(d["identifiers"]), "[mqtt "+id+"]") {
			return d
		}
	}
	return nil
}

// devices are those of its MQTT entry.
func (h *homeAssistant) devices(t testing.TB) (out []object) {
	t.Helper()
	list, _ := h.socket.call(t, "config/device_registry/list", nil).([]any)
	for _, d := range list {
		if strings.Contains(fmt.Sprint(at(d, "config_entries")), h.entry) {
			out = append(out, d.(object))
		}
	}
	return out
}

// convert decodes what was decoded as anything.
func convert(t testing.TB, from, to any) {
	t.Helper()
	b, err := json.Marshal(from)
	if err == nil {
		err = json.Unmarshal(b, to)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// enable enables the disabled entities of the list.
func (h *homeAssistant) enable(t testing.TB, list []entity) {
	t.Helper()
	for _, e := range list {
		if e.Disabled != "" {
			h.socket.call(t, "config/entity_registry/update", object{"entity_id": e.ID, "disabled_by": nil})
		}
	}
}

// table is what a person sees of a list of entities. enabled says which of them
// were so at first.
func table(list []entity, enabled map[string]bool) string {
	rows := [][]string{{"platform", "entity", "name", "class", "unit", "category", "enabled"}}
	for _, e := range list {
		row := []string{e.domain(), e.ID, e.Name, e.Class, text(e.Attributes["unit_of_measurement"]), e.Category, map[bool]string{true: "yes", false: "no"}[enabled[e.Unique]]}
		rows = append(rows, row)
	}
	var b strings.Builder
	for i, row := range rows {
		if i == 1 {
			b.WriteString(strings.Repeat("|---", len(row)) + "|\n")
		}
		for i, cell := range row {
			row[i] = cmp.Or(cell, "-")
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
	}
	return b.String()
}

var update = flag.Bool("update", false, "write what Home Assistant says of each kind of camera into testdata")

// golden compares with a file of testdata.
func golden(t testing.TB, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: Home Assistant shows\n%s\nwant\n%s(with -update it is written)", name, got, want)
	}
}
