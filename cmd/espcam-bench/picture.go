//go:build linux

package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
	"time"
)

// Every picture is a JPEG that decodes, of exactly the size asked for:
//
//	SOI | COM stamp | COM padding ... | the encoder's own segments | EOI
//
// A relay that forwards bytes keeps the stamp, so a viewer knows which picture
// of which camera it has and how old it is.

const (
	stampMagic  = "ESPBENCH"
	stampLength = len(stampMagic) + 4 + 8 + 8
	stampAt     = 2 + 4 // behind SOI and the comment's marker and length
	commentMax  = 65533 // payload of one COM segment
)

// stamp is what a camera writes into a picture just before it sends it.
type stamp struct {
	camera uint32
	seq    uint64
	sent   int64 // Unix ns
}

func (s stamp) put(picture []byte) {
	b := append(picture[stampAt:stampAt], stampMagic...)
	b = binary.BigEndian.AppendUint32(b, s.camera)
	b = binary.BigEndian.AppendUint64(b, s.seq)
	binary.BigEndian.AppendUint64(b, uint64(s.sent))
}

// readStamp finds the stamp of a picture made here; ok is false for any other.
func readStamp(picture []byte) (s stamp, ok bool) {
	if len(picture) < stampAt+stampLength || !bytes.HasPrefix(picture[stampAt:], []byte(stampMagic)) {
		return stamp{}, false
	}
	b := picture[stampAt+len(stampMagic):]
	return stamp{
		camera: binary.BigEndian.Uint32(b),
		seq:    binary.BigEndian.Uint64(b[4:]),
		sent:   int64(binary.BigEndian.Uint64(b[12:])),
	}, true
}

func (s stamp) age(now time.Time) time.Duration { return time.Duration(now.UnixNano() - s.sent) }

// whole reports whether the picture ends where a JPEG ends.
func whole(picture []byte) bool { return bytes.HasSuffix(picture, []byte{0xFF, 0xD9}) }

// drawPictures makes a short loop of pictures of size bytes: texture with a
// bright square that moves. The same seed makes the same pictures.
func drawPictures(count, size, width, height int, seed uint64) ([][]byte, error) {
	rng := rand.New(rand.NewPCG(seed, 0))
	texture := make([]uint8, width*height)
	for i := range texture {
		texture[i] = uint8(60 + (i%width)*100/width + rng.IntN(8))
	}
	var out [][]byte
	for n := range count {
		img := image.NewGray(image.Rect(0, 0, width, height))
		copy(img.Pix, texture)
		side := height / 6
		left := (width - side) * n / count
		for y := height / 2; y < height/2+side; y++ {
			for x := left; x < left+side; x++ {
				img.SetGray(x, y, color.Gray{Y: 240})
			}
		}
		p, err := encodeTo(img, size)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// encodeTo encodes img as well as size bytes allow and fills up with comments.
func encodeTo(img image.Image, size int) ([]byte, error) {
	room := size - stampLength - 2*4 // the stamp's comment and at least one of padding
	for quality := 90; quality >= 5; quality -= 5 {
		var b bytes.Buffer
		if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: quality}); err != nil {
			return nil, err
		}
		if b.Len() > room {
			continue
		}
		body := b.Bytes()[2:]
		out := appendComment([]byte{0xFF, 0xD8}, make([]byte, stampLength))
		for pad := size - len(out) - len(body); pad > 0; pad = size - len(out) - len(body) {
			n := min(pad-4, commentMax)
			if rest := pad - 4 - n; rest > 0 && rest < 4 {
				n -= 4 // leave room for another whole comment
			}
			out = appendComment(out, make([]byte, n))
		}
		return append(out, body...), nil
	}
	return nil, errors.New("the size is too small for a picture of these dimensions")
}

func appendComment(b, payload []byte) []byte {
	n := len(payload) + 2
	return append(append(b, 0xFF, 0xFE, byte(n>>8), byte(n)), payload...)
}
