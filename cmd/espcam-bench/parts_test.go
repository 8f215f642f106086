//go:build linux

package main

import (
	"bytes"
	"fmt"
	"image/jpeg"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
)

func pictures(t *testing.T) [][]byte {
	t.Helper()
	p, err := drawPictures(3, 20_000, 640, 480, 1)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPictures(t *testing.T) {
	for _, size := range []int{19_999, 20_000, 20_001, 200_000} {
		ps, err := drawPictures(2, size, 640, 480, 1)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(ps[0], ps[1]) {
			t.Error("nothing moves")
		}
		for _, p := range ps {
			stamp{camera: 7, seq: 1 << 40, sent: 123456789}.put(p)
			cfg, err := jpeg.DecodeConfig(bytes.NewReader(p))
			if err != nil || cfg.Width != 640 || len(p) != size || !whole(p) {
				t.Errorf("size %d: %d bytes, %d wide, whole %v, %v", size, len(p), cfg.Width, whole(p), err)
			}
			if _, err := jpeg.Decode(bytes.NewReader(p)); err != nil {
				t.Errorf("size %d does not decode: %v", size, err)
			}
			if s, ok := readStamp(p); !ok || s != (stamp{7, 1 << 40, 123456789}) {
				t.Errorf("stamp %+v, %v", s, ok)
			}
		}
	}
	if _, err := drawPictures(1, 500, 640, 480, 1); err == nil {
		t.Error("a picture of 500 bytes was made")
	}
	for _, foreign := range [][]byte{nil, {0xFF, 0xD8, 0xFF, 0xD9}, bytes.Repeat([]byte{0xFF}, 100)} {
		if _, ok := readStamp(foreign); ok {
			t.Errorf("a stamp was found in %.8x", foreign)
		}
	}
}

const answer = "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\nConnection: close\r\n\r\n--frame\r\n"

func TestParts(t *testing.T) {
	ps := pictures(t)
	var machine, browser bytes.Buffer
	machine.WriteString(answer)
	browser.WriteString(answer + "Content-Type: image/jpeg\r\n\r\n")
	for _, p := range ps {
		fmt.Fprintf(&machine, "Content-Type: image/jpeg\r\ncontent-length: %d\r\n\r\n%s\r\n--frame\r\n", len(p), p)
		fmt.Fprintf(&browser, "%s\r\n--frame\r\nContent-Type: image/jpeg\r\n\r\n", p)
	}
	for name, text := range map[string]string{"machine form": machine.String(), "browser form": browser.String()} {
		r, err := openParts(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range ps {
			got, err := r.next()
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: picture %d has %d bytes, want %d: %v", name, i, len(got), len(want), err)
			}
			if r.previous.IsZero() != (i == 0) || r.headersAt.Before(r.previous) || r.arrived.Before(r.headersAt) {
				t.Errorf("%s: picture %d has its times in the wrong order", name, i)
			}
		}
		if _, err := r.next(); err == nil {
			t.Errorf("%s: a picture after the end", name)
		}
	}
}

func TestPartsRefuse(t *testing.T) {
	for _, text := range []string{
		"",
		"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone",
		"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace\r\nContent-Length: 0\r\n\r\n",
	} {
		if _, err := openParts(strings.NewReader(text)); err == nil {
			t.Errorf("%q was taken for a stream", text)
		}
	}
	for _, body := range []string{
		"Content-Length: -1\r\n\r\n",
		"Content-Length: x\r\n\r\n",
		"Content-Length: 99999999999\r\n\r\n",
		"Content-Length: 5\r\n\r\nab",
		"Content-Type: image/jpeg\r\n\r\nnever ends",
		"Content-Length: 2\r\n\r\nab\r\n--other\r\nContent-Length: 2\r\n\r\nab",
	} {
		p, err := openParts(strings.NewReader(answer + body))
		if err != nil {
			t.Fatal(err)
		}
		for err == nil {
			_, err = p.next()
		}
		if err == io.EOF && body != "Content-Type: image/jpeg\r\n\r\nnever ends" {
			t.Errorf("%q ended as if it were whole", body)
		}
	}
}

// TestTake gives a viewer pictures as a bad relay would.
func TestTake(t *testing.T) {
	now := time.Unix(1000, 0)
	plain := pictures(t)[0]
	stamped := func(camera uint32, seq uint64) []byte {
		p := slices.Clone(plain)
		stamp{camera: camera, seq: seq, sent: now.Add(-30 * time.Millisecond).UnixNano()}.put(p)
		return p
	}
	short := stamped(0, 2)
	tests := []struct {
		name                    string
		pictures                [][]byte
		frames, missing, broken int
	}{
		{"all", [][]byte{stamped(0, 1), stamped(0, 2)}, 2, 0, 0},
		{"begins late", [][]byte{stamped(0, 100), stamped(0, 101)}, 2, 0, 0},
		{"placeholder first", [][]byte{{0xFF, 0xD8, 0xFF, 0xD9}, stamped(0, 5)}, 1, 0, 0},
		{"skipped", [][]byte{stamped(0, 1), stamped(0, 4)}, 2, 2, 0},
		{"repeated", [][]byte{stamped(0, 1), stamped(0, 1)}, 1, 0, 1},
		{"backwards", [][]byte{stamped(0, 2), stamped(0, 1), stamped(0, 3)}, 2, 0, 1},
		{"of another camera", [][]byte{stamped(0, 1), stamped(1, 2)}, 1, 0, 1},
		{"cut", [][]byte{stamped(0, 1), short[:len(short)-1]}, 1, 0, 1},
		{"foreign", [][]byte{stamped(0, 1), {0xFF, 0xD8, 0xFF, 0xD9}, stamped(0, 2)}, 2, 0, 1},
	}
	for _, tt := range tests {
		v := &viewer{ready: make(chan struct{})}
		for _, p := range tt.pictures {
			v.take(p, now, true)
		}
		if v.frames != tt.frames || v.missing != tt.missing || v.broken != tt.broken {
			t.Errorf("%s: %d frames, %d missing, %d broken", tt.name, v.frames, v.missing, v.broken)
		}
		if v.ages[0] != 30_000 {
			t.Errorf("%s: age %d µs, want 30000", tt.name, v.ages[0])
		}
	}
}
