package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/plugins/sdk"
)

// picture is a JPEG that differs for each n.
func picture(t testing.TB, n, width, height int) []byte {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, width, height))
	for i := range img.Pix {
		img.Pix[i] = byte(i*n + i/width)
	}
	img.SetGray(n%width, 0, color.Gray{255})
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// unsteady are n times as cameras give them: about 15 a second, with a gap now
// and then.
func unsteady(n int) []int64 {
	r := rand.New(rand.NewPCG(1, 2))
	out, at := make([]int64, n), int64(0)
	for i := range out {
		out[i] = at
		at += 40 + r.Int64N(60)
		if i%25 == 24 {
			at += 1700
		}
	}
	return out
}

// record writes a clip with pictures at times, and does not finish it. ends says
// where in the file each picture ends.
func record(t testing.TB, path string, times []int64) (c *clip, ends []int64) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	c, err = newClip(f, about{title: "Front porch", begin: time.Unix(1790000000, 0), width: 64, height: 48})
	if err != nil {
		t.Fatal(err)
	}
	for i, ms := range times {
		if err := c.add(ms, picture(t, i+1, 64, 48)); err != nil {
			t.Fatal(err)
		}
		ends = append(ends, c.end)
	}
	return c, ends
}

// probed is what ffprobe says of a clip.
type probed struct {
	Packets []struct {
		Time string `json:"pts_time"`
		Size string `json:"size"`
	}
	Streams []struct {
		Codec  string `json:"codec_name"`
		Width  int    `json:"width"`
		Height int    `json:"height"`
	}
	Format struct {
		Duration string            `json:"duration"`
		Tags     map[string]string `json:"tags"`
	}
}

// probe reads a clip with ffprobe, and has ffmpeg decode every picture of it.
func probe(t *testing.T, path string) probed {
	t.Helper()
	if _, err := exec.LookPath("ffprobe"); err != nil {
		t.Skip("ffprobe is not installed")
	}
	run := func(name string, args ...string) []byte {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), name, args...)
		var complaints bytes.Buffer
		cmd.Stderr = &complaints
		out, err := cmd.Output()
		if err != nil || complaints.Len() > 0 {
			t.Fatalf("%s: %v: %s", name, err, complaints.String())
		}
		return out
	}
	var p probed
	out := run("ffprobe", "-v", "warning", "-of", "json", "-show_format", "-show_streams", "-show_packets", path)
	if err := json.Unmarshal(out, &p); err != nil {
		t.Fatal(err)
	}
	run("ffmpeg", "-v", "warning", "-xerror", "-i", path, "-f", "null", "-fps_mode", "passthrough", "-")
	return p
}

// check says where what was probed is not what was recorded.
func (p probed) check(t *testing.T, times []int64) {
	t.Helper()
	if len(p.Streams) != 1 || p.Streams[0].Codec != "mjpeg" || p.Streams[0].Width != 64 || p.Streams[0].Height != 48 {
		t.Errorf("streams %+v", p.Streams)
	}
	if len(p.Packets) != len(times) {
		t.Fatalf("%d pictures, want %d", len(p.Packets), len(times))
	}
	for i, ms := range times {
		at, err := strconv.ParseFloat(p.Packets[i].Time, 64)
		if err != nil || math.Round(at*1000) != float64(ms) {
			t.Errorf("picture %d is at %s s, want %d ms", i, p.Packets[i].Time, ms)
		}
		if size := len(picture(t, i+1, 64, 48)); p.Packets[i].Size != strconv.Itoa(size) {
			t.Errorf("picture %d has %s bytes, want %d", i, p.Packets[i].Size, size)
		}
	}
}

func TestClipIsWhatFFmpegReads(t *testing.T) {
	path, times := filepath.Join(t.TempDir(), "a.mkv"), unsteady(300)
	c, _ := record(t, path, times)
	if err := c.finish(); err != nil {
		t.Fatal(err)
	}
	p := probe(t, path)
	p.check(t, times)
	want := float64(times[299]+times[299]-times[298]) / 1000
	if got, err := strconv.ParseFloat(p.Format.Duration, 64); err != nil || math.Abs(got-want) > 0.0011 {
		t.Errorf("lasts %s s, want %.3f", p.Format.Duration, want)
	}
	if p.Format.Tags["title"] != "Front porch" || p.Format.Tags["creation_time"] != "2026-09-21T14:13:20.000000Z" {
		t.Errorf("tags %v", p.Format.Tags)
	}
}

