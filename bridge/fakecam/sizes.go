package fakecam

import "fmt"

// size is a picture size by the name that camera drivers use.
type size struct {
	name          string
	width, height int
}

// sizes are those of the common sensor, smallest first.
var sizes = []size{
	{"QQVGA", 160, 120}, {"QVGA", 320, 240}, {"CIF", 400, 296}, {"HVGA", 480, 320}, {"VGA", 640, 480},
	{"SVGA", 800, 600}, {"XGA", 1024, 768}, {"HD", 1280, 720}, {"SXGA", 1280, 1024}, {"UXGA", 1600, 1200},
}

// sizeOf returns the entry with those pixels, or one whose name is the pixels.
func sizeOf(width, height int) size {
	for _, s := range sizes {
		if s.width == width && s.height == height {
			return s
		}
	}
	return size{fmt.Sprintf("%dX%d", width, height), width, height}
}

// ParseSize reads "640x480" or a name such as "VGA".
func ParseSize(text string) (width, height int, err error) {
	for _, s := range sizes {
		if s.name == text {
			return s.width, s.height, nil
		}
	}
	var rest string
	n, _ := fmt.Sscanf(text+" ", "%dx%d%s", &width, &height, &rest)
	if n != 2 || width <= 0 || height <= 0 {
		return 0, 0, fmt.Errorf("size %q: use width x height such as 640x480, or a name such as VGA", text)
	}
	return width, height, nil
}
