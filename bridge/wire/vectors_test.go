package wire_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/wire"
)

// vector is one block of a file in testdata; its README has the format.
type vector struct {
	name  string
	bytes []byte
	want  string // the outcome line
}

type parser func([]byte) (wire.Message, error)

var files = map[string]parser{"device.txt": wire.ParseDevice, "server.txt": wire.ParseServer}

func TestVectors(t *testing.T) {
	for file, parse := range files {
		for _, v := range load(t, file) {
			t.Run(file+"/"+v.name, func(t *testing.T) {
				if got := outcome(parse(v.bytes)); got != v.want {
					t.Errorf("text %.200q\n got %s\nwant %s", v.bytes, got, v.want)
				}
			})
		}
	}
}

// TestVectorsAreCanonical: every message in an outcome, parsed and encoded, is
// itself, so the vectors test encoders too.
func TestVectorsAreCanonical(t *testing.T) {
	for file, parse := range files {
		for _, v := range load(t, file) {
			text, ok := strings.CutPrefix(v.want, "out ")
			if !ok {
				continue
			}
			if got := outcome(parse([]byte(text))); got != v.want {
				t.Errorf("%s/%s: encoded again\n got %s\nwant %s", file, v.name, got, v.want)
			}
		}
	}
}

func outcome(m wire.Message, err error) string {
	var f *wire.Fault
	switch {
	case errors.As(err, &f):
		return strings.TrimSpace("malformed " + f.Reason + " " + f.Member)
	case err != nil:
		return "another error: " + err.Error()
	case m == nil:
		return "ignored"
	}
	return "out " + string(m.Append(nil))
}

func TestClose(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "close.txt"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if len(lines) != 17 {
		t.Errorf("close.txt has %d reasons, bridge has 17", len(lines))
	}
	for _, line := range lines {
		want := strings.SplitN(line, " ", 3)
		reason := bridge.Reason(want[1])
		got := string(wire.ErrorText(reason))
		if got == "" {
			got = "-"
		}
		if code := strconv.Itoa(wire.CloseCode(reason)); code != want[0] || got != want[2] {
			t.Errorf("%s: got %s %s, want %s %s", reason, code, got, want[0], want[2])
		}
	}
	if code := wire.CloseCode("no such reason"); code != 1011 {
		t.Errorf("a reason outside the table closes with %d, want 1011", code)
	}
}

func load(t testing.TB, file string) []vector {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	var out []vector
	seen := map[string]bool{}
	for _, block := range strings.Split(string(text), "\n\n") {
		v, err := parseBlock(block)
		if err != nil {
			t.Fatalf("%s: block %q: %v", file, v.name, err)
		}
		if v.name == "" {
			continue
		}
		if seen[v.name] {
			t.Fatalf("%s: two vectors are called %q", file, v.name)
		}
		seen[v.name] = true
		out = append(out, v)
	}
	return out
}

func parseBlock(block string) (vector, error) {
	var v vector
	for _, line := range strings.Split(strings.Trim(block, "\n"), "\n") {
		word, rest, _ := strings.Cut(line, " ")
		rest = strings.TrimLeft(rest, " ")
		switch {
		case line == "" || line[0] == '#':
		case word == "vector":
			v.name = rest
		case word == "in":
			v.bytes = append(v.bytes, rest...)
		case word == "hex":
			b, err := hex.DecodeString(rest)
			if err != nil {
				return v, err
			}
			v.bytes = append(v.bytes, b...)
		case word == "rep":
			times, what, _ := strings.Cut(rest, " ")
			n, err := strconv.Atoi(times)
			if err != nil {
				return v, err
			}
			v.bytes = append(v.bytes, strings.Repeat(what, n)...)
		case word == "out" || word == "malformed" || word == "ignored":
			v.want = strings.TrimSpace(word + " " + rest)
		default:
			return v, fmt.Errorf("unknown line %q", line)
		}
	}
	if v.name != "" && v.want == "" {
		return v, errors.New("no outcome")
	}
	return v, nil
}
