package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// This file shows plugin instances and lets an admin set, switch, restart and try
// them. What a plugin runs is a file on disk and stands in no body: instances are
// chosen by name among those of the configuration file, settings among those that
// the plugin declared and does not leave to the file. Secrets go in and never come
// out; an answer says which of them are set.

// Plugins are the plugin instances. Errors are *bridge.Error; a change that is
// wrong in several places may join one for each, with its Field.
type Plugins interface {
	List() []bridge.Plugin
	Plugin(instance string) (bridge.Plugin, error)
	Set(ctx context.Context, instance string, settings json.RawMessage) error // an object; null takes a value away
	Enable(instance string, on bool) error
	Restart(instance string) error
	Check(ctx context.Context, instance string) error
	Subscribe() (changed <-chan struct{}, cancel func())
	Files(instance string) ([]bridge.PluginFile, error) // the newest first
	// OpenFile opens one that Files lists, whatever the name is made of.
	OpenFile(instance, name string) (io.ReadSeekCloser, bridge.PluginFile, error)
}

// pluginJSON is a plugin instance in an answer.
type pluginJSON struct {
	Instance string             `json:"instance"`
	Type     string             `json:"type"`
	Version  string             `json:"version"`
	Summary  string             `json:"summary"`
	Roles    []string           `json:"roles"`
	State    bridge.PluginState `json:"state"`
	Since    *time.Time         `json:"since"`
	Problem  string             `json:"problem"`
	Log      []string           `json:"log"`
	Next     *time.Time         `json:"next"`
	Restarts int                `json:"restarts"`
	Started  *time.Time         `json:"started"`
	Memory   int64              `json:"memory"`
	Dev      bool               `json:"dev"`
	Files    bool               `json:"files"` // there are some to download

	Permissions []string                   `json:"permissions"`
	Fields      []bridge.PluginField       `json:"fields"`
	Settings    map[string]json.RawMessage `json:"settings"`
	Secrets     []string                   `json:"secrets"` // names of those that are set
	Source      string                     `json:"source"`
}

// showPlugin is the instance for people. It leaves out what a secret field has,
// whoever put it among the settings.
func showPlugin(p bridge.Plugin) pluginJSON {
	out := pluginJSON{
		Instance: p.Instance, Type: p.Type, Version: p.Version, Summary: p.Summary, Roles: orNone(p.Roles),
		State: p.State, Since: instant(p.Since), Problem: p.Problem, Log: orNone(p.Log), Next: instant(p.Next),
		Restarts: p.Restarts, Started: instant(p.Started), Memory: p.Memory, Dev: p.Dev, Files: p.Files,
		Permissions: orNone(p.Permissions), Fields: orNone(slices.Clone(p.Fields)), Secrets: orNone(p.Secrets), Source: p.Source,
	}
	if json.Unmarshal(p.Settings, &out.Settings) != nil || out.Settings == nil {
		out.Settings = map[string]json.RawMessage{} // none are known
	}
	for i, f := range out.Fields {
		if f.Secret {
			delete(out.Settings, f.Name)
			out.Fields[i].Default = nil
		}
	}
	return out
}

func (s *Server) listPlugins(w http.ResponseWriter, _ *http.Request, _ *visit) error {
	items := []pluginJSON{}
	if s.deps.Plugins != nil {
		for _, p := range s.deps.Plugins.List() {
			items = append(items, showPlugin(p))
		}
	}
	send(w, http.StatusOK, map[string]any{"items": items})
	return nil
}

var instancePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)

// findPlugin returns the instance that the path names.
func (s *Server) findPlugin(r *http.Request) (bridge.Plugin, error) {
	name := r.PathValue("instance")
	if s.deps.Plugins == nil || !instancePattern.MatchString(name) {
		return bridge.Plugin{}, bridge.Errorf(bridge.CodeNotFound, "there is no plugin instance %.64q", name)
	}
	return s.deps.Plugins.Plugin(name)
}

func (s *Server) getPlugin(w http.ResponseWriter, r *http.Request, _ *visit) error {
	p, err := s.findPlugin(r)
	if err == nil {
		send(w, http.StatusOK, showPlugin(p))
	}
	return err
}

