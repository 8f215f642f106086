package config

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// How pictures are judged has one table and one set of sentences for the file,
// the API, MQTT and the page: bridge.CheckMotion. What is here turns YAML into
// what that takes, and finds where in the file a complaint belongs.

// motion has a row for each motion setting; what is given goes into dst.
func motion(dst *bridge.MotionChange) section {
	var s section
	for _, name := range bridge.MotionNames() {
		s = append(s, row(name, motionValue(dst, name)))
	}
	return s
}

func motionValue(dst *bridge.MotionChange, name string) value {
	switch name {
	case "ignore":
		return polygons{dst}
	case "zones":
		return zones{dst}
	}
	byItself := bridge.DefaultMotion().Values()[name] == nil
	return scalar(func(text string) error {
		if text == "" && byItself { // it follows from another setting, as without this key
			delete(*dst, name)
			return nil
		}
		return setMotion(dst, name, motionScalar(name, text))
	})
}

// setMotion checks one setting and keeps it.
func setMotion(dst *bridge.MotionChange, name string, v any) error {
	c, err := checkMotion(name, v)
	if err == nil {
		*dst = dst.Merge(c)
	}
	return err
}

// checkMotion is bridge.CheckMotion for one setting. Its sentence comes without
// the name, which stands before every message here.
func checkMotion(name string, v any) (bridge.MotionChange, error) {
	c, err := bridge.CheckMotion(map[string]any{name: v})
	if err != nil {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "motion."+name+" "))
	}
	return c, nil
}

// motionScalar is text in the type that is meant. A delay keeps its unit.
func motionScalar(name, text string) any {
	if name == "off_delay" {
		return text
	}
	if b, err := boolean(text); err == nil {
		return b
	}
	return numeral(text, text)
}

// numeral is the number that text is, or else.
func numeral(text string, or any) any {
	if n, err := strconv.Atoi(text); err == nil {
		return n
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil {
		return f
	}
	return or
}

// polygons is the list of areas where motion does not count.
type polygons struct{ dst *bridge.MotionChange }

// anywhereElse stands for the polygons that are not looked at.
var anywhereElse = bridge.Polygon{{0, 0}, {1, 0}, {1, 1}}

// read looks at one polygon at a time, so that each mistake is told, and where
// it is; the others are replaced by one that is right, so that the sentence
// counts as the file does.
func (p polygons) read(l *loader, n *yaml.Node, path string) {
	if empty(n) {
		return
	}
	whole, ok := l.plain(n, path, polygonDepth+1)
	list, _ := whole.([]any)
	others := slices.Repeat([]any{anywhereElse}, len(list))
	if _, err := checkMotion("ignore", others); !ok || err != nil || n.Kind != yaml.SequenceNode {
		l.motionProblem(n, path, ok, setMotion(p.dst, "ignore", whole))
		return
	}
	for i, item := range list {
		others[i] = item
		if _, err := checkMotion("ignore", others); err != nil {
			l.motionProblem(n.Content[i], fmt.Sprintf("%s[%d]", path, i), true, err)
			others[i], ok = anywhereElse, false
		}
	}
	if ok {
		l.motionProblem(n, path, true, setMotion(p.dst, "ignore", list))
	}
}

func (p polygons) keys(path string) []Key { return []Key{{Path: path + "[]"}} }

// zones are the areas that have a name.
type zones struct{ dst *bridge.MotionChange }

func (z zones) read(l *loader, n *yaml.Node, path string) {
	if empty(n) {
		return
	}
	if n.Kind != yaml.MappingNode {
		whole, ok := l.plain(n, path, polygonDepth+1)
		l.motionProblem(n, path, ok, setMotion(z.dst, "zones", whole))
		return
	}
	all, good := map[string]any{}, true
	for _, e := range l.entries(n, path) {
		p, ok := l.plain(e.node, e.path, polygonDepth)
		all[e.key] = p
		_, err := checkMotion("zones", map[string]any{e.key: p})
		l.motionProblem(e.at, e.path, ok, err)
		good = good && ok && err == nil
	}
	if good {
		l.motionProblem(n, path, true, setMotion(z.dst, "zones", all))
	}
}

func (z zones) keys(path string) []Key { return []Key{{Path: path + ".*"}} }

// motionProblem passes a sentence of CheckMotion on, unless what it was about
// has a problem already.
func (l *loader) motionProblem(n *yaml.Node, path string, fresh bool, err error) {
	if fresh && err != nil {
		l.problem(n, path, "%v", err)
	}
}

// described is what stands where a number or a list should: fit for a message as
// it is.
type described string

// polygonDepth is how deep the lists of a polygon are nested: points, numbers.
const polygonDepth = 2

// plain turns a node into lists, numbers and texts. What is nested deeper than
// depth, and each map, is only named. It is false after a problem.
func (l *loader) plain(n *yaml.Node, path string, depth int) (any, bool) {
	if l.odd(n, path) {
		return nil, false
	}
	if n.Kind == yaml.MappingNode || n.Kind == yaml.SequenceNode && depth == 0 {
		return described(kind(n)), true
	}
	if n.Kind == yaml.SequenceNode {
		list, good := make([]any, len(n.Content)), true
		for i, item := range n.Content {
			v, ok := l.plain(item, path, depth-1)
			list[i], good = v, good && ok
		}
		return list, good
	}
	if empty(n) {
		return described("nothing"), true
	}
	text, err := l.expand(n.Value)
	if err != nil {
		l.problem(n, path, "%v", err)
		return nil, false
	}
	return numeral(text, described(strings.Trim(strconv.QuoteToASCII(shorten(text)), `"`))), true
}
