package motion

import "encoding/binary"

// Planes are worked on eight pixels at a time, as words.

const (
	ones = 0x0101010101010101
	tops = 0x8080808080808080
)

func word(p []byte, i int) uint64       { return binary.LittleEndian.Uint64(p[i:]) }
func putWord(p []byte, i int, v uint64) { binary.LittleEndian.PutUint64(p[i:], v) }

// mean averages eight pairs of pixels, rounding down.
func mean(a, b uint64) uint64 { return a&b + ((a^b)&^ones)>>1 }

// meanUp averages eight pairs of pixels, rounding up.
func meanUp(a, b uint64) uint64 { return a | b - ((a^b)&^ones)>>1 }

// above marks (with 1) the bytes of a that are larger than those of b.
func above(a, b uint64) uint64 {
	low := (a | tops) - (b &^ tops) - ones // top bit: a's lower bits > b's
	return ((a&^b | ^(a^b)&low) & tops) >> 7
}

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

// differ marks in out (with 1) the pixels of a and b that are more than limit
// apart.
func differ(out, a, b, limit []byte) {
	for i := 0; i+8 <= len(out); i += 8 {
		x, y, l := word(a, i), word(b, i), word(limit, i)
		putWord(out, i, above(distance(x, y), l))
	}
}

// distance is |a-b| for each of eight bytes.
func distance(a, b uint64) uint64 {
	more := above(a, b) * 0xFF // all bits where a > b
	big, small := a&more|b&^more, b&more|a&^more
	return big - small // no byte borrows
}

// around is the eight pixels at i with all their neighbours joined to them.
func around(f frame, p []byte, i int) uint64 {
	a, b, c := i-f.stride, i, i+f.stride
	return word(p, a-1) | word(p, a) | word(p, a+1) |
		word(p, b-1) | word(p, b) | word(p, b+1) |
		word(p, c-1) | word(p, c) | word(p, c+1)
}

// spread marks in out all pixels of in (0 or 1) and their neighbours.
func spread(f frame, out, in []byte) {
	for i := f.row(0); i < f.row(f.h); i += 8 {
		putWord(out, i, around(f, in, i))
	}
}

// touching keeps in p what is, or touches, a pixel of q.
func touching(f frame, p, q []byte) {
	for i := f.row(0); i < f.row(f.h); i += 8 {
		if v := word(p, i); v != 0 {
			putWord(p, i, v&around(f, q, i))
		}
	}
}

// majority marks in out the pixels around which at least need of nine are
// marked in in (0 or 1).
func majority(f frame, out, in, tmp []byte, need int) {
	lift := uint64(128-need) * ones
	for i := f.row(-1); i < f.row(f.h+1); i += 8 {
		putWord(tmp, i, word(in, i-1)+word(in, i)+word(in, i+1))
	}
	for i := f.row(0); i < f.row(f.h); i += 8 {
		sum := word(tmp, i-f.stride) + word(tmp, i) + word(tmp, i+f.stride)
		putWord(out, i, (sum+lift)>>7&ones)
	}
}

// both puts into out what is in a and in b, and returns how many pixels that
// are.
func both(out, a, b []byte) int {
	n := 0
	for i := 0; i+8 <= len(out); i += 8 {
		v := word(a, i) & word(b, i)
		putWord(out, i, v)
		n += int(v * ones >> 56)
	}
	return n
}
