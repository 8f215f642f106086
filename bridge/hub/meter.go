package hub

import "time"

// window is how long the meter gathers before it says a new rate.
const window = 2 * time.Second

// meter measures frames and bytes per second over windows of 2 s. It is guarded
// by its feed's mutex.
type meter struct {
	frames uint64 // since the beginning
	total  uint64 // bytes since the beginning

	start      time.Time // of the current window
	last       time.Time // the newest frame
	count      int       // in the current window
	bytes      int
	fps        float64 // of the last full window
	throughput float64
}

func (m *meter) add(now time.Time, size int) {
	m.frames++
	m.total += uint64(size)
	m.roll(now)
	if m.start.IsZero() {
		m.start = now
	}
	m.count++
	m.bytes += size
	m.last = now
}

// roll ends the window when it is full. A pause of two windows is a standstill,
// and the next frame begins anew.
func (m *meter) roll(now time.Time) {
	if m.start.IsZero() {
		return
	}
	if now.Sub(m.last) >= 2*window {
		*m = meter{frames: m.frames, total: m.total}
		return
	}
	if d := now.Sub(m.start); d >= window {
		m.fps = float64(m.count) / d.Seconds()
		m.throughput = float64(m.bytes) / d.Seconds()
		m.start, m.count, m.bytes = now, 0, 0
	}
}

func (m *meter) rates(now time.Time) (fps, bytesPerSecond float64) {
	m.roll(now)
	return m.fps, m.throughput
}
