// Package jpeg is the one parser between the network and everybody who trusts a
// picture. Check walks the header of a JPEG in bounded steps and says how large
// the picture claims to be and where its bytes end.
//
// Ingest calls it for every frame before the frame is published; the simulated
// cameras use it to read their own clips. Decoders see only bytes that passed.
//
// It decodes nothing and allocates nothing: a 327-byte file that claims 65,535 x
// 65,535 pixels, at which image decoders allocate gigabytes, costs what an honest
// one costs, well under two microseconds. It does not promise that the
// compressed data is intact; a picture that passes may still show a blotch.
package jpeg

import "bytes"

// Limits bound what is let through. Zero means no limit of that kind.
type Limits struct {
	MaxBytes  int // of the whole message, padding included
	MaxPixels int // width times height
}

// Info is what the header says of a picture.
type Info struct {
	Width, Height int // pixels, both above 0
	Components    int // 1 (grey) or 3 (colour)
	Size          int // bytes from SOI to EOI; what follows is padding
}

// Fault is why a picture was refused. The set is fixed, so Reason may label a
// counter.
type Fault struct {
	Reason string // such as "no_end"
	text   string
}

func (f *Fault) Error() string { return f.text }

// The faults, in the order in which they are looked for.
var (
	ErrTooLarge   = &Fault{"too_large", "picture has too many bytes"}
	ErrNotJPEG    = &Fault{"not_jpeg", "not a JPEG: it does not begin with FF D8"}
	ErrHeader     = &Fault{"bad_header", "damaged JPEG header"}
	ErrProcess    = &Fault{"unsupported", "JPEG is neither baseline nor progressive (Huffman, 8 bit)"}
	ErrComponents = &Fault{"bad_components", "JPEG has neither 1 nor 3 colour components"}
	ErrEmpty      = &Fault{"empty_picture", "JPEG claims a width or height of 0"}
	ErrPixels     = &Fault{"too_many_pixels", "JPEG claims more pixels than allowed"}
	ErrNoEnd      = &Fault{"no_end", "JPEG is cut off: no FF D9 near its end"}
)

const (
	maxSegments = 64   // before the picture data; cameras write 6 to 12
	maxFill     = 16   // FF bytes before one marker
	maxPadding  = 4096 // after EOI; the esp32-camera driver rounds lengths up
)

// The markers that matter (ITU-T T.81, table B.1).
const (
	markSOF0 = 0xC0
	markSOF2 = 0xC2
	markDHT  = 0xC4
	markJPG  = 0xC8
	markDAC  = 0xCC
	markSOF  = 0xCF // last of the frame headers
	markTEM  = 0x01
	markRST0 = 0xD0
	markEOI  = 0xD9
	markSOS  = 0xDA
)

// Check reports what b is, or the first *Fault found in it. It reads the header
// and the last few kilobytes, never the picture data, and keeps no reference.
func Check(b []byte, l Limits) (Info, error) {
	if l.MaxBytes > 0 && len(b) > l.MaxBytes {
		return Info{}, ErrTooLarge
	}
	if len(b) < 4 || b[0] != 0xFF || b[1] != 0xD8 {
		return Info{}, ErrNotJPEG
	}
	var info Info
	pos := 2
	for range maxSegments {
		marker, body, next := segment(b, pos)
		switch {
		case next == 0:
			return Info{}, ErrHeader
		case marker == markSOS:
			return finish(b, next, info)
		case isFrameHeader(marker):
			if info.Components != 0 {
				return Info{}, ErrHeader // a second one
			}
			var fault *Fault
			if info, fault = frameHeader(marker, body, l); fault != nil {
				return Info{}, fault
			}
		}
		pos = next
	}
	return Info{}, ErrHeader
}

// segment reads the marker at pos and the bytes that belong to it. next is 0 if
// there is no whole segment.
func segment(b []byte, pos int) (marker byte, body []byte, next int) {
	if pos >= len(b) || b[pos] != 0xFF {
		return 0, nil, 0
	}
	pos++
	for range maxFill {
		if pos < len(b) && b[pos] == 0xFF {
			pos++
		}
	}
	if pos+3 > len(b) {
		return 0, nil, 0
	}
	marker = b[pos]
	if marker <= markTEM || marker >= markRST0 && marker <= markEOI || marker == 0xFF {
		return 0, nil, 0 // markers without length do not stand in a header
	}
	length := int(b[pos+1])<<8 | int(b[pos+2])
	next = pos + 1 + length
	if length < 2 || next > len(b) {
		return 0, nil, 0
	}
	return marker, b[pos+3 : next], next
}

func isFrameHeader(m byte) bool {
	return m >= markSOF0 && m <= markSOF && m != markDHT && m != markJPG && m != markDAC
}

func frameHeader(marker byte, body []byte, l Limits) (Info, *Fault) {
	if marker > markSOF2 {
		return Info{}, ErrProcess
	}
	if len(body) < 6 || len(body) != 6+3*int(body[5]) {
		return Info{}, ErrHeader
	}
	if body[0] != 8 {
		return Info{}, ErrProcess
	}
	info := Info{
		Height:     int(body[1])<<8 | int(body[2]),
		Width:      int(body[3])<<8 | int(body[4]),
		Components: int(body[5]),
	}
	switch {
	case info.Components != 1 && info.Components != 3:
		return Info{}, ErrComponents
	case info.Width == 0 || info.Height == 0:
		return Info{}, ErrEmpty
	case l.MaxPixels > 0 && info.Width*info.Height > l.MaxPixels:
		return Info{}, ErrPixels
	}
	for c := 6; c < len(body); c += 3 {
		if h, v := body[c+1]>>4, body[c+1]&15; h < 1 || h > 4 || v < 1 || v > 4 {
			return Info{}, ErrHeader
		}
	}
	return info, nil
}

// finish looks for the end of the picture, which began at data.
func finish(b []byte, data int, info Info) (Info, error) {
	if info.Components == 0 {
		return Info{}, ErrHeader // picture data without a frame header
	}
	from := max(data, len(b)-maxPadding)
	end := bytes.LastIndex(b[from:], []byte{0xFF, markEOI})
	if end < 0 {
		return Info{}, ErrNoEnd
	}
	info.Size = from + end + 2
	return info, nil
}