// A player that jumps to a time lands there by the index.
func TestClipCanBeSearched(t *testing.T) {
	path, times := filepath.Join(t.TempDir(), "a.mkv"), unsteady(300)
	c, _ := record(t, path, times)
	if err := c.finish(); err != nil {
		t.Fatal(err)
	}
	probe(t, path)
	at := times[200]
	out, err := exec.CommandContext(t.Context(), "ffprobe", "-v", "warning", "-of", "csv=p=0", "-show_entries", "packet=pts_time",
		"-read_intervals", fmt.Sprintf("%f%%+#1", float64(at)/1000), path).Output()
	if err != nil {
		t.Fatal(err)
	}
	found, err := strconv.ParseFloat(string(bytes.TrimSpace(bytes.TrimRight(out, ",\n"))), 64)
	if err != nil || found*1000 > float64(at) || found*1000 < float64(at-clusterLength) {
		t.Errorf("found %q when asked for %d ms", out, at)
	}
}

// A clip is cut off anywhere: it plays as it is, and once it is repaired it is a
// clip like any other with the pictures that were whole.
func TestCutOffClip(t *testing.T) {
	dir, times := t.TempDir(), unsteady(60)
	path := filepath.Join(dir, "whole")
	c, ends := record(t, path, times)
	if err := c.f.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	probe(t, path).check(t, times)
	for _, cut := range []int{0, 1, 100, len(b) / 3, len(b) / 2} {
		path := filepath.Join(dir, fmt.Sprintf("cut%d.mkv", cut))
		if err := os.WriteFile(path, b[:len(b)-cut], 0o600); err != nil {
			t.Fatal(err)
		}
		if err := repair(path); err != nil {
			t.Fatal(err)
		}
		probe(t, path).check(t, times[:whole(ends, len(b)-cut)])
	}
}

// whole counts the pictures that end within size.
func whole(ends []int64, size int) int {
	n := 0
	for n < len(ends) && ends[n] <= int64(size) {
		n++
	}
	return n
}

// Whatever bytes are there, repairing does not panic or run on.
func TestRepairOfOtherFiles(t *testing.T) {
	dir := t.TempDir()
	c, _ := record(t, filepath.Join(dir, "a"), unsteady(3))
	if err := c.f.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "a"))
	if err != nil {
		t.Fatal(err)
	}
	for n := range min(len(b), 400) {
		path := filepath.Join(dir, "b")
		if err := os.WriteFile(path, b[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if err := repair(path); err == nil {
			t.Errorf("the first %d bytes are a clip", n)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "c"), bytes.Repeat([]byte{0xA3, 0x81, 0x00}, 500), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := repair(filepath.Join(dir, "c")); err == nil {
		t.Error("that is no clip")
	}
}

// What a frame of 20 KB costs, in a clip and in the ring before it.
func BenchmarkFrame(b *testing.B) {
	s := &settings{Dir: b.TempDir(), PreRoll: 5 * time.Second, Memory: 16, MaxLength: 24 * time.Hour, KeepGB: 100}
	c, begin := s.camera("porch"), time.Now()
	frame := sdk.Frame{JPEG: make([]byte, 20_000), Width: 640, Height: 480}
	add := func(b *testing.B) {
		for b.Loop() {
			frame.Received = frame.Received.Add(66 * time.Millisecond)
			c.add(b.Context(), s, frame)
		}
	}
	frame.Received = begin
	b.Run("ring", add)
	c.event(b.Context(), s, sdk.Event{ID: "01a", Phase: sdk.PhaseBegin, Camera: sdk.Camera{ID: "porch"}, Begin: frame.Received})
	b.Run("clip", add)
	c.stop(b.Context(), s, true)
	s.recorder.finished.Wait()
}
