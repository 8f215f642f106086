package config

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Prefix begins the name of each environment variable that sets a key.
const Prefix = "ESPCAM_"

// Key is one key that may stand in the file.
type Key struct {
	Path     string // such as http.listen, http.tokens[].role or cameras.*.name
	Variable string // environment variable that overrides the file, such as ESPCAM_HTTP_LISTEN; "" in lists and cameras
	Secret   bool
}

// Keys lists all keys in the order of the schema.
func Keys() []Key {
	keys := schema(Default()).keys("")
	for i, k := range keys {
		if !strings.ContainsAny(k.Path, "*[") {
			keys[i].Variable = variable(k.Path)
		}
	}
	return keys
}

// variable is how every name is made.
func variable(path string) string {
	return Prefix + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}

// override applies the environment to the values of the file, and complains of
// variables that look as if they should do something.
func (l *loader) override(s section) {
	known := map[string]bool{}
	l.overrideSection(s, "", known)
	names := slices.Sorted(maps.Keys(known))
	for i := range names {
		names[i] = strings.TrimPrefix(names[i], Prefix)
	}
	for _, name := range slices.Sorted(maps.Keys(l.env)) {
		rest, ours := strings.CutPrefix(name, Prefix)
		if !ours || known[name] || l.used[name] {
			continue
		}
		near := nearest(rest, names)
		if near != "" {
			near = Prefix + near
		}
		l.suggest(environment(name), "", near, "sets nothing: no key has this name")
	}
}

func (l *loader) overrideSection(s section, path string, known map[string]bool) {
	for _, f := range s.rows() {
		at := join(path, f.key)
		if sub, ok := f.value.(section); ok {
			l.overrideSection(sub, at, known)
		}
		if v, ok := f.value.(leaf); ok {
			known[variable(at)] = true
			l.overrideLeaf(v, at)
		}
	}
}

func (l *loader) overrideLeaf(v leaf, path string) {
	name := variable(path)
	text, ok := l.env[name]
	if !ok {
		return
	}
	pos := environment(name)
	l.where[path] = pos
	delete(l.bad, path)
	if err := v.set(l, text); err != nil {
		l.suggest(pos, path, "", "%v", err)
	}
	if _, ok := v.(twin); !ok {
		return
	}
	base := strings.TrimSuffix(name, strings.ToUpper(twinSuffix))
	if _, both := l.env[base]; both {
		l.suggest(pos, path, "", "is given beside %s: keep one of the two", base)
	}
}

func environment(name string) position { return position{file: "$" + name} }

var (
	reference    = regexp.MustCompile(`\$?\$\{[^}]*\}?`)
	variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// expand replaces ${NAME} by the environment variable; $${ stands for ${.
func (l *loader) expand(text string) (string, error) {
	var wrong error
	out := reference.ReplaceAllStringFunc(text, func(ref string) string {
		if strings.HasPrefix(ref, "$$") {
			return ref[1:]
		}
		name := strings.TrimSuffix(ref[2:], "}")
		v, ok := l.env[name]
		l.used[name] = true
		switch {
		case wrong != nil:
		case !strings.HasSuffix(ref, "}") || !variableName.MatchString(name):
			wrong = expected("must write an environment variable as ${NAME}, and a plain ${ as $${")
		case !ok:
			wrong = expected("needs the environment variable %s, which is not set", name)
		}
		return v
	})
	return out, wrong
}
