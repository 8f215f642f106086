package motion

import "encoding/binary"

// Words of eight pixels. All planes have a length that is a multiple of 8.

const ones = 0x0101010101010101

func word(p []byte, i int) uint64       { return binary.LittleEndian.Uint64(p[i:]) }
func putWord(p []byte, i int, v uint64) { binary.LittleEndian.PutUint64(p[i:], v) }

// mean averages eight pairs of pixels, rounding down.
func mean(a, b uint64) uint64 { return a&b + ((a^b)&^ones)>>1 }

// meanUp averages eight pairs of pixels, rounding up.
func meanUp(a, b uint64) uint64 { return a | b - ((a^b)&^ones)>>1 }

// smooth weighs each pixel and its neighbours 1-2-1 in both directions. Its
// roundings down and up cancel.
func smooth(f frame, out, in, tmp []byte) {
	for i := f.row(-1); i < f.row(f.h+1); i += 8 {
		sides := mean(word(in, i-1), word(in, i+1))
		putWord(tmp, i, meanUp(sides, word(in, i)))
	}
	for i := f.row(0); i < f.row(f.h); i += 8 {
		sides := mean(word(tmp, i-f.stride), word(tmp, i+f.stride))
		putWord(out, i, meanUp(sides, word(tmp, i)))
	}
	f.pad(out)
}

// spread marks in out all pixels of in (0 or 1) and their neighbours.
func spread(f frame, out, in []byte) {
	for i := f.row(0); i < f.row(f.h); i += 8 {
		var v uint64
		for _, r := range [3]int{i - f.stride, i, i + f.stride} {
			v |= word(in, r-1) | word(in, r) | word(in, r+1)
		}
		putWord(out, i, v)
	}
}

// majority marks in out the pixels around which at least need of nine are
// marked in in (0 or 1). need is at most 9.
func majority(f frame, out, in []byte, need int) {
	lift := uint64(128-need) * ones
	for i := f.row(0); i < f.row(f.h); i += 8 {
		var sum uint64
		for _, r := range [3]int{i - f.stride, i, i + f.stride} {
			sum += word(in, r-1) + word(in, r) + word(in, r+1)
		}
		putWord(out, i, (sum+lift)>>7&ones)
	}
}

// both leaves in a what is in b, too, and returns how many pixels that are.
func both(a, b []byte) int {
	n := 0
	for i := 0; i+8 <= len(a) && i+8 <= len(b); i += 8 {
		v := word(a, i) & word(b, i)
		putWord(a, i, v)
		n += int(v * ones >> 56)
	}
	return n
}
