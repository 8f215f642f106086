package config

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Plugins are the programs beside the bridge that notify, detect or record.
type Plugins struct {
	Dir       string     // where their folders lie
	Instances []Instance // in the order of the file
}

// Instance is one plugin that runs, with its settings.
type Instance struct {
	Name     string         // unique; a slug like a camera's id
	Type     string         // of the plugin, such as ntfy
	Enabled  bool           //
	Settings PluginSettings // free-form: only the plugin knows what it takes
	Cameras  []string       // ids that it may see; nil means all
	Memory   int64          // bytes that its process may take
	Every    int            // a detector sees every so many judged pictures, also without motion; 0: it is woken by motion
	MaxFPS   float64        // pictures a second and camera that a detector sees at most; 0: as many as it says it can
	Dev      bool           // its files are not compared with those that were accepted
	RunAs    string         // user of the process; "" means the bridge's own
	Source   string         // "file:line" of the instance
}

// PluginSettings are the settings of an instance. Some of them are secrets, and
// nobody here knows which: so they print as "[redacted]", whatever prints them.
type PluginSettings struct {
	values map[string]any
	hidden []string
}

// NewPluginSettings wraps values, which are as encoding/json decodes them, but
// whole numbers as int64. hidden are texts in them that are secrets for sure.
func NewPluginSettings(values map[string]any, hidden ...string) PluginSettings {
	return PluginSettings{values, hidden}
}

// Reveal returns the settings; nil if there are none. The caller must not change
// them.
func (s PluginSettings) Reveal() map[string]any { return s.values }

// Hidden returns the values that came from env: or file:, which are secrets
// whatever the plugin says.
func (s PluginSettings) Hidden() []string { return s.hidden }

func (s PluginSettings) String() string {
	if len(s.values) == 0 {
		return ""
	}
	return redacted
}

// GoString is for %#v.
func (s PluginSettings) GoString() string { return fmt.Sprintf("%q", s.String()) }

// Format covers every verb.
func (s PluginSettings) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText is for encoders.
func (s PluginSettings) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalJSON is for JSON.
func (s PluginSettings) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// LogValue is for slog.
func (s PluginSettings) LogValue() slog.Value { return slog.StringValue(s.String()) }

func (p *Plugins) schema() section {
	return section{
		row("dir", one(&p.Dir, filePath)),
		row("instances", table{add: p.add, name: checkInstance}),
	}
}

func (p *Plugins) add(name string) value {
	p.Instances = append(p.Instances, Instance{Name: name, Enabled: true, Memory: 256 << 20})
	i := &p.Instances[len(p.Instances)-1]
	return section{
		required("type", one(&i.Type, pluginType)),
		row("enabled", one(&i.Enabled, boolean)),
		row("settings", freeForm{&i.Settings}),
		row("cameras", listOf(&i.Cameras, func(s *string) value { return one(s, words(64)) })),
		row("memory", one(&i.Memory, size[int64](16<<20, 64<<30))),
		row("every", one(&i.Every, number(0, 1000))),
		row("max_fps", one(&i.MaxFPS, rate)),
		row("dev", one(&i.Dev, boolean)),
		row("run_as", one(&i.RunAs, optional(userName))),
	}
}

var (
	instancePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,31}$`)
	typePattern     = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)
	userPattern     = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$`)
)

func checkInstance(name string) error {
	if !instancePattern.MatchString(name) {
		return expected("must be named with 1 to 32 lower-case letters, digits, - or _, and begin with a letter or digit, not %s", quote(name))
	}
	return nil
}

func pluginType(text string) (string, error) {
	if !typePattern.MatchString(text) {
		return "", expected("must be the name of a plugin, such as ntfy, not %s: espcam-bridge plugin list shows them", quote(text))
	}
	return text, nil
}

// rate is pictures a second; 0 leaves it to others.
func rate(text string) (float64, error) {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || !(f >= 0 && f <= 15) {
		return 0, expected("must be a number from 0 to 15, not %s", quote(text))
	}
	return f, nil
}

func userName(text string) (string, error) {
	if !userPattern.MatchString(text) {
		return "", expected("must be the name of a user of this machine, not %s", quote(text))
	}
	return text, nil
}

// checkPlugins finds what an instance says about cameras that cannot be.
func (l *loader) checkPlugins(c *Config) {
	for i := range c.Plugins.Instances {
		p := &c.Plugins.Instances[i]
		path := join("plugins.instances", p.Name)
		p.Source = l.source(path)
		p.Cameras = l.whichCameras(c, p.Cameras, path+".cameras")
	}
}

// freeForm is a map with keys that only a plugin knows.
type freeForm struct{ dst *PluginSettings }

func (f freeForm) read(l *loader, n *yaml.Node, path string) {
	if m := l.freeMap(f.dst, n, path, 0); len(m) > 0 {
		f.dst.values = m
	}
}

