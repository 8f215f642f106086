package motion

// model is the learnt background of one working size. Levels are 8.8 fixed
// point.
type model struct {
	frame
	sat       int
	bg, noise []uint16
	base      []byte // bg in whole levels
	limit     []byte // by how many levels a pixel must differ; made from noise
	still     []byte // since when a changed pixel has been still, in units of stillUnit
	peak      []byte // scratch
}

const (
	stillUnit  = 32 // ms
	startNoise = 2 << 8
	noiseCap   = 50 << 8 // a pixel that differs by more says no more of its noise
)

func newModel(f frame) model {
	n := f.size()
	return model{frame: f, bg: make([]uint16, n), base: make([]byte, n), noise: make([]uint16, n),
		limit: make([]byte, n), still: make([]byte, n), peak: make([]byte, n)}
}

// takeOver makes pic the background.
func (m *model) takeOver(pic []byte) {
	for i, v := range pic {
		m.bg[i] = uint16(v) << 8
	}
	copy(m.base, pic)
	clear(m.still)
}

func (m *model) forgetNoise() {
	for i := range m.noise {
		m.noise[i] = startNoise
	}
}

// setLimits derives what a pixel must differ by: threshold, or k (8.8) times
// the largest noise around it.
func (m *model) setLimits(threshold, k int) {
	// Across, then down.
	for i := m.row(-1); i < m.row(m.h+1); i++ {
		m.peak[i] = byte(min((int(max(m.noise[i-1], m.noise[i], m.noise[i+1]))*k)>>16, 255))
	}
	for i := m.row(0); i < m.row(m.h); i++ {
		m.limit[i] = max(m.peak[i-m.stride], m.peak[i], m.peak[i+m.stride], byte(threshold))
	}
}

// compare marks in out (0 or 1) the pixels that differ from the prediction by
// more than their limit, times gain (in 1/1000).
func (m *model) compare(out, pic []byte, curve *[256]uint8, gain int) {
	for i, v := range pic {
		diff := int(v) - int(curve[m.base[i]])
		out[i] = 0
		if m.sat > 0 && int(m.base[i]) >= m.sat && diff > 0 {
			continue
		}
		if abs(diff)*1000 > int(m.limit[i])*gain {
			out[i] = 1
		}
	}
}

func abs(v int) int {
	if v < 0 {
		return -v
	}
	return v
}

// rates are the shares (in 1/65536) of a difference that one picture teaches.
type rates struct{ bg, active, idle, noise int32 }

// learn moves background and noise towards the picture. Pixels that changed
// hardly teach while something moves there; those still for longer than still
// units do.
func (m *model) learn(pic, changed []byte, curve *toneCurve, r rates, still byte) {
	for i, v := range pic {
		b := int32(m.bg[i])
		pred := curve[m.base[i]]
		diff := int32(v)<<8 - pred
		rate, noise := r.bg, r.noise
		if changed[i] != 0 {
			rate, noise = r.active, r.noise>>2
			if m.still[i] >= still {
				rate = r.idle
			}
		}
		b += int32((int64(pred-b)*int64(r.bg) + int64(diff)*int64(rate)) >> 16)
		b = max(0, min(b, 255<<8))
		m.bg[i] = uint16(b)
		m.base[i] = byte((b + 128) >> 8)
		dev := min(max(diff, -diff), noiseCap)
		m.noise[i] += uint16((dev - int32(m.noise[i])) * noise >> 16)
	}
}
