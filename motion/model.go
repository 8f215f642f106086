package motion

import "math/bits"

// model is the learnt background of one working size.
type model struct {
	frame
	bg    []uint16 // 8.8 fixed point
	base  []byte   // bg in whole levels
	noise []uint16 // usual deviation from what is expected, 8.8
	limit []byte   // by how many levels a pixel must differ; made from noise
	peak  []byte   // scratch for limit
	still []byte   // since when a changed pixel has been still, in units of stillUnit
	fresh int      // ms since limit was made
	owed  [2]int   // ms that even and odd rows have not learnt
	turn  uint32   // counts pictures, to choose rows
}

const (
	stillUnit  = 32 // ms
	startNoise = 2 << 8
	noiseCap   = 50 // a pixel that differs by more levels says no more of its noise
	rateBits   = 12
	everyRowMS = 250 // pictures further apart teach all rows
)

func newModel(f frame) model {
	n := f.size()
	return model{frame: f, bg: make([]uint16, n), base: make([]byte, n), noise: make([]uint16, n),
		limit: make([]byte, n), peak: make([]byte, n), still: make([]byte, n)}
}

// takeOver makes pic the background. The noise is kept: leaves stay leaves.
func (m *model) takeOver(pic []byte) {
	copy(m.base, pic)
	for i, v := range pic {
		m.bg[i] = uint16(v) << 8
	}
	clear(m.still)
}

// start makes pic the background of a scene of which nothing is known.
func (m *model) start(pic []byte) {
	m.takeOver(pic)
	for i := range m.noise {
		m.noise[i] = startNoise
	}
}

// expect fills out with what the curve predicts for each pixel. A background
// that was white may have been brighter: when the light falls, it explains all
// that is above the prediction.
func (m *model) expect(out, pic []byte, table *[256]byte, saturated int) {
	out = out[:len(m.base)]
	for i, b := range m.base {
		out[i] = table[b]
	}
	if int(table[saturated]) >= saturated {
		return
	}
	for i, b := range m.base {
		if int(b) >= saturated {
			out[i] = max(out[i], pic[i])
		}
	}
}

// setLimits makes the limit of each pixel: threshold, or k (8.8) times the
// largest noise around it.
func (m *model) setLimits(threshold, k int) {
	least := uint32(threshold)
	from, to := m.row(-1), m.row(m.h+1)
	left, mid, right := m.noise[from-1:to-1], m.noise[from:to], m.noise[from+1:to+1]
	peak := m.peak[from:to]
	for i := range peak {
		top := uint32(max(left[i], mid[i], right[i])) * uint32(k) >> 16
		peak[i] = byte(min(max(top, least), 255))
	}
	from, to = m.row(0), m.row(m.h)
	above, here, below := m.peak[from-m.stride:to-m.stride], m.peak[from:to], m.peak[from+m.stride:to+m.stride]
	limit := m.limit[from:to]
	for i := range limit {
		limit[i] = max(above[i], here[i], below[i])
	}
}

// rates are time constants (ms) of what a picture teaches.
type rates struct{ bg, active, idle, noise int }

// learn moves background and noise towards the picture, after step ms. Half of
// the rows take turns, in an order without a period that light could share.
// least (in 1/1<<rateBits) is the smallest share a picture teaches.
func (m *model) learn(pic, expected, changed []byte, table *[256]byte, r rates, step, still int, least int32) {
	m.owed[0] += step
	m.owed[1] += step
	m.turn++
	choice := bits.OnesCount32(m.turn) & 1
	for parity := range m.owed {
		if parity != choice && m.owed[parity] < everyRowMS && least == 0 {
			continue
		}
		l := m.lesson(r, m.owed[parity], still, least)
		for y := parity; y < m.h; y += 2 {
			m.learnRow(y, pic, expected, changed, table, l)
		}
		m.owed[parity] = 0
	}
}

// lesson is how much one picture teaches, as shares in 1/1<<rateBits.
type lesson struct {
	bg, active, idle, noise int32
	still, step             byte // in stillUnits
}

func (m *model) lesson(r rates, ms, still int, least int32) lesson {
	share := func(tau int) int32 { return max(int32(ms<<rateBits/(tau+ms)), least) }
	return lesson{
		bg: share(r.bg), active: share(r.active), idle: share(r.idle), noise: share(r.noise),
		still: byte(still / stillUnit), step: byte(min(ms/stillUnit, 255)),
	}
}

func (m *model) learnRow(y int, pic, expected, changed []byte, table *[256]byte, l lesson) {
	from := m.row(y)
	to := from + m.stride
	pic, expected, changed = pic[from:to], expected[from:to], changed[from:to]
	bg, base, noise, still := m.bg[from:to], m.base[from:to], m.noise[from:to], m.still[from:to]
	for i := 0; i+8 <= len(pic); i += 8 {
		j := i + 8
		if word(changed, i) == 0 {
			learnQuiet(pic[i:j], expected[i:j], bg[i:j], base[i:j], noise[i:j], l)
			putWord(still, i, 0)
		} else {
			learnChanged(pic[i:j], expected[i:j], changed[i:j], bg[i:j], base[i:j], noise[i:j], still[i:j], table, l)
		}
	}
}

// learnQuiet teaches pixels of which none changed.
func learnQuiet(pic, expected []byte, bg []uint16, base []byte, noise []uint16, l lesson) {
	n := len(pic)
	expected, bg, base, noise = expected[:n], bg[:n], base[:n], noise[:n]
	for i, v := range pic {
		b := int32(bg[i])
		b += (int32(v)<<8 - b) * l.bg >> rateBits
		bg[i] = uint16(b)
		base[i] = byte((b + 128) >> 8)
		off := int32(v) - int32(expected[i])
		dev := min(max(off, -off), noiseCap) << 8
		u := int32(noise[i])
		noise[i] = uint16(u + (dev-u)*l.noise>>rateBits)
	}
}

// learnChanged teaches pixels of which some changed. These drift with the light
// and hardly learn while something moves there; what has long been still is
// learnt.
func learnChanged(pic, expected, changed []byte, bg []uint16, base []byte, noise []uint16, still []byte, table *[256]byte, l lesson) {
	for i, v := range pic {
		b, share, noiseShare := int32(bg[i]), l.bg, l.noise
		if changed[i] == 0 {
			still[i] = 0
		} else {
			share, noiseShare = l.active, l.noise>>2
			if still[i] >= l.still {
				share = l.idle
			}
			still[i] += min(l.step, 255-still[i])
		}
		drift := int32(table[base[i]])<<8 - b
		off := int32(v) - int32(expected[i])
		b += drift*l.bg>>rateBits + (off<<8)*share>>rateBits
		b = max(0, min(b, 255<<8))
		bg[i] = uint16(b)
		base[i] = byte((b + 128) >> 8)
		u := int32(noise[i])
		noise[i] = uint16(u + (min(max(off, -off), noiseCap)<<8-u)*noiseShare>>rateBits)
	}
}
