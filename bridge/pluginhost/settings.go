package pluginhost

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/pluginhost/folder"
)

// record is what people set over the page, as the store keeps it. Each value
// holds until the one in the file changes.
type record struct {
	Enabled     *bool             `json:"enabled,omitempty"` // nil: as in the file
	FileEnabled bool              `json:"file_enabled"`      // when that was set
	Settings    map[string]stored `json:"settings,omitempty"`
}

type stored struct {
	Value json.RawMessage `json:"value"`
	File  string          `json:"file"` // digest of the file's value when this was set
}

// fitting is r without what the file has overtaken.
func (r record) fitting(c Instance) record {
	if r.FileEnabled != c.Enabled {
		r.Enabled = nil
	}
	r.FileEnabled = c.Enabled
	r.Settings = maps.Clone(r.Settings)
	maps.DeleteFunc(r.Settings, func(name string, s stored) bool { return s.File != digest(c.Settings[name]) })
	return r
}

// with is r after a change: nil takes a setting back to the file's value.
func (r record) with(c Instance, set map[string]any) (record, error) {
	r.Settings = maps.Clone(r.Settings)
	if r.Settings == nil {
		r.Settings = map[string]stored{}
	}
	for name, v := range set {
		if v == nil {
			delete(r.Settings, name)
			continue
		}
		text, err := json.Marshal(v)
		if err != nil {
			return r, err
		}
		r.Settings[name] = stored{text, digest(c.Settings[name])}
	}
	return r, nil
}

// merged is what holds: the file's settings under those of r.
func (r record) merged(c Instance) map[string]any {
	out := maps.Clone(c.Settings)
	if out == nil {
		out = map[string]any{}
	}
	for name, s := range r.Settings {
		if v, err := decodeJSON[any](s.Value); err == nil {
			out[name] = v
		}
	}
	return out
}

// digest tells values of the file apart without holding them.
func digest(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		text = fmt.Append(nil, v) // what YAML knows and JSON does not
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// decodeJSON reads one value whose numbers keep their digits.
func decodeJSON[T any](text []byte) (v T, err error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	err = dec.Decode(&v)
	return v, err
}

// change is a wish for other settings on its way to run.
type change struct {
	set   map[string]any
	reply chan error // has room for the one answer
}

// Set changes settings and secrets of an instance: a JSON object of those that
// change, null takes one back to the file's value. They are kept, and hold until
// the value in the file changes. The plugin itself is asked, if it runs. Errors:
// CodeInvalid, CodeConflict for what only the file may set, each with its Field
// and joined if there are several; CodeUnavailable while the plugin has not yet
// said which settings it has.
func (h *Host) Set(ctx context.Context, instance string, settings json.RawMessage) error {
	i, err := h.find(instance)
	if err != nil {
		return err
	}
	set, err := decodeJSON[map[string]any](settings)
	if err != nil {
		return bridge.Errorf(bridge.CodeInvalid, "settings must be a JSON object").At("settings")
	}
	c := change{set, make(chan error, 1)}
	select {
	case i.requests <- c:
	case <-i.gone:
		return bridge.Errorf(bridge.CodeUnavailable, "the bridge is stopping")
	case <-ctx.Done():
		return i.tooLate(ctx)
	}
	select {
	case err := <-c.reply:
		return i.cleanError(err)
	case <-ctx.Done():
		return i.tooLate(ctx)
	}
}

func (i *instance) tooLate(ctx context.Context) error {
	state, _, _ := i.state()
	return bridge.Errorf(bridge.CodeTimeout, "plugin %s is %s and did not take the settings: %w", i.cfg.Name, state, ctx.Err())
}

// accept keeps new settings while no process runs.
func (i *instance) accept(c change) error {
	rec, err := i.judge(c)
	if err != nil {
		return err
	}
	return i.keep(rec)
}

// judge checks a change and returns the record with it. Mistakes in settings that
// it does not touch may remain: they are mended one by one.
func (i *instance) judge(c change) (record, error) {
	i.mu.Lock()
	fields, rec := i.declared, i.rec
	i.mu.Unlock()
	if fields == nil {
		return rec, bridge.Errorf(bridge.CodeUnavailable, "plugin %s has not yet said which settings it has: it must have run once", i.cfg.Name)
	}
	problems := folder.CheckRemote(fields, c.set)
	if len(problems) == 0 {
		var err error
		if rec, err = rec.with(i.cfg, c.set); err != nil {
			return rec, err
		}
		_, _, problems = folder.Check(fields, rec.merged(i.cfg))
		problems = slices.DeleteFunc(problems, func(p folder.Problem) bool { _, touched := c.set[p.Field]; return !touched })
	}
	return rec, problemErrors(fields, problems)
}

func problemErrors(fields []bridge.PluginField, problems []folder.Problem) error {
	var out []error
	for _, p := range problems {
		code := bridge.CodeInvalid
		if slices.ContainsFunc(fields, func(f bridge.PluginField) bool { return f.Name == p.Field && f.FileOnly }) {
			code = bridge.CodeConflict
		}
		out = append(out, bridge.Errorf(code, "%s", p).At("settings."+p.Field))
	}
	if len(out) == 1 {
		return out[0]
	}
	return errors.Join(out...)
}

// keep writes the record and makes it hold.
func (i *instance) keep(rec record) error {
	if err := i.host.records.Put(i.cfg.Name, rec); err != nil {
		return err
	}
	i.mu.Lock()
	i.rec = rec
	i.mu.Unlock()
	i.host.changed()
	return nil
}

func (i *instance) settings() map[string]any {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.rec.merged(i.cfg)
}

// wanted reports whether the instance is to run.
func (i *instance) wanted() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.rec.Enabled != nil {
		return *i.rec.Enabled
	}
	return i.cfg.Enabled
}