// patchPlugin changes settings and secrets of an instance, and whether it runs.
func (s *Server) patchPlugin(w http.ResponseWriter, r *http.Request, v *visit) error {
	p, err := s.findPlugin(r)
	if err != nil {
		return err
	}
	var in struct {
		Enabled  *bool                      `json:"enabled"`
		Settings map[string]json.RawMessage `json:"settings"`
	}
	if err := decode(w, r, &in); err != nil {
		return err
	}
	if err := s.setPlugin(r.Context(), p, in.Settings, v); err != nil {
		return err
	}
	if in.Enabled != nil {
		if err := s.deps.Plugins.Enable(p.Instance, *in.Enabled); err != nil {
			return err
		}
		s.log.Info("plugin switched", "plugin", p.Instance, "enabled", *in.Enabled, "name", v.who.Name)
	}
	return s.getPlugin(w, r, v)
}

func (s *Server) setPlugin(ctx context.Context, p bridge.Plugin, settings map[string]json.RawMessage, v *visit) error {
	if len(settings) == 0 {
		return nil
	}
	names := slices.Sorted(maps.Keys(settings))
	if err := maySet(p, names); err != nil {
		return err
	}
	body, err := json.Marshal(settings)
	if err != nil {
		return err
	}
	if err := s.deps.Plugins.Set(ctx, p.Instance, body); err != nil {
		return err
	}
	s.log.Info("plugin set", "plugin", p.Instance, "settings", names, "name", v.who.Name)
	return nil
}

// maySet refuses settings that the plugin did not declare, and those that only
// the configuration file has: paths and commands.
func maySet(p bridge.Plugin, names []string) error {
	var wrong []error
	for _, name := range names {
		at := "settings." + truncate(name, 60)
		switch i := slices.IndexFunc(p.Fields, func(f bridge.PluginField) bool { return f.Name == name }); {
		case len(p.Fields) == 0:
			return bridge.Errorf(bridge.CodeUnavailable, "plugin %s is %s and has not said which settings it has", p.Instance, p.State).At(at)
		case i < 0:
			wrong = append(wrong, bridge.Errorf(bridge.CodeInvalid, "plugin %s has no setting %.60q", p.Instance, name).At(at))
		case p.Fields[i].FileOnly:
			wrong = append(wrong, bridge.Errorf(bridge.CodeConflict, "%s can only be set in the configuration file: %s", name, p.Source).At(at))
		}
	}
	return errors.Join(wrong...)
}

// doPlugin restarts an instance, also one that waits for its next start, or asks
// whether it would work.
func (s *Server) doPlugin(w http.ResponseWriter, r *http.Request, v *visit) error {
	p, err := s.findPlugin(r)
	if err != nil {
		return err
	}
	var in struct {
		Action string `json:"action"`
	}
	if err := decode(w, r, &in); err != nil {
		return err
	}
	switch in.Action {
	case "restart":
		err = s.deps.Plugins.Restart(p.Instance)
	case "check":
		ctx, cancel := context.WithTimeout(r.Context(), tryTime)
		defer cancel()
		err = theirs(ctx, s.deps.Plugins.Check(ctx, p.Instance))
	default:
		err = bridge.Errorf(bridge.CodeInvalid, "there is no action %.40q: use restart or check", in.Action).At("action")
	}
	if err != nil {
		return err
	}
	s.log.Info("plugin "+in.Action, "plugin", p.Instance, "name", v.who.Name)
	send(w, http.StatusOK, json.RawMessage(`{"ok":true}`))
	return nil
}

// tryTime is how long an instance may take to be tried. It is longer than a
// notifier has for one alert.
const tryTime = 20 * time.Second

// theirs is a failure of a plugin, or of the service behind it, in the caller's
// terms: 503 for what may work later, 502 for what never will. What denies is not
// us, so it is never 403.
func theirs(ctx context.Context, err error) error {
	var e *bridge.Error
	var later *bridge.RetryError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() != nil:
		return bridge.Errorf(bridge.CodeTimeout, "the plugin did not answer within %s", tryTime)
	case errors.As(err, &e) && e.Code == bridge.CodeDenied:
		return &answer{status: http.StatusBadGateway, err: e}
	case errors.As(err, &e):
		return err
	case errors.As(err, &later):
		return bridge.Errorf(bridge.CodeUnavailable, "%w", later.Err)
	}
	return err
}
