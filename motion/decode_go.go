//go:build !gocv_specific_modules

package motion

import (
	"bytes"
	"errors"
	"image"
	stdjpeg "image/jpeg"
)

// Decoder names the decoder of this build.
const Decoder = "Go"

// About says in one sentence which decoder this build has, for the log.
func About() string {
	return "motion: pictures are decoded by Go, which decides the same but costs about 4 times the CPU; `make deps` installs OpenCV for the next `make build`"
}

// decodeGrey decodes pic to grey at 1/reduce of its size, by averaging the full
// luma plane. The pixels are valid until release.
func decodeGrey(pic []byte, reduce int) (s decoded, release func(), err error) {
	m, err := stdjpeg.Decode(bytes.NewReader(pic))
	if err != nil {
		return decoded{}, nil, err
	}
	luma, stride, err := lumaPlane(m)
	if err != nil {
		return decoded{}, nil, err
	}
	w, h := m.Bounds().Dx(), m.Bounds().Dy()
	s = decoded{cols: ceilDiv(w, reduce), rows: ceilDiv(h, reduce)}
	s.pix = make([]byte, s.cols*s.rows)
	full := decoded{luma, stride, h}
	for y := range s.rows {
		for x := range s.cols {
			s.pix[y*s.cols+x] = boxMean(full, x*reduce, y*reduce, reduce)
		}
	}
	return s, func() {}, nil
}

func lumaPlane(m image.Image) (luma []byte, stride int, err error) {
	switch m := m.(type) {
	case *image.YCbCr:
		return m.Y, m.YStride, nil
	case *image.Gray:
		return m.Pix, m.Stride, nil
	}
	return nil, 0, errors.New("JPEG holds neither grey nor YCbCr")
}
