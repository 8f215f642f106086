package app_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge/config"
)

// bomb is a JPEG of few bytes that claims 65535 times 65535 pixels.
func bomb(t *testing.T) []byte {
	t.Helper()
	b := bytes.Clone(picture(t, 0, 1000))
	at := bytes.Index(b, []byte{0xff, 0xc0}) // SOF0: length, precision, height, width
	if at < 0 {
		t.Fatal("the picture has no frame header")
	}
	copy(b[at+5:], []byte{0xff, 0xff, 0xff, 0xff})
	return b
}

// TestBadCameras: whatever a camera sends, it gets its own reason, and a camera
// beside it loses no picture.
func TestBadCameras(t *testing.T) {
	t.Parallel()
	h := openHealthy(t, nil)
	good := picture(t, 5, 4000)
	garbage := bytes.Repeat([]byte("no picture "), 100)
	const (
		invalid  = `{"type":"error","code":"invalid_frames","message":"invalid_frames"}`
		tooLarge = `{"type":"error","code":"frame_too_large","message":"frame_too_large"}`
	)
	times := func(n int, pic []byte) func(*sketch) {
		return func(c *sketch) {
			for range n {
				c.send(pic)
			}
		}
	}
	raw := func(b ...byte) func(*sketch) { return func(c *sketch) { c.write(b) } }
	for name, tt := range map[string]struct {
		do   func(*sketch)
		code int // 0: the connection lives on
		text string
		drop string // the reason that is counted
	}{
		"five pictures that are none":   {times(5, garbage), 1003, invalid, "invalid"},
		"five that stop in the middle":  {times(5, good[:len(good)/2]), 1003, invalid, "invalid"},
		"five of nothing":               {times(5, nil), 1003, invalid, "invalid"},
		"five bombs":                    {times(5, bomb(t)), 1003, invalid, "invalid"},
		"four bad ones, good, four bad": {func(c *sketch) { times(4, garbage)(c); c.send(good); times(4, garbage)(c) }, 0, "", "invalid"},
		"one byte too large":            {times(1, picture(t, 1, 262_145)), 4413, tooLarge, "too_large"},
		"too large in pieces": {func(c *sketch) {
			c.answer(frame(opBinary, make([]byte, 10_000)))
			for range 30 {
				c.answer(frame(opMore, make([]byte, 10_000)))
			}
		}, 4413, tooLarge, "too_large"},
		"a message without an end": {func(c *sketch) {
			c.answer(frame(opBinary, make([]byte, 200_000)))
			c.answer(frame(opMore, make([]byte, 200_000)))
		}, 4413, tooLarge, "too_large"},
		"a claim of 2^63 bytes": {func(c *sketch) {
			c.write(binary.BigEndian.AppendUint64([]byte{finBit | opBinary, maskBit | 127}, 1<<63))
			c.write([]byte{0, 0, 0, 0, 1, 2})
		}, 4413, tooLarge, "too_large"},
		"a frame without a mask": {raw(finBit|opBinary, 3, 1, 2, 3), 1002, "", ""},
		"a reserved bit":         {raw(finBit|0x40|opBinary, maskBit, 0, 0, 0, 0), 1002, "", ""},
		"an unknown opcode":      {raw(finBit|3, maskBit, 0, 0, 0, 0), 1002, "", ""},
		"a continuation of none": {raw(finBit|opMore, maskBit, 0, 0, 0, 0), 1002, "", ""},
		"a ping of 200 bytes":    {func(c *sketch) { c.write(frame(finBit|opPing, make([]byte, 200))) }, 1002, "", ""},
		"a text that is no JSON": {func(c *sketch) { c.text("temp=21;hum=40"); c.text("{\"type\":"); c.text("\xff\xfe") }, 0, "", ""},
		"a text of another type": {func(c *sketch) { c.text(`{"type":"weather","rain":true}`); c.text(`[[[[[[[[[[[[]]]]]]]]]]]]`) }, 0, "", ""},
		"a text of 100 KB":       {func(c *sketch) { c.text(`{"type":"stats","note":"` + strings.Repeat("a", 100_000) + `"}`) }, 0, "", ""},
		"three hundred texts": {func(c *sketch) {
			for range 300 {
				c.text(`{"type":"stats","fps":1}`)
			}
		}, 0, "", ""},
		"stats of nonsense": {func(c *sketch) { c.text(`{"type":"stats","rssi":"strong","heapFree":-1e300,"fps":[1],"uptime":1e400}`) }, 0, "", ""},
		"a hello of nonsense": {func(c *sketch) {
			c.text(`{"type":"hello","proto":1,"mac":"<script>","caps":{"led":1e9,"framesizes":[1,2],"pan":"far"},"settings":[]}`)
		}, 0, "", ""},
		"a result nobody asked":   {func(c *sketch) { c.text(`{"type":"result","id":"999","ok":true,"settings":{"quality":1}}`) }, 0, "", ""},
		"padding after the end":   {times(1, append(bytes.Clone(good), make([]byte, 500)...)), 0, "", ""},
		"it hangs up in a frame":  {func(c *sketch) { c.write(frame(finBit|opBinary, good)[:2000]); c.conn.Close() }, 0, "", ""},
		"it hangs up in a header": {func(c *sketch) { c.write([]byte{finBit | opBinary}); c.conn.Close() }, 0, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			room := "bad-" + strings.ReplaceAll(strings.Trim(strings.Map(slug, name), "-"), "--", "-")
			key, wsURL := h.provision(room)
			c := connect(t, wsURL, key, keyInHeader)
			c.welcome()
			tt.do(c)
			hungUp := strings.HasPrefix(name, "it hangs up")
			switch {
			case tt.code != 0:
				c.wantClosed(tt.code, tt.text)
			case !hungUp:
				c.alive()
				c.send(good)
				eventually(t, "a good picture still comes through", func() bool { pic, _ := h.picture(room); return bytes.Equal(pic, good) })
			}
			if tt.drop != "" && at(h.camera(room), "stats", "dropped", tt.drop) == nil {
				t.Errorf("nothing is counted: %v", at(h.camera(room), "stats"))
			}
			if tt.code != 0 || hungUp {
				again := connect(t, wsURL, key, keyInHeader)
				again.welcome()
				again.send(good)
				eventually(t, "the camera may come back", func() bool { pic, _ := h.picture(room); return bytes.Equal(pic, good) })
			}
			h.check(t)
		})
	}
}

