package httpapi_test

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/httpapi"
)

const mjpegPath = "/live/live/porch/mjpeg"

// stream is an MJPEG client that reads bytes as they are.
type stream struct {
	t testing.TB
	net.Conn
	*bufio.Reader
	header         http.Header
	close, chunked bool
}

func (w *world) stream(path string, headers ...string) *stream {
	w.t.Helper()
	c := w.dial(path, headers...)
	r := bufio.NewReaderSize(c, 1<<20)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		w.t.Fatalf("got %s", resp.Status)
	}
	return &stream{w.t, c, r, resp.Header, resp.Close, len(resp.TransferEncoding) > 0}
}

// expect reads exactly want.
func (s *stream) expect(what string, want []byte) {
	s.t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(s.Reader, got); err != nil {
		s.t.Fatalf("%s: %v after %d bytes: %q", what, err, n, got[:min(n, 200)])
	}
	if !bytes.Equal(got, want) {
		s.t.Fatalf("%s: got %q ..., want %q ...", what, got[:min(len(got), 200)], want[:min(len(want), 200)])
	}
}

// part reads one part in the machine form and returns its picture.
func (s *stream) part() []byte {
	s.t.Helper()
	size := -1
	for {
		line, err := s.ReadString('\n')
		if err != nil {
			s.t.Fatal(err)
		}
		if line == "\r\n" && size >= 0 {
			break
		}
		if v, ok := strings.CutPrefix(line, "Content-Length: "); ok {
			if _, err := fmt.Sscan(v, &size); err != nil {
				s.t.Fatal(err)
			}
		}
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(s.Reader, b); err != nil {
		s.t.Fatal(err)
	}
	return b
}

func seconds(f bridge.Frame) string {
	micros := f.Time().UnixMicro()
	return fmt.Sprintf("%d.%06d", micros/1e6, micros%1e6)
}

func TestMachineFormIsByteExact(t *testing.T) {
	w := open(t, httpapi.Config{})
	one, two := picture(4000), picture(60_000)
	w.publish("porch", one)
	s := w.stream(mjpegPath, "Accept: */*")
	first := w.hub.Latest("porch")
	s.expect("first part", []byte("--frame\r\nContent-Type: image/jpeg\r\nContent-Length: "+fmt.Sprint(len(one))+"\r\nX-Timestamp: "+seconds(first)+"\r\n\r\n"))
	s.expect("picture", one)
	s.expect("boundary", []byte("\r\n--frame\r\n"))
	w.publish("porch", two)
	s.expect("second part", []byte("Content-Type: image/jpeg\r\nContent-Length: "+fmt.Sprint(len(two))+"\r\nX-Timestamp: "+seconds(w.hub.Latest("porch"))+"\r\n\r\n"))
	s.expect("picture", two)
	s.expect("boundary", []byte("\r\n--frame\r\n"))
	want := map[string]string{"Content-Type": "multipart/x-mixed-replace; boundary=frame", "Cache-Control": "no-store",
		"X-Accel-Buffering": "no", "X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin"}
	for k, v := range want {
		if got := s.header.Get(k); got != v {
			t.Errorf("%s is %q, want %q", k, got, v)
		}
	}
	if !s.close || s.chunked {
		t.Errorf("Connection: close is %v, chunked %v", s.close, s.chunked)
	}
}

// TestBrowserFormShowsAtOnce: the next part's headers must be there without a
// next frame, or Chromium and WebKit show every picture one late.
func TestBrowserFormShowsAtOnce(t *testing.T) {
	w := open(t, httpapi.Config{})
	one := picture(20_000)
	for name, s := range map[string]*stream{
		"accept": w.stream(mjpegPath, "Accept: image/avif,image/webp,image/png,*/*;q=0.8"),
		"early":  w.stream(mjpegPath + "?early=1"),
	} {
		t.Run(name, func(t *testing.T) {
			s.t = t
			s.expect("first headers", []byte("--frame\r\nContent-Type: image/jpeg\r\n\r\n"))
			skipPlaceholder(s)
			w.publish("porch", one)
			sent := time.Now()
			s.expect("picture", one)
			s.expect("next headers", []byte("\r\n--frame\r\nContent-Type: image/jpeg\r\n\r\n"))
			if took := time.Since(sent); took > 200*time.Millisecond {
				t.Errorf("the next headers came %v after the picture", took)
			}
		})
	}
	s := w.stream(mjpegPath+"?style=length&early=1", "Accept: image/*")
	s.expect("forced machine form", []byte("--frame\r\nContent-Type: image/jpeg\r\nContent-Length: "))
}

// skipPlaceholder reads up to the headers after the first picture.
func skipPlaceholder(s *stream) {
	s.t.Helper()
	var got []byte
	for !bytes.HasSuffix(got, []byte(bridge.FirstBoundary+bridge.EarlyHeaders)) {
		b, err := s.ReadByte()
		if err != nil {
			s.t.Fatal(err)
		}
		got = append(got, b)
	}
}

func TestPlaceholderWhenThereIsNoPicture(t *testing.T) {
	w := open(t, httpapi.Config{Timing: httpapi.Timing{Repeat: 50 * time.Millisecond}})
	one := picture(4000)
	s := w.stream(mjpegPath)
	if got := s.part(); bytes.Equal(got, one) || len(got) < 1000 {
		t.Errorf("no placeholder first: %d bytes", len(got))
	}
	s.part() // and again, since nothing new comes
	w.publish("porch", one)
	for !bytes.Equal(s.part(), one) {
	}
	if !bytes.Equal(s.part(), one) {
		t.Error("the newest picture is not repeated")
	}
	w.fleet.change("porch", func(c *bridge.Camera) { c.State, c.Connected = bridge.Offline, false })
	for bytes.Equal(s.part(), one) {
	}
	w.fleet.change("porch", func(c *bridge.Camera) { c.State, c.Connected = bridge.Online, true })
	for !bytes.Equal(s.part(), one) {
	}
}

func TestSwitchedOffCameraShowsNothingMore(t *testing.T) {
	w := open(t, httpapi.Config{Timing: httpapi.Timing{Repeat: time.Hour}})
	one := picture(4000)
	w.publish("porch", one)
	s := w.stream(mjpegPath)
	if !bytes.Equal(s.part(), one) {
		t.Fatal("not the newest picture first")
	}
	if err := w.fleet.SetEnabled("porch", false); err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(s.part(), one) {
		t.Error("a picture after the camera was switched off")
	}
	if got := w.get("/live/live/porch/frame.jpg"); bytes.Equal(got.body, one) || got.Header.Get("X-Camera-State") != "disabled" {
		t.Errorf("snapshot of a camera that is switched off: %v", got.Header)
	}
}

// TestViewer: what goes through the slot, step by step.
func TestViewer(t *testing.T) {
	var wrote []int
	skipped := 0
	v := httpapi.NewViewer(func(b []byte) error { wrote = append(wrote, len(b)); return nil }, func() { skipped++ })
	numbered := func(seq uint64) bridge.Frame {
		jpg := picture(3000 + int(seq))
		f := frame("porch", jpg)
		f.Seq = seq
		return f
	}
	expect := func(what string, sizes ...int) {
		t.Helper()
		if err := v.Drain(); err != nil || !slices.Equal(wrote, sizes) {
			t.Errorf("%s: wrote %v, want %v, %v", what, wrote, sizes, err)
		}
		wrote = nil
	}
	v.Offer(numbered(5))
	expect("a frame", 3005)
	if !v.Show(numbered(4)) {
		t.Error("an old frame counts as none")
	}
	v.Offer(numbered(5))
	expect("an old frame, and the same again")
	v.Show(numbered(5))
	expect("repeated", 3005)
	v.Offer(numbered(6))
	v.Offer(numbered(7))
	v.Offer(numbered(8))
	if expect("the newest", 3008); skipped != 2 {
		t.Errorf("%d skipped, want 2", skipped)
	}
	v.Offer(numbered(9))
	v.Offer(bridge.Frame{})
	if expect("switched off"); !v.SwitchedOff() || v.SwitchedOff() {
		t.Error("switching off is not told once")
	}
	if v.Show(bridge.Frame{}) {
		t.Error("nothing counts as something to show")
	}
	v.ShowWhat(func() bridge.Frame {
		v.Offer(numbered(10)) // while a placeholder is drawn
		return numbered(0)
	})
	expect("a frame that came before its placeholder", 3010)
	v.Show(numbered(0)) // a placeholder
	v.Offer(numbered(11))
	expect("back", 3011)
}

func TestStreamEnds(t *testing.T) {
	w := open(t, httpapi.Config{})
	s := w.stream(mjpegPath)
	s.part()
	if err := w.fleet.Remove("porch"); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(s.Reader); err != nil || len(rest) > 100 {
		t.Errorf("after the camera was removed: %v, %d bytes", err, len(rest))
	}

	s = w.stream("/live/live/yard/mjpeg")
	s.part()
	s.Close()
	until(t, "the feed has no viewer", func() bool { return w.hub.Feed("yard").Stats().Viewers == 0 })

	s = w.stream("/live/live/yard/mjpeg")
	s.part()
	w.server.Close()
	if _, err := io.ReadAll(s.Reader); err != nil {
		t.Errorf("after Close: %v", err)
	}
	w.get("/live/live/yard/mjpeg").fails(t, 503, bridge.CodeUnavailable, "is stopping")
}

func TestThinning(t *testing.T) {
	w := open(t, httpapi.Config{})
	start := time.Now()
	at := func(ms int) bridge.Frame {
		f := frame("porch", picture(3000+ms))
		f.Received = start.Add(time.Duration(ms) * time.Millisecond)
		return f
	}
	w.hub.Feed("porch").Publish(at(0))
	all, some := w.stream(mjpegPath), w.stream(mjpegPath+"?fps=10")
	all.part()
	some.part()
	for ms := 66; ms < 2000; ms += 66 { // 15 fps for 2 s
		w.hub.Feed("porch").Publish(at(ms))
	}
	w.hub.Feed("porch").Publish(at(9999)) // ends both
	last := len(picture(3000 + 9999))
	count := func(s *stream) (n int) {
		for len(s.part()) != last {
			n++
		}
		return n
	}
	if n := count(all); n != 30 {
		t.Errorf("all: %d frames of 30", n)
	}
	if n := count(some); n < 19 || n > 21 {
		t.Errorf("10 fps for 2 s: %d frames", n)
	}
	w.get(mjpegPath+"?fps=0").fails(t, 400, bridge.CodeInvalid, "fps is")
	w.get(mjpegPath+"?fps=NaN").fails(t, 400, bridge.CodeInvalid, "fps is")
	w.get(mjpegPath+"?style=x").fails(t, 400, bridge.CodeInvalid, "style is")
}

func TestFramesNeverGoBack(t *testing.T) {
	w := open(t, httpapi.Config{Timing: httpapi.Timing{Repeat: time.Millisecond}})
	const frames = 300
	streams := []*stream{w.stream(mjpegPath), w.stream(mjpegPath), w.stream(mjpegPath)}
	var publisher sync.WaitGroup
	defer publisher.Wait()
	publisher.Go(func() {
		for n := range frames {
			w.publish("porch", picture(5000+n))
		}
	})
	for i, s := range streams {
		s.part() // placeholder
		for before := 0; before < 5000+frames-1; {
			n := len(s.part())
			if n < before && n >= 5000 {
				t.Fatalf("viewer %d: picture %d after %d", i, n, before)
			}
			if n >= 5000 {
				before = n
			}
		}
	}
}

// TestSlowViewerGetsTheNewest: what a viewer that fell behind reads next is at
// most what the kernel held, and then the newest.
func TestSlowViewerGetsTheNewest(t *testing.T) {
	w := open(t, httpapi.Config{Timing: httpapi.Timing{Write: 10 * time.Second}})
	s := w.stream(mjpegPath)
	s.part()
	fast := w.stream(mjpegPath)
	fast.part()
	const frames = 400
	for n := range frames {
		w.publish("porch", picture(50_000+n))
		fast.part()
	}
	var got []int
	for len(got) == 0 || got[len(got)-1] != 50_000+frames-1 {
		got = append(got, len(s.part()))
	}
	if len(got) > frames/2 {
		t.Errorf("the slow viewer was sent %d of %d pictures, old ones among them", len(got), frames)
	}
	if !slices.IsSorted(got) {
		t.Errorf("pictures out of order: %v", got)
	}
	if n := w.hub.Feed("porch").Stats().Dropped[bridge.DropSlow]; n < frames/2 {
		t.Errorf("only %d skipped deliveries counted", n)
	}
}

func TestStuckViewerIsClosed(t *testing.T) {
	w := open(t, httpapi.Config{Timing: httpapi.Timing{Write: 300 * time.Millisecond}})
	feed := w.hub.Feed("porch")
	before := heap()
	const stuck = 10
	for range stuck {
		w.stream(mjpegPath)
	}
	good := w.stream(mjpegPath)
	good.part()
	big := picture(200_000)
	until(t, "stuck viewers are gone", func() bool {
		w.publish("porch", big)
		good.part()
		return feed.Stats().Viewers == 1
	})
	feed.Mute(true)
	if grown := int64(heap()) - int64(before); grown > 12<<20 {
		t.Errorf("%d KiB more in use after the stuck viewers went", grown>>10)
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}

// TestDeadlineOfASlowWriteDoesNotStay: a write that had to wait sets a deadline;
// a later one must not fail for it.
func TestDeadlineOfASlowWriteDoesNotStay(t *testing.T) {
	w := open(t, httpapi.Config{Timing: httpapi.Timing{Write: 200 * time.Millisecond, Repeat: time.Hour}})
	s := w.stream(mjpegPath)
	s.part()
	w.publish("porch", picture(3_000_000)) // more than the kernel takes at once
	s.part()
	time.AfterFunc(400*time.Millisecond, func() { w.publish("porch", picture(5000)) })
	if n := len(s.part()); n != 5000 {
		t.Errorf("then a picture of %d bytes", n)
	}
}

func TestHTTP2(t *testing.T) {
	const deadline = 100 * time.Millisecond
	w := open(t, httpapi.Config{Timing: httpapi.Timing{Write: deadline}})
	srv := httpapi.NewHTTPServer(w.server.Handler(), slog.New(slog.DiscardHandler))
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cert := testCertificate(t)
	srv.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}}
	done := make(chan error, 1)
	go func() { done <- srv.ServeTLS(ln, "", "") }()
	defer func() { srv.Close(); <-done }()
	for _, proto := range []int{1, 2} {
		t.Run(fmt.Sprint("HTTP/", proto), func(t *testing.T) {
			w.fleet.change("porch", func(c *bridge.Camera) { c.Enabled = true })
			w.publish("porch", picture(4000))
			client := http.Client{Transport: &http.Transport{ForceAttemptHTTP2: proto == 2, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
			defer client.CloseIdleConnections()
			resp, err := client.Get("https://" + ln.Addr().String() + mjpegPath)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if resp.ProtoMajor != proto {
				t.Fatalf("the connection is %s", resp.Proto)
			}
			s := &stream{t: t, Reader: bufio.NewReader(resp.Body)}
			if n := len(s.part()); n != 4000 {
				t.Errorf("first a picture of %d bytes", n)
			}
			for n := range 3 {
				<-time.After(deadline * 3 / 2) // a pause longer than that must not end the stream
				w.publish("porch", picture(5000+n))
				if got := len(s.part()); got != 5000+n {
					t.Errorf("a picture of %d bytes, want %d", got, 5000+n)
				}
			}
			resp.Body.Close()
			until(t, "the viewer is gone", func() bool { return w.hub.Feed("porch").Stats().Viewers == 0 })
		})
	}
}

func TestSeats(t *testing.T) {
	w := open(t, httpapi.Config{MaxViewers: 3, MaxPerAddress: 2, TrustedProxies: loopback})
	s := w.stream(mjpegPath, "X-Forwarded-For: 198.51.100.1")
	w.stream(mjpegPath, "X-Forwarded-For: 198.51.100.1")
	w.get(mjpegPath, "X-Forwarded-For: 198.51.100.1").fails(t, 429, bridge.CodeRateLimited, "198.51.100.1 has 2 streams open")
	w.stream(mjpegPath, "X-Forwarded-For: 198.51.100.2")
	w.get(mjpegPath, "X-Forwarded-For: 198.51.100.3").fails(t, 503, bridge.CodeUnavailable, "3 streams are open")
	s.Close()
	until(t, "the seat is free", func() bool {
		r := w.get(mjpegPath, "X-Forwarded-For: 198.51.100.3")
		return r.StatusCode == 200
	})
}

func testCertificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
