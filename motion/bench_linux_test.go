package motion

import (
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"
)

// cpu reports the CPU time of what this goroutine runs until the returned
// function is called: it holds on a busy machine, too, where the time on the wall
// does not. Other threads do not count: Go's own one that watches over calls into
// C polls all the time, which here would be a fifth of everything.
func cpu(b *testing.B) func() {
	runtime.LockOSThread()
	before := cpuTime(b)
	return func() {
		b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N)/1000, "cpu-µs/op")
		runtime.UnlockOSThread()
	}
}

func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_THREAD, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// busyClip is VGA at 10 pictures a second, about 23 KB each, with quiet and
// moving stretches mixed.
func busyClip(b *testing.B) ([][]byte, drawn) {
	c := drawn{w: 640, h: 480, fps: 10, frames: 60, quality: 66, noise: 4, walker: crossing(30, 58, 0.5), seed: 1}
	pics := c.jpegs(b)
	b.Logf("%.1f KB a picture", float64(len(slices.Concat(pics...)))/float64(len(pics))/1000)
	return pics, c
}

// BenchmarkDecodeGrey is the yardstick: decoding to grey at a quarter of the
// size, and nothing else.
func BenchmarkDecodeGrey(b *testing.B) {
	pics, _ := busyClip(b)
	b.ResetTimer()
	defer cpu(b)()
	for i := range b.N {
		_, release, err := decodeGrey(pics[i%len(pics)], 4)
		if err != nil {
			b.Fatal(err)
		}
		release()
	}
}

func BenchmarkJudge160(b *testing.B) { benchmarkJudge(b, 160) }
func BenchmarkJudge80(b *testing.B)  { benchmarkJudge(b, 80) }

func benchmarkJudge(b *testing.B, width int) {
	pics, c := busyClip(b)
	d := New(Config{Width: width})
	defer d.Close()
	b.ReportAllocs()
	b.ResetTimer()
	defer cpu(b)()
	for i := range b.N {
		d.Judge(pics[i%len(pics)], c.at(i))
	}
}

// BenchmarkIntegerPart160 is all that Judge does after decoding.
func BenchmarkIntegerPart160(b *testing.B) {
	pics, c := busyClip(b)
	d := New(Config{})
	defer d.Close()
	raw := make([][]byte, len(pics))
	for i, p := range pics {
		d.Judge(p, c.at(i))
		raw[i] = append([]byte(nil), d.raw...)
	}
	d.Reset()
	b.ReportAllocs()
	b.ResetTimer()
	defer cpu(b)()
	for i := range b.N {
		copy(d.raw, raw[i%len(raw)])
		d.judge(c.at(i))
	}
}
