package config

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// value is one node of the schema: it reads the YAML node of its key.
type value interface {
	read(l *loader, n *yaml.Node, path string)
	// keys lists the keys at and below path.
	keys(path string) []Key
}

// field is one row of a section.
type field struct {
	key      string
	also     string // another name that people may try; "" if none
	required bool
	value
}

func row(key string, v value) field { return field{key: key, value: v} }

func required(key string, v value) field { return field{key: key, value: v, required: true} }

// leaf is a single value, whether it comes from the file or the environment.
type leaf interface {
	value
	set(l *loader, text string) error
}

// scalar is a leaf whose text may be seen.
type scalar func(text string) error

// one is the scalar that fills dst.
func one[T any](dst *T, parse func(string) (T, error)) value {
	return scalar(func(text string) error {
		v, err := parse(text)
		if err == nil {
			*dst = v
		}
		return err
	})
}

func (s scalar) set(_ *loader, text string) error          { return s(text) }
func (s scalar) read(l *loader, n *yaml.Node, path string) { l.readLeaf(s, n, path) }
func (s scalar) keys(path string) []Key                    { return []Key{{Path: path}} }

// secret is a leaf whose key has a twin ending in _file.
type secret struct {
	dst   *Secret
	check func(string) error // must not repeat the text
}

func (s secret) set(_ *loader, text string) error {
	if err := s.check(text); err != nil {
		return err
	}
	*s.dst = NewSecret(text)
	return nil
}

func (s secret) read(l *loader, n *yaml.Node, path string) {
	if text, ok := l.readLeaf(s, n, path); ok && text != "" && text == n.Value {
		l.inline = true
	}
}

func (s secret) keys(path string) []Key { return []Key{{Path: path, Secret: true}} }

// twin is the leaf of the key ending in _file.
type twin struct{ secret }

func (t twin) set(l *loader, name string) error {
	text, err := l.secretFile(name)
	if err != nil {
		return err
	}
	if err := t.secret.set(l, text); err != nil {
		return expected("%s: its text %w", quote(name), err)
	}
	return nil
}

func (t twin) read(l *loader, n *yaml.Node, path string) { l.readLeaf(t, n, path) }
func (t twin) keys(path string) []Key                    { return []Key{{Path: path}} }

const twinSuffix = "_file"

// section is a map with known keys.
type section []field

// rows returns the fields and the twins of the secrets.
func (s section) rows() []field {
	var out []field
	for _, f := range s {
		out = append(out, f)
		if sec, ok := f.value.(secret); ok {
			out = append(out, row(f.key+twinSuffix, twin{sec}))
		}
	}
	return out
}

func (s section) read(l *loader, n *yaml.Node, path string) {
	rows := s.rows()
	given := map[string]*yaml.Node{}
	for _, e := range l.entries(n, path) {
		i := slices.IndexFunc(rows, func(f field) bool { return f.key == e.key })
		if i < 0 {
			l.unknown(e.at, e.path, rows)
			continue
		}
		given[e.key] = e.node
		l.read(rows[i].value, e.node, e.path)
	}
	for _, f := range s {
		here, file := given[f.key], given[f.key+twinSuffix]
		_, twins := f.value.(secret)
		switch {
		case file != nil && here != nil && here.Value != "":
			l.problem(file, join(path, f.key+twinSuffix), "is given beside %s: keep one of the two", f.key)
		case f.required && twins && here == nil && file == nil:
			l.problem(n, path, "needs %s or %s%s", f.key, f.key, twinSuffix)
		case f.required && !twins && here == nil:
			l.problem(n, path, "needs %s", f.key)
		}
	}
}

func (s section) keys(path string) []Key {
	var out []Key
	for _, f := range s.rows() {
		out = append(out, f.keys(join(path, f.key))...)
	}
	return out
}

// list is a sequence; add appends an element and returns how to read it.
type list struct{ add func() value }

func listOf[T any](dst *[]T, elem func(*T) value) list {
	return list{func() value {
		*dst = append(*dst, *new(T))
		return elem(&(*dst)[len(*dst)-1])
	}}
}

func (s list) read(l *loader, n *yaml.Node, path string) {
	if empty(n) {
		return
	}
	if n.Kind != yaml.SequenceNode {
		l.problem(n, path, "must be a list such as [a, b], not %s", kind(n))
		return
	}
	for i, item := range n.Content {
		at := fmt.Sprintf("%s[%d]", path, i)
		l.where[at] = l.position(item)
		l.read(s.add(), item, at)
	}
}

