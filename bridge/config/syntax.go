package config

import (
	"bytes"
	"io"
	"sort"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// parse returns the top of the only document; an empty value if there is none.
func (l *loader) parse(text []byte) *yaml.Node {
	if i, err := notText(text); err != nil {
		l.suggest(l.offset(text, i), "", "", "%v", err)
		return nil
	}
	first, second, err := documents(text)
	switch {
	case err != nil:
		l.syntax(text, err)
	case second != nil:
		l.problem(second, "", "a second document begins here: keep everything in one, without a line ---")
	case first != nil:
		return first
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"}
}

// notText returns the offset of the first byte that does not belong into a
// text file, and why it does not; nil if all do.
func notText(text []byte) (int, error) {
	if i := bytes.IndexByte(text, 0); i >= 0 {
		return i, expected("there is a NUL byte: this is no text file, or it is saved as UTF-16; save it as UTF-8")
	}
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && n == 1 {
			return i, expected("byte 0x%02x is not UTF-8: save the file as UTF-8", text[i])
		}
		i += n
	}
	return 0, nil
}

// documents parses the first two documents; a missing one is nil.
func documents(text []byte) (first, second *yaml.Node, err error) {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	for _, dst := range []**yaml.Node{&first, &second} {
		var doc yaml.Node
		if err := dec.Decode(&doc); err == io.EOF {
			return first, second, nil
		} else if err != nil {
			return nil, nil, err
		}
		*dst = doc.Content[0]
	}
	return first, second, nil
}

// syntax reports a text that is not YAML. The parser says at best a line, and
// often that of an enclosing block; but the shortest beginning of the file that
// has the very same error ends where the mistake is.
func (l *loader) syntax(text []byte, err error) {
	end := sort.Search(len(text), func(n int) bool {
		_, _, e := documents(text[:n])
		return e != nil && e.Error() == err.Error()
	})
	at := l.offset(text, max(end-1, 0))
	l.suggest(at, "", "", "%s", explain(err, text[:end]))
}

// offset turns a byte's offset into a position.
func (l *loader) offset(text []byte, i int) position {
	start := bytes.LastIndexByte(text[:i], '\n') + 1
	return position{l.file, 1 + bytes.Count(text[:i], []byte("\n")), 1 + utf8.RuneCount(text[start:i])}
}

// explanations says in words for people what the parser means.
var explanations = []struct{ parser, words string }{
	{"did not find expected key", "this line is indented differently from those it belongs to: keys of one map begin in the same column"},
	{"did not find expected '-' indicator", "the items of a list must all begin with - in the same column"},
	{"could not find expected ':'", "a colon is missing: write a key, a colon, a space and the value"},
	{"mapping values are not allowed", `this colon cannot stand here: indent the line like its neighbours, begin a new line for each key, and put a text that contains ": " in quotes`},
	{"block sequence entries are not allowed", "a list cannot begin here: put - on a new line"},
	{"did not find expected ',' or ']'", "a list that begins with [ lacks a comma or its ]"},
	{"did not find expected ',' or '}'", "a map that begins with { lacks a comma or its }"},
	{"did not find expected node content", "a value is missing here"},
	{"found unexpected end of stream", "a quotation mark opens here and is not closed"},
	{"found unknown escape character", `this \ escape is not known: write \\ for a backslash, or use single quotes`},
	{"cannot start any token", "a value cannot begin with this sign: put it in quotes"},
	{"alphabetic or numeric character", "a value cannot begin with * or &: put it in quotes"},
	{"unknown anchor", "a value cannot begin with * or &: put it in quotes"},
	{"control characters are not allowed", "a control character stands here: remove it"},
	{"exceeded max depth", "lists or maps are nested too deep"},
}

const (
	tabs    = "a tab stands in the indentation: use spaces"
	notYAML = "this is not YAML: "
)

func explain(err error, before []byte) string {
	line := before[bytes.LastIndexByte(before, '\n')+1:]
	indent := line[:len(line)-len(bytes.TrimLeft(line, " \t"))]
	if bytes.IndexByte(indent, '\t') >= 0 {
		return tabs
	}
	for _, e := range explanations {
		if strings.Contains(err.Error(), e.parser) {
			return e.words
		}
	}
	return notYAML + strings.TrimPrefix(err.Error(), "yaml: ")
}
