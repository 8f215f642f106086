package jpeg

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"testing"
)

func TestShrinkKeepsTheShape(t *testing.T) {
	m := image.NewRGBA(image.Rect(0, 0, 320, 200))
	for x := range 320 {
		for y := range 200 {
			if x >= 160 {
				m.Set(x, y, color.White)
			}
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	small, height, err := Shrink(b.Bytes(), 80)
	if err != nil || height != 50 {
		t.Fatalf("the height is %d, %v", height, err)
	}
	got, err := jpeg.Decode(bytes.NewReader(small))
	if err != nil || got.Bounds() != image.Rect(0, 0, 80, 50) {
		t.Fatalf("it is %v, %v", got.Bounds(), err)
	}
	for x, want := range map[int]uint32{10: 0, 70: 0xffff} {
		if r, _, _, _ := got.At(x, 25).RGBA(); r > want+0x1000 || r+0x1000 < want {
			t.Errorf("at %d it is %x, want %x", x, r, want)
		}
	}
	if _, _, err := Shrink([]byte("no picture"), 80); err == nil {
		t.Error("what is no picture was made smaller")
	}
}