func (s list) keys(path string) []Key { return s.add().keys(path + "[]") }

// table is a map whose keys are chosen by the user.
type table struct {
	add  func(key string) value
	name func(key string) error
}

func (t table) read(l *loader, n *yaml.Node, path string) {
	for _, e := range l.entries(n, path) {
		if err := t.name(e.key); err != nil {
			l.problem(e.at, e.path, "%v", err)
			continue
		}
		l.read(t.add(e.key), e.node, e.path)
	}
}

func (t table) keys(path string) []Key { return t.add("*").keys(join(path, "*")) }

// entry is one key of a map in the file.
type entry struct {
	key, path string
	at, node  *yaml.Node // the key's, the value's
}

// entries returns the keys of a map, and complains of those that are no plain
// text or stand there twice. A missing value is an empty map.
func (l *loader) entries(n *yaml.Node, path string) []entry {
	if empty(n) {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		l.problem(n, path, "must be a map of keys and values, not %s", kind(n))
		return nil
	}
	var out []entry
	first := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		if k.Kind != yaml.ScalarNode || k.Value == "" || odd(k) {
			l.problem(k, path, "has a key that is not plain text")
			continue
		}
		e := entry{key: k.Value, path: join(path, k.Value), at: k, node: n.Content[i+1]}
		if line, twice := first[e.key]; twice {
			l.problem(k, e.path, "stands here twice, first in line %d", line)
			continue
		}
		first[e.key] = k.Line
		l.where[e.path] = l.position(k)
		out = append(out, e)
	}
	return out
}

// read reads any value after the checks that all need.
func (l *loader) read(v value, n *yaml.Node, path string) {
	if !l.odd(n, path) {
		v.read(l, n, path)
	}
}

// odd complains of a node that this strict reading leaves out.
func (l *loader) odd(n *yaml.Node, path string) bool {
	if odd(n) {
		l.problem(n, path, "uses an anchor (&), an alias (*) or a tag (!): write the value out, in quotes if it begins with such a sign")
	}
	return odd(n)
}

// readLeaf returns the text after expansion, and whether it was accepted.
func (l *loader) readLeaf(v leaf, n *yaml.Node, path string) (string, bool) {
	if n.Kind != yaml.ScalarNode {
		l.problem(n, path, "must be a single value, not %s", kind(n))
		return "", false
	}
	if empty(n) {
		l.problem(n, path, `has no value: write one, or "" for an empty text, or remove the line`)
		return "", false
	}
	text, err := l.expand(n.Value)
	if err == nil {
		err = v.set(l, text)
	}
	var m misspelt
	if errors.As(err, &m) {
		l.suggest(l.position(n), path, m.near, "%v", err)
	} else if err != nil {
		l.problem(n, path, "%v", err)
	}
	return text, err == nil
}

func (l *loader) unknown(k *yaml.Node, path string, rows []field) {
	if l.full() {
		l.problem(k, path, "is not a known key")
		return
	}
	known := make([]string, len(rows))
	for i, f := range rows {
		known[i] = f.key
		if f.also == k.Value {
			l.suggest(l.position(k), path, f.key, "is not a known key")
			return
		}
	}
	near := nearest(k.Value, known)
	if near == "" {
		near = elsewhere(k.Value)
	}
	if near == "" {
		l.problem(k, path, "is not a known key; known here: %s", strings.Join(known, ", "))
		return
	}
	l.suggest(l.position(k), path, near, "is not a known key")
}

// elsewhere returns the path of the first key of that name in the schema.
func elsewhere(key string) string {
	for _, k := range Keys() {
		if strings.HasSuffix(k.Path, "."+key) {
			return k.Path
		}
	}
	return ""
}

// empty reports whether nothing is written behind a key.
func empty(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// odd reports whether n uses what this strict reading of YAML leaves out:
// nothing in the file is far away from where it takes effect.
func odd(n *yaml.Node) bool {
	return n.Kind == yaml.AliasNode || n.Anchor != "" || n.Style&yaml.TaggedStyle != 0
}

func kind(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a map"
	case yaml.SequenceNode:
		return "a list"
	}
	return "a single value"
}

var plainKey = regexp.MustCompile(`^[A-Za-z0-9_*-]{1,40}$`)

// join appends a key to a path; an odd key is quoted, since paths are printed.
func join(path, key string) string {
	if !plainKey.MatchString(key) {
		key = quote(key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}
