package hatest_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// streamURL is what the page tells people to enter, with a new token.
func (h *house) streamURL(camera string) string {
	h.Helper()
	minted := h.api.call(h, "POST", "/api/v1/stream-tokens", object{"name": "Home Assistant", "cameras": []string{camera}})
	return h.api.base + "/live/live/" + camera + "/mjpeg?token=" + text(at(minted, "token"))
}

// live adds Home Assistant's own MJPEG camera: through its proxy come as many
// pictures as the camera sends.
func (h *house) live() {
	h.ha.flow(h, "mjpeg", object{"name": "Porch live", "mjpeg_url": h.streamURL("porch"), "verify_ssl": false})
	const id = "camera.porch_live"
	eventually(h, "the live camera is there", func() bool { return h.ha.state(id).ID != "" })
	status, still, err := h.ha.ask("GET", "/api/camera_proxy/"+id, nil)
	if err != nil || status != http.StatusOK || !bytes.HasPrefix(still, []byte{0xff, 0xd8}) {
		h.Errorf("a still of the stream: %d %v, %d bytes", status, err, len(still))
	}
	const span = 4 * time.Second
	sent := h.cameras["porch"].Report().Frames
	shown := h.count(id, span)
	sent = h.cameras["porch"].Report().Frames - sent
	h.figure("%d pictures through Home Assistant in %v, the camera sent %d", shown, span, sent)
	if shown+2 < int(sent) || sent < 20 {
		h.Errorf("%d pictures came through Home Assistant in %v, the camera sent %d", shown, span, sent)
	}
}

// count counts the pictures of a stream for a while.
func (h *house) count(id string, span time.Duration) (pictures int) {
	h.Helper()
	ctx, cancel := context.WithTimeout(h.Context(), span)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", h.ha.base+"/api/camera_proxy_stream/"+id, nil)
	if err != nil {
		h.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+h.ha.token)
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		h.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body) // until the time is over
	return bytes.Count(body, []byte{0xff, 0xd8, 0xff})
}

// ffmpeg pulls the stream as recorders and go2rtc do.
func (h *house) ffmpeg() {
	program, err := exec.LookPath("ffmpeg")
	if err != nil {
		h.Skip("ffmpeg is not installed: make deps brings it")
	}
	ctx, cancel := context.WithTimeout(h.Context(), patience)
	defer cancel()
	const frames = 20
	out, err := exec.CommandContext(ctx, program, "-nostdin", "-v", "error", "-i", h.streamURL("porch"), "-frames:v", strconv.Itoa(frames), "-f", "framecrc", "-").CombinedOutput()
	got := 0
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "0,") {
			got++
		}
	}
	if err != nil || got != frames {
		h.Errorf("ffmpeg took %d pictures: %v\n%.2000s", got, err, out)
	}
}
