package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/espcam-bridge/espcam-bridge/plugins/sdk"
)

// store is a directory of clips: CAMERA/2026-09-21/14-13-20_EVENT.mkv, in local
// time. While a clip is written, its name ends in .part.
type store struct {
	dir    string
	age    time.Duration // older ones go; 0: none
	size   int64         // bytes; the oldest go above it
	create func(path string) (file, error)
}

const unfinished = ".part"

// begin makes the file of an event's nth part.
func (s store) begin(camera string, e sdk.Event, part int) (string, file, error) {
	at := e.Begin.Local()
	dir := filepath.Join(s.dir, safe(camera), at.Format("2006-01-02"))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", nil, err
	}
	for ; ; part++ { // after a restart there are parts already
		name := at.Format("15-04-05") + "_" + safe(e.ID)
		if part > 1 {
			name += fmt.Sprintf("_%d", part)
		}
		path := filepath.Join(dir, name+".mkv")
		if _, err := os.Lstat(path); err == nil {
			continue
		}
		f, err := s.create(path + unfinished)
		if !errors.Is(err, fs.ErrExist) {
			return path + unfinished, f, err
		}
	}
}

// safe makes a file name of an id.
func safe(id string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x80 && (unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_') {
			return r
		}
		return '-'
	}, id)
}

// publish gives a finished clip its name.
func (s store) publish(path string) (string, error) {
	name := strings.TrimSuffix(path, unfinished)
	return name, os.Rename(path, name)
}

// ours tells clips from what else lies in a directory that somebody chose.
func ours(path, end string) bool {
	part := strings.Split(filepath.ToSlash(path), "/")
	return len(part) >= 3 && regexp.MustCompile(`^\d{4}-\d\d-\d\d$`).MatchString(part[len(part)-2]) &&
		regexp.MustCompile(`^\d\d-\d\d-\d\d_[0-9A-Za-z_-]+\.mkv`+regexp.QuoteMeta(end)+`$`).MatchString(part[len(part)-1])
}

type entry struct {
	path string
	size int64
	at   time.Time
}

// list returns the clips with that end of their name, the oldest first.
func (s store) list(end string) ([]entry, error) {
	var out []entry
	err := filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // nothing yet, or gone meanwhile
		case err != nil:
			return err
		case !d.Type().IsRegular() || !ours(path, end):
			return nil
		}
		info, err := d.Info()
		if err == nil {
			out = append(out, entry{path, info.Size(), info.ModTime()})
		}
		return nil
	})
	slices.SortFunc(out, func(a, b entry) int { return a.at.Compare(b.at) })
	return out, err
}

// prune removes the oldest clips until both limits hold, and says what is left.
func (s store) prune(now time.Time) (clips int, bytes int64, err error) {
	all, err := s.list("")
	for _, e := range all {
		bytes += e.size
	}
	var problems []error
	for len(all) > 0 && (bytes > s.size || s.age > 0 && now.Sub(all[0].at) > s.age) {
		if err := os.Remove(all[0].path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			problems = append(problems, err)
		} else {
			_ = os.Remove(filepath.Dir(all[0].path)) // its day, if that was the last of it
		}
		bytes -= all[0].size
		all = all[1:]
	}
	return len(all), bytes, errors.Join(append(problems, err)...)
}

// repair finishes the clips of a recorder that was killed.
func (s store) repair(ctx context.Context) error {
	left, err := s.list(unfinished)
	if err != nil {
		return err
	}
	for _, e := range left {
		if err := repair(e.path); err != nil {
			sdk.Log(ctx).Warn("a clip from before has nothing in it and is removed", "path", e.path, "err", err)
			remove(e.path)
			continue
		}
		if err := os.Chtimes(e.path, e.at, e.at); err != nil {
			return err
		}
		path, err := s.publish(e.path)
		if err != nil {
			return err
		}
		sdk.Log(ctx).Info("a clip from before was finished", "path", path)
	}
	return nil
}

// remove deletes what holds nothing. It is no loss if it stays.
func remove(path string) { _ = os.Remove(path) }
