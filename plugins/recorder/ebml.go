package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"
)

// The elements of Matroska that a clip is made of (RFC 9559, section 5; EBML
// itself is RFC 8794).
const (
	idEBML       = 0x1A45DFA3
	idVoid       = 0xEC
	idSegment    = 0x18538067
	idSeekHead   = 0x114D9B74
	idSeek       = 0x4DBB
	idSeekID     = 0x53AB
	idSeekPos    = 0x53AC
	idInfo       = 0x1549A966
	idScale      = 0x2AD7B1
	idDuration   = 0x4489
	idDate       = 0x4461
	idTitle      = 0x7BA9
	idMuxer      = 0x4D80
	idWriter     = 0x5741
	idTracks     = 0x1654AE6B
	idTrack      = 0xAE
	idNumber     = 0xD7
	idUID        = 0x73C5
	idType       = 0x83
	idLacing     = 0x9C
	idLanguage   = 0x22B59C
	idCodec      = 0x86
	idVideo      = 0xE0
	idWidth      = 0xB0
	idHeight     = 0xBA
	idCluster    = 0x1F43B675
	idTimestamp  = 0xE7
	idBlock      = 0xA3
	idCues       = 0x1C53BB6B
	idCue        = 0xBB
	idCueTime    = 0xB3
	idCueWhere   = 0xB7
	idCueTrack   = 0xF7
	idCueCluster = 0xF1
)

// unknownSize is what a size of eight bytes says of an element that goes on to
// the end of the file, as far as anybody knows yet.
const unknownSize = 1<<56 - 1

// element is an EBML element with a size of as few bytes as possible.
func element(id uint32, parts ...[]byte) []byte {
	size := 0
	for _, p := range parts {
		size += len(p)
	}
	b := appendSize(appendID(nil, id), uint64(size), 0)
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

func appendID(b []byte, id uint32) []byte {
	var full [4]byte
	binary.BigEndian.PutUint32(full[:], id)
	return append(b, full[bits.LeadingZeros32(id)/8:]...)
}

// appendSize writes a size in width bytes; 0: as few as it takes.
func appendSize(b []byte, size uint64, width int) []byte {
	if width == 0 {
		for width = 1; size >= 1<<(7*width)-1; width++ {
		}
	}
	var full [8]byte
	binary.BigEndian.PutUint64(full[:], size|1<<(7*width))
	return append(b, full[8-width:]...)
}

// number is the body of an unsigned integer.
func number(v uint64) []byte {
	var full [8]byte
	binary.BigEndian.PutUint64(full[:], v)
	return full[min(bits.LeadingZeros64(v)/8, 7):]
}

// void fills n bytes (2 to 127) that get a meaning later.
func void(n int) []byte { return element(idVoid, make([]byte, n-2)) }

// head reads an element's id and size at pos. body is where its content begins.
func head(r io.ReaderAt, pos int64) (id uint32, size uint64, body int64, err error) {
	var b [12]byte
	n, err := r.ReadAt(b[:], pos)
	if n == 0 {
		return 0, 0, 0, fmt.Errorf("no element at %d: %w", pos, err)
	}
	idLen := bits.LeadingZeros8(b[0]) + 1
	if idLen > 4 || idLen >= n {
		return 0, 0, 0, fmt.Errorf("no element at %d", pos)
	}
	for _, c := range b[:idLen] {
		id = id<<8 | uint32(c)
	}
	sizeLen := bits.LeadingZeros8(b[idLen]) + 1
	if sizeLen > 8 || idLen+sizeLen > n {
		return 0, 0, 0, fmt.Errorf("no size at %d", pos)
	}
	for _, c := range b[idLen : idLen+sizeLen] {
		size = size<<8 | uint64(c)
	}
	return id, size &^ (1 << (7 * sizeLen)), pos + int64(idLen+sizeLen), nil
}
