//go:build gocv_specific_modules && matprofile

package motion

import (
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"gocv.io/x/gocv"
)

// TestNoOpenMats: whatever is judged, no Mat stays open and memory does not
// grow. PICTURES sets how many pictures.
func TestNoOpenMats(t *testing.T) {
	n := 2000
	if s := os.Getenv("PICTURES"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	c := drawn{w: 320, h: 240, fps: 10, frames: 60, quality: 60, noise: 3, walker: crossing(20, 50, 0.4)}
	pics := c.jpegs(t)
	r := rand.New(rand.NewPCG(4, 4))
	before := gocv.MatProfile.Count()
	d := New(Config{})
	defer d.Close()
	var early int
	for i := range n {
		pic := pics[i%len(pics)]
		if i%9 == 0 {
			pic = damage(r, pic)
		}
		d.Judge(pic, c.at(i))
		if i == n/4 {
			early = resident(t)
		}
	}
	if open := gocv.MatProfile.Count() - before; open != 0 {
		t.Errorf("%d Mats are open", open)
	}
	late := resident(t)
	t.Logf("%d pictures: %d KB resident after a quarter, %d KB at the end", n, early, late)
	if late > early+20_000 {
		t.Errorf("resident memory grew from %d to %d KB", early, late)
	}
}

// resident is how much memory the process holds, in KB.
func resident(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(b))[1])
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize() / 1024
}