// slug makes a room of a sentence.
func slug(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
		return r
	}
	return '-'
}

// TestFastCamera: what is above the rate is dropped and counted, and what gets
// through keeps the limit.
func TestFastCamera(t *testing.T) {
	t.Parallel()
	h := openHealthy(t, func(cfg *config.Config) { cfg.Ingest.MaxFPS = 30 })
	key, wsURL := h.provision("fast")
	c := connect(t, wsURL, key, keyInHeader)
	c.welcome()
	began := time.Now()
	pic := picture(t, 1, 3000)
	for range 600 {
		c.send(pic)
	}
	c.alive() // all of them have been read
	most := 30 + 30*time.Since(began).Seconds() + 1
	stats := at(h.camera("fast"), "stats")
	frames, _ := at(stats, "frames").(float64)
	dropped, _ := at(stats, "dropped", "rate").(float64)
	if frames < 30 || frames > most || frames+dropped != 600 {
		t.Errorf("of 600 frames %v came through and %v were dropped; at most %v may", frames, dropped, most)
	}
	h.check(t)
}

// TestSilentCameras: a camera that stops sending, in whatever way, is told that
// it is idle; one that is switched off is not.
func TestSilentCameras(t *testing.T) {
	t.Parallel()
	h := openHealthy(t, func(cfg *config.Config) { cfg.Ingest.IdleTimeout = 3 * time.Second })
	const idle = `{"type":"error","code":"idle_timeout","message":"idle_timeout"}`
	cameras := map[string]*sketch{}
	for name, do := range map[string]func(*sketch){
		"says-nothing":   func(*sketch) {},
		"in-a-frame":     func(c *sketch) { c.write(frame(finBit|opBinary, make([]byte, 10_000))[:5000]) },
		"sends-stats":    func(c *sketch) { c.stats(-50, 1) },
		"is-switched-of": func(c *sketch) {},
	} {
		key, wsURL := h.provision(name)
		cameras[name] = connect(t, wsURL, key, keyInHeader)
		cameras[name].welcome()
		do(cameras[name])
	}
	h.call(200, "PATCH", "/api/v1/cameras/is-switched-of", `{"enabled":false}`)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	began := time.Now()
	for open := true; open; {
		select {
		case <-cameras["sends-stats"].over:
			open = false
		case <-tick.C:
			cameras["sends-stats"].answer(frame(finBit|opText, []byte(`{"type":"stats","fps":0}`)))
			cameras["is-switched-of"].answer(frame(finBit|opPing, nil))
		}
	}
	for name, c := range cameras {
		if name == "is-switched-of" {
			c.alive()
			continue
		}
		if c.wantClosed(4408, idle); time.Since(began) > 8*time.Second {
			t.Errorf("%s: only after %v", name, time.Since(began))
		}
	}
	h.check(t)
}

// TestWrongKeysAreLimited: who guesses is told so, from the 61st time in a minute
// on, and cameras with good keys behind the same address do not notice.
func TestWrongKeysAreLimited(t *testing.T) {
	t.Parallel()
	h := openHealthy(t, nil)
	key, wsURL := h.provision("yard")
	for i := range 61 {
		c := connect(t, wsURL, fmt.Sprintf("wsk_guess_%040d", i), keyInHeader)
		if i < 60 {
			c.wantClosed(4401, `{"type":"error","code":"4401","message":"invalid_key"}`)
		} else {
			c.wantClosed(4429, `{"type":"error","code":"4429","message":"rate_limited"}`)
		}
	}
	c := connect(t, wsURL, key, keyInHeader)
	c.welcome()
	c.alive()
	h.check(t)
	if n := strings.Count(h.log.String(), "camera refused"); n > 3 {
		t.Errorf("61 refusals made %d lines of log", n)
	}
	if !h.logged("camera refused", "invalid_key") {
		t.Error("refusals are not logged at all")
	}
}
