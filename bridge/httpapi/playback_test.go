package httpapi_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/httpapi"
)

// FuzzClip: a clip that a bad disk changed is read as far as it is whole, and
// never taken for more than it is.
func FuzzClip(f *testing.F) {
	good := []byte(bridge.FirstBoundary)
	for n := range 3 {
		good = append(good, shotAt(time.Duration(n)*time.Second, 3000).Machine()...)
	}
	f.Add(good)
	f.Add(good[:len(good)-2000])
	f.Add([]byte("--frame\r\nContent-Length: 16777216\r\n\r\n"))
	f.Add([]byte("--frame\r\nContent-Length: -1\r\n\r\nx"))
	f.Add([]byte("--frame\r\nContent-Length: 1\r\nX-Timestamp: NaN\r\n\r\nx\r\n--frame\r\nContent-Length: 1\r\nX-Timestamp: 1e300\r\n\r\ny\r\n"))
	f.Add([]byte("--frame\r\n" + strings.Repeat("A: b\r\n", 40)))
	f.Add([]byte(strings.Repeat("-", 9000)))
	f.Fuzz(func(t *testing.T, data []byte) {
		sum := 0
		for n, frame := range httpapi.ReadClip(bytes.NewReader(data)) {
			sum += len(frame.JPEG())
			if frame.Seq != uint64(n+1) || !bytes.Contains(data, frame.JPEG()) || len(frame.JPEG()) == 0 {
				t.Fatalf("picture %d of %d bytes is none of the clip's", n, len(frame.JPEG()))
			}
		}
		if sum > len(data) {
			t.Fatalf("%d bytes of pictures in %d", sum, len(data))
		}
	})
}

func TestClipThatIsCutOff(t *testing.T) {
	whole := []byte(bridge.FirstBoundary)
	for n := range 3 {
		whole = append(whole, shotAt(time.Duration(n)*time.Second, 3000).Machine()...)
	}
	for cut, want := range map[int]int{len(whole): 3, len(whole) - 1: 3, len(whole) - 12: 2, 3500: 1, 2000: 0, 0: 0} {
		got := httpapi.ReadClip(bytes.NewReader(whole[:cut]))
		if len(got) != want {
			t.Errorf("of %d bytes: %d pictures, want %d", cut, len(got), want)
		}
		for n, f := range got {
			if !f.Time().Equal(noon.Add(time.Duration(n) * time.Second)) {
				t.Errorf("picture %d was taken %v", n, f.Time())
			}
		}
	}
	garbage := fmt.Sprintf("--frame\r\nContent-Length: %d\r\n\r\n", 16<<20+1)
	if got := httpapi.ReadClip(strings.NewReader(garbage)); len(got) != 0 {
		t.Errorf("a part larger than any picture: %d", len(got))
	}
}
