package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
)

// repair finishes a clip whose writer was killed: what is whole stays.
func repair(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	c, err := scan(f)
	if err != nil {
		f.Close()
		return fmt.Errorf("%s: %w", path, err)
	}
	return c.finish()
}

// scan finds out how far an unfinished clip goes.
func scan(f interface {
	file
	io.ReaderAt
}) (*clip, error) {
	id, size, body, err := head(f, infoAt)
	if err != nil || id != idInfo {
		return nil, fmt.Errorf("this is no clip of the recorder")
	}
	c := &clip{f: f, tracks: body + int64(size), last: -1}
	if id, size, body, err = head(f, c.tracks); err != nil || id != idTracks {
		return nil, fmt.Errorf("this clip has no pictures")
	}
	for c.end = body + int64(size); c.next(f); {
	}
	return c, nil
}

// next takes in one more cluster's head with its time, or one more picture. It
// is false where there is no whole one.
func (c *clip) next(r io.ReaderAt) bool {
	id, size, body, err := head(r, c.end)
	if err != nil {
		return false
	}
	switch n := len(c.clusters); {
	case id == idCluster:
		ms, first, err := timestamp(r, body)
		if err != nil {
			return false
		}
		// A cluster without a picture in it does not count.
		whole := clip{f: c.f, end: first, clusters: append(c.clusters, cluster{c.end, ms}), last: c.last, gap: c.gap}
		if !whole.next(r) {
			return false
		}
		c.end, c.clusters, c.last, c.gap = whole.end, whole.clusters, whole.last, whole.gap
		return true
	case id == idBlock && n > 0:
		var b [4]byte
		if _, err := r.ReadAt(b[:], body); err != nil {
			return false
		}
		if !there(r, body+int64(size)) {
			return false
		}
		ms := c.clusters[n-1].ms + int64(binary.BigEndian.Uint16(b[1:]))
		if c.last >= 0 {
			c.gap = ms - c.last
		}
		c.last, c.end = ms, body+int64(size)
		return true
	}
	return false
}

// timestamp reads a cluster's time, the first element in it.
func timestamp(r io.ReaderAt, pos int64) (ms, end int64, err error) {
	id, size, body, err := head(r, pos)
	if err != nil || id != idTimestamp || size > 8 {
		return 0, 0, fmt.Errorf("no time at %d", pos)
	}
	var b [8]byte
	if _, err := r.ReadAt(b[8-size:], body); err != nil {
		return 0, 0, err
	}
	return int64(binary.BigEndian.Uint64(b[:])), body + int64(size), nil
}

// there reports whether the file goes up to end.
func there(r io.ReaderAt, end int64) bool {
	_, err := r.ReadAt(make([]byte, 1), end-1)
	return err == nil
}