// Enable switches an instance on or off. That is kept, and holds until `enabled`
// in the file changes.
func (h *Host) Enable(instance string, on bool) error {
	i, err := h.find(instance)
	if err != nil {
		return err
	}
	i.mu.Lock()
	rec := i.rec
	i.mu.Unlock()
	rec.Enabled = &on
	if on == i.cfg.Enabled {
		rec.Enabled = nil
	}
	if err := i.keep(rec); err != nil {
		return err
	}
	i.wake()
	return nil
}

// Restart starts an instance anew, also one that waits for its next start, and
// forgets how often it ended. CodeUnavailable if it is switched off.
func (h *Host) Restart(instance string) error {
	i, err := h.find(instance)
	if err != nil {
		return err
	}
	if !i.wanted() {
		return bridge.Errorf(bridge.CodeUnavailable, "plugin %s is switched off: enable it", instance)
	}
	i.mu.Lock()
	i.again = true
	i.mu.Unlock()
	i.wake()
	return nil
}

// sentence joins problems for people: the first three.
func sentence(c Instance, problems []folder.Problem) error {
	const most = 3
	var list []string
	for _, p := range problems[:min(most, len(problems))] {
		list = append(list, p.String())
	}
	if more := len(problems) - most; more > 0 {
		list = append(list, fmt.Sprintf("and %d more", more))
	}
	where := ""
	if c.Source != "" {
		where = " (" + c.Source + ")"
	}
	return bridge.Errorf(bridge.CodeInvalid, "settings of plugin %q%s: %s", c.Name, where, strings.Join(list, "; "))
}

// cleanError takes secrets out of an error's text and keeps what it is.
func (i *instance) cleanError(err error) error {
	if err == nil || i.secrets.clean(err.Error()) == err.Error() {
		return err
	}
	text := i.secrets.clean(err.Error())
	var e *bridge.Error
	var later *bridge.RetryError
	switch {
	case errors.As(err, &later):
		return &bridge.RetryError{After: later.After, Err: errors.New(text)}
	case errors.As(err, &e):
		return &bridge.Error{Code: e.Code, Message: text, Field: e.Field}
	}
	return errors.New(text)
}
