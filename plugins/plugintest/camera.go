package plugintest

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
)

// Picture is the n-th picture of the synthetic camera: a square that moves over
// a gradient. The same n gives the same bytes.
func Picture(n, width, height int) []byte {
	img := image.NewYCbCr(image.Rect(0, 0, width, height), image.YCbCrSubsampleRatio420)
	for y := range height {
		for x := range width {
			img.Y[y*img.YStride+x] = uint8(40 + 120*x/width + 40*y/height)
		}
	}
	for i := range img.Cb {
		img.Cb[i], img.Cr[i] = 118, 132
	}
	side := max(height/4, 1)
	left, top := (n*side/3)%max(width-side, 1), (height-side)/2
	for y := top; y < top+side; y++ {
		for x := left; x < left+side; x++ {
			img.Y[y*img.YStride+x] = color.GrayModel.Convert(color.White).(color.Gray).Y
		}
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, img, &jpeg.Options{Quality: 80}); err != nil {
		return nil // a buffer takes everything
	}
	return out.Bytes()
}

// Padded is a JPEG made larger, to size bytes at least, by comments that every
// decoder skips.
func Padded(picture []byte, size int) []byte {
	const most = 65000 // bytes of a comment; 65533 is the format's limit
	out := bytes.Clone(picture[:2])
	comment := append([]byte{0xff, 0xfe, (most + 2) >> 8, (most + 2) & 0xff}, bytes.Repeat([]byte{'x'}, most)...)
	for len(out)+len(picture) < size {
		out = append(out, comment...)
	}
	return append(out, picture[2:]...)
}
