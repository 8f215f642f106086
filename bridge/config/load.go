package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

const (
	maxFile     = 1 << 20  // bytes of the configuration
	maxSecret   = 64 << 10 // bytes of a file with a secret
	maxProblems = 100
)

// Input is what a configuration is made from.
type Input struct {
	Path     string   // of the YAML file
	Required bool     // a missing file is a problem, not an empty configuration
	Environ  []string // "NAME=value", as from os.Environ
}

// Load reads the file and the environment. The error is of type Problems and
// has all mistakes at once; the Config is nil then. Warnings are sorted, and
// come with or without an error.
func Load(in Input) (c *Config, warnings []Problem, err error) {
	l := newLoader(in.Path, in.Environ, readSecret)
	text, err := l.readFile(in)
	if err != nil {
		l.suggest(position{file: in.Path}, "", "", "%v", err)
		return nil, nil, Problems(l.problems)
	}
	return l.load(text)
}

// Look reads what can be used of a configuration, for commands that speak with a
// bridge that runs: they need where its data is, and the secrets in its
// environment are not in theirs. Keys with a mistake have their default. c is nil
// only if there is nothing to read: the file is missing and must be there, or is
// no YAML.
func Look(in Input) (c *Config, mistakes Problems) {
	l := newLoader(in.Path, in.Environ, readSecret)
	text, err := l.readFile(in)
	if err != nil {
		l.suggest(position{file: in.Path}, "", "", "%v", err)
		return nil, l.problems
	}
	c = l.fill(text)
	sortProblems(l.problems)
	return c, l.problems
}

// position is where something was said. The zero position is the whole file.
type position struct {
	file      string
	line, col int
}

// loader collects what is found on the way through one configuration.
type loader struct {
	file   string
	env    map[string]string
	secret func(path string) ([]byte, error)

	public bool // others may read the file
	inline bool // a secret is written in it

	where    map[string]position // by path of the key
	bad      map[string]bool     // paths with a problem
	used     map[string]bool     // environment variables that the file mentions
	problems []Problem
	lost     int // problems beyond maxProblems
	warnings []Problem
}

func newLoader(file string, environ []string, secret func(string) ([]byte, error)) *loader {
	l := &loader{
		file: file, env: map[string]string{}, secret: secret,
		where: map[string]position{}, bad: map[string]bool{}, used: map[string]bool{},
	}
	for _, e := range environ {
		if name, v, ok := strings.Cut(e, "="); ok {
			l.env[name] = v
		}
	}
	return l
}

func (l *loader) load(text []byte) (*Config, []Problem, error) {
	c := l.fill(text)
	sortProblems(l.warnings)
	sortProblems(l.problems)
	if l.lost > 0 {
		l.problems = append(l.problems, Problem{File: l.file, Message: fmt.Sprintf("has %d more problems, which are not shown", l.lost)})
	}
	if len(l.problems) > 0 {
		return nil, l.warnings, Problems(l.problems)
	}
	return c, l.warnings, nil
}

// fill returns nil if text is no YAML.
func (l *loader) fill(text []byte) *Config {
	c := Default()
	root := l.parse(text)
	if len(l.problems) > 0 {
		return nil
	}
	s := schema(c)
	l.read(s, root, "")
	l.override(s)
	l.check(c)
	return c
}

// problem is a mistake at a node of the file.
func (l *loader) problem(n *yaml.Node, path, format string, args ...any) {
	l.suggest(l.position(n), path, "", format, args...)
}

// suggest is a mistake anywhere, with the nearest known name or "".
func (l *loader) suggest(at position, path, near, format string, args ...any) {
	l.bad[path] = true
	if l.full() {
		l.lost++
		return
	}
	l.problems = append(l.problems, Problem{
		File: at.file, Line: at.line, Column: at.col, Key: path,
		Message: fmt.Sprintf(format, args...), Suggestion: near,
	})
}

func (l *loader) full() bool { return len(l.problems) >= maxProblems }

func (l *loader) position(n *yaml.Node) position { return position{l.file, n.Line, n.Column} }

// readFile returns the configuration's text; none if it is missing and may be.
func (l *loader) readFile(in Input) ([]byte, error) {
	f, err := os.Open(in.Path)
	if errors.Is(err, fs.ErrNotExist) {
		if in.Required {
			return nil, expected("does not exist")
		}
		return nil, nil
	}
	if err != nil {
		return nil, cannotRead(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, cannotRead(err)
	}
	l.public = info.Mode().IsRegular() && info.Mode().Perm()&0o004 != 0
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, cannotRead(err)
	}
	if len(text) > maxFile {
		return nil, expected("is larger than 1 MiB: this is no configuration")
	}
	return text, nil
}

// cannotRead leaves out the path, which the message names anyway.
func cannotRead(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return expected("cannot be read: %w", err)
}

// secretFile returns the text of a file that holds a secret, without the line
// break at its end.
func (l *loader) secretFile(name string) (string, error) {
	if name == "" {
		return "", expected("must be the path of a file that holds the secret")
	}
	b, err := l.secret(name)
	if err != nil {
		return "", fmt.Errorf("%s: %w", quote(name), err)
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	if text == "" || !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		return "", expected("%s: the file must hold one line of text, the secret", quote(name))
	}
	return text, nil
}

// readSecret reads only regular files: a pipe would wait for somebody to write.
func readSecret(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, cannotRead(err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxSecret {
		return nil, expected("must be a regular file of at most 64 KiB")
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, cannotRead(err)
	}
	return b, nil
}
