package jpeg

import (
	"bytes"
	"image"
	"image/jpeg"

	"golang.org/x/image/draw"
)

// Shrink makes the picture that wide and keeps its shape. b must have passed
// Check: its decoding costs many times what sending it does. The error is that of
// Go's decoder, which is stricter than browsers.
func Shrink(b []byte, width int) (small []byte, height int, err error) {
	src, err := jpeg.Decode(bytes.NewReader(b))
	if err != nil {
		return nil, 0, err
	}
	size := src.Bounds()
	height = max(1, size.Dy()*width/size.Dx())
	dst := image.NewRGBA(image.Rect(0, 0, width, height))
	draw.ApproxBiLinear.Scale(dst, dst.Rect, src, size, draw.Src, nil)
	var out bytes.Buffer
	if err := jpeg.Encode(&out, dst, &jpeg.Options{Quality: 80}); err != nil {
		return nil, 0, err
	}
	return out.Bytes(), height, nil
}