func (f freeForm) keys(path string) []Key { return []Key{{Path: path}} }

// maxNesting bounds lists and maps within settings.
const maxNesting = 8

func (l *loader) freeMap(dst *PluginSettings, n *yaml.Node, path string, depth int) map[string]any {
	m := map[string]any{}
	for _, e := range l.entries(n, path) {
		if v, ok := l.free(dst, e.node, e.path, depth); ok {
			m[e.key] = v
			l.inline = l.inline || e.node.Kind == yaml.ScalarNode && v == any(e.node.Value) && v != "" && soundsSecret.MatchString(e.key)
		}
	}
	return m
}

// soundsSecret finds secrets that are written out, for the warning that others
// can read the file. What is one for sure the plugin will say.
var soundsSecret = regexp.MustCompile(`(?i)(password|passwd|secret|token|key)$`)

// free reads any value; false after a problem. No message repeats one.
func (l *loader) free(dst *PluginSettings, n *yaml.Node, path string, depth int) (any, bool) {
	switch {
	case l.odd(n, path):
		return nil, false
	case n.Kind != yaml.ScalarNode && depth == maxNesting:
		l.problem(n, path, "is nested too deep: use at most %d levels", maxNesting)
		return nil, false
	case n.Kind == yaml.MappingNode:
		return l.freeMap(dst, n, path, depth+1), true
	case n.Kind == yaml.SequenceNode:
		items, good := make([]any, len(n.Content)), true
		for i, item := range n.Content {
			v, ok := l.free(dst, item, fmt.Sprintf("%s[%d]", path, i), depth+1)
			items[i], good = v, good && ok
		}
		return items, good
	}
	v, err := l.freeScalar(dst, n)
	if err != nil {
		l.problem(n, path, "%v", err)
	}
	return v, err == nil
}

// freeScalar is a text, or what JSON would take for a number or a truth if it
// stands there without quotes.
func (l *loader) freeScalar(dst *PluginSettings, n *yaml.Node) (any, error) {
	if empty(n) {
		return nil, expected(`has no value: write one, or "" for an empty text, or remove the line`)
	}
	if n.Tag != "!!str" {
		if v, ok := literal(n.Value); ok {
			return v, nil
		}
	}
	if v, ok, err := l.fromElsewhere(n.Value); ok || err != nil {
		dst.hidden = append(dst.hidden, v)
		return v, err
	}
	return l.expand(n.Value)
}

var decimalPattern = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?$`)

// literal reads true, false and numbers. What would lose digits stays a text.
func literal(text string) (any, bool) {
	if b, err := boolean(text); err == nil {
		return b, true
	}
	if !decimalPattern.MatchString(text) {
		return nil, false
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, true
	}
	f, err := strconv.ParseFloat(text, 64)
	return f, err == nil && strings.Contains(text, ".")
}

// fromElsewhere reads a value that is written as env:NAME or file:PATH; a URL
// with file:// is no such thing.
func (l *loader) fromElsewhere(text string) (v string, ok bool, err error) {
	if name, found := strings.CutPrefix(text, "env:"); found {
		if !variableName.MatchString(name) {
			return "", true, expected("must name an environment variable behind env:, such as env:NTFY_TOKEN")
		}
		v, err = l.expand("${" + name + "}")
		return v, true, err
	}
	path, found := strings.CutPrefix(text, "file:")
	if !found || strings.HasPrefix(path, "//") {
		return "", false, nil
	}
	if path, err = l.expand(path); err == nil {
		v, err = l.secretFile(path)
	}
	return v, true, err
}

// whichCameras checks a list of cameras; it is nil for all of them. Cameras that
// are not in the file may be added at run time, so they are only warned of if
// another name is near.
func (l *loader) whichCameras(c *Config, list []string, path string) []string {
	var ids []string
	for _, cam := range c.Cameras {
		ids = append(ids, cam.ID)
	}
	_, given := l.where[path]
	switch {
	case given && len(list) == 0:
		l.wrong(path, nil, `names no camera: name some, or write ["*"] for all`)
	case slices.Equal(list, []string{"*"}):
		return nil
	}
	for i, id := range list {
		at := fmt.Sprintf("%s[%d]", path, i)
		err := checkListed(id)
		near := nearest(id, ids)
		switch {
		case l.unread(at) || slices.Contains(ids, id):
		case err != nil:
			l.suggest(l.at(at), at, near, "%v", err)
		case near != "":
			l.warn(l.at(at), at, "%s is no camera of this file: is %s meant?", quote(id), near)
		}
	}
	return list
}

func checkListed(id string) error {
	if id == "*" {
		return expected(`stands beside other names: write ["*"] for all cameras, or only names`)
	}
	_, err := cameraID(id)
	return err
}
