package launch

import (
	"fmt"
	"strings"
	"time"
)

// Incompatible means that the plugin speaks none of our versions of the protocol.
type Incompatible struct {
	Name   string
	Plugin []int // major versions that it speaks, as far as it said
	Bridge []int // that we speak
}

func (e *Incompatible) Error() string {
	return fmt.Sprintf("plugin %q was built for plugin API %s; this bridge speaks API %s", e.Name, numbers(e.Plugin), numbers(e.Bridge))
}

func numbers(list []int) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(list), " ", ", "), "[]")
}

// NoHandshake means that the process did not become a plugin that answers.
type NoHandshake struct {
	Name   string
	Exit   string        // how it ended by itself, such as "exit status 1"; "": it was killed for being late or wrong
	Wrong  string        // what it wrote to stdout instead of the handshake, or what is wrong with that
	After  error         // it did shake hands, and this happened then
	Within time.Duration // it had
	Last   []string      // its last lines on stderr
}

func (e *NoHandshake) Error() string {
	why := fmt.Sprintf("it said nothing within %v", e.Within)
	switch {
	case e.Wrong != "":
		why = e.Wrong
	case e.Exit != "" && e.After != nil:
		why = "it ended right after the handshake: " + e.Exit
	case e.Exit != "":
		why = "it ended before the handshake: " + e.Exit
	case e.After != nil:
		why = "it does not answer after the handshake: " + e.After.Error()
	}
	last := ""
	if n := len(e.Last); n > 0 {
		last = "; its last line: " + e.Last[n-1]
	}
	return fmt.Sprintf("plugin %q did not start: %s%s", e.Name, why, last)
}
