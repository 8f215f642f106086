package launch

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	keptLines = 50
	maxLine   = 8 << 10 // bytes; what is longer is cut

	burst      = 200 // lines that are read at once
	burstPause = 50 * time.Millisecond
)

// Line is one record of a plugin's log.
type Line struct {
	Time    time.Time // when it was read
	Level   slog.Level
	Message string
	Attrs   []slog.Attr // sorted by name
}

// String is the line as lists show it: level, message, attributes.
func (l Line) String() string {
	var b strings.Builder
	b.WriteString(l.Level.String() + " " + l.Message)
	for _, a := range l.Attrs {
		fmt.Fprintf(&b, " %s=%v", a.Key, a.Value)
	}
	return b.String()
}

func errorLine(format string, args ...any) Line {
	return Line{Time: time.Now(), Level: slog.LevelError, Message: fmt.Sprintf(format, args...)}
}

// lines keeps the newest lines and passes each one on. Its goroutines are the
// readers of stdout and stderr. They read no faster than 4000 lines a second each:
// a plugin that writes more waits for them, not the bridge for it.
type lines struct {
	tell  func(Line)
	hurry chan struct{} // closed when the process has ended: what is left is read at once

	mu    sync.Mutex
	kept  []string
	total int
}

func (l *lines) add(line Line) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.kept) == keptLines {
		l.kept = slices.Delete(l.kept, 0, 1)
	}
	l.kept = append(l.kept, line.String())
	l.total++
	if l.tell != nil {
		l.tell(line)
	}
}

// count is how many lines there were.
func (l *lines) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.total
}

func (l *lines) last() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.kept)
}

// pacer holds up a reader after each burst.
type pacer struct {
	read  int
	since time.Time
}

func (p *pacer) next(hurry <-chan struct{}) {
	if p.read++; p.read < burst {
		return
	}
	if rest := burstPause - time.Since(p.since); rest > 0 {
		timer := time.NewTimer(rest)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-hurry:
		}
	}
	p.read, p.since = 0, time.Now()
}

// read takes lines from r to its end.
func (l *lines) read(r *bufio.Reader) {
	var p lineParser
	var pace pacer
	for {
		pace.next(l.hurry)
		text, err := readLine(r)
		if text != "" {
			l.add(p.parse(text))
		}
		if err != nil {
			return
		}
	}
}

func readerOf(r io.Reader) *bufio.Reader { return bufio.NewReaderSize(r, 4<<10) }

// lineWriter takes lines that come in pieces.
type lineWriter struct {
	log    *lines
	parser lineParser
	pace   pacer
	rest   []byte // begun, without an end
}

func (w *lineWriter) Write(b []byte) (int, error) {
	w.rest = append(w.rest, b...)
	for {
		line, rest, ended := bytes.Cut(w.rest, []byte("\n"))
		if !ended && len(w.rest) < maxLine {
			return len(b), nil
		}
		w.pace.next(w.log.hurry)
		if text := tidy(line); text != "" {
			w.log.add(w.parser.parse(text))
		}
		w.rest = bytes.Clone(rest)
	}
}

// tidy makes a line of what a plugin wrote.
func tidy(b []byte) string { return strings.ToValidUTF8(strings.TrimRight(string(b), " \t\r"), "?") }

// readLine returns the next line without its end. Of a longer one than maxLine
// the rest is dropped.
func readLine(r *bufio.Reader) (string, error) {
	var b []byte
	for {
		part, more, err := r.ReadLine()
		b = append(b, part[:min(len(part), maxLine-len(b))]...)
		if err != nil && err != io.EOF {
			err = io.EOF // the pipe was closed
		}
		if !more || err != nil {
			return tidy(b), err
		}
	}
}

// lineParser knows whether the lines belong to a crash.
type lineParser struct {
	traceback bool // Python's: until the line that names the error
	panic     bool // Go's: to the end
}

// parse takes a JSON record as slog and hclog write them; anything else is
// plain text.
func (p *lineParser) parse(text string) Line {
	var fields map[string]any
	if strings.HasPrefix(text, "{") && json.Unmarshal([]byte(text), &fields) == nil {
		if l, ok := record(fields); ok {
			*p = lineParser{}
			return l
		}
	}
	return Line{Time: time.Now(), Level: p.plain(text), Message: text}
}

func (p *lineParser) plain(text string) slog.Level {
	switch {
	case strings.HasPrefix(text, "panic: "), strings.HasPrefix(text, "fatal error: "):
		p.panic = true
	case strings.HasPrefix(text, "Traceback (most recent call last)"):
		p.traceback = true
	case p.panic:
	case p.traceback:
		p.traceback = strings.HasPrefix(text, " ")
	default:
		return slog.LevelInfo
	}
	return slog.LevelError
}

// record reads {"level","msg",...}; hclog writes "@level" and "@message".
func record(fields map[string]any) (Line, bool) {
	l := Line{Time: time.Now(), Message: take(fields, "msg", "@message")}
	level := take(fields, "level", "@level")
	if l.Message == "" && level == "" {
		return l, false
	}
	if strings.EqualFold(level, "trace") {
		l.Level = slog.LevelDebug
	} else if err := l.Level.UnmarshalText([]byte(level)); err != nil {
		l.Level = slog.LevelInfo
	}
	take(fields, "time", "@timestamp")
	for _, k := range slices.Sorted(maps.Keys(fields)) {
		l.Attrs = append(l.Attrs, slog.Any(k, fields[k]))
	}
	return l, true
}

// take removes fields by name and returns the first that is a string.
func take(fields map[string]any, names ...string) string {
	out := ""
	for _, n := range names {
		if s, ok := fields[n].(string); ok && out == "" {
			out = s
		}
		delete(fields, n)
	}
	return out
}
