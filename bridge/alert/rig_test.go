package alert

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/jpeg"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// post is a notifier in the hands of a test.
type post struct {
	mu     sync.Mutex
	calls  []call
	answer func(ctx context.Context, instance string, a bridge.Alert) (bridge.Receipt, error) // nil: delivered
	down   map[string]chan struct{}                                                           // instances that do not run
}

type call struct {
	instance string
	bridge.Alert
	at time.Time
}

func (p *post) Await(ctx context.Context, instance string) error {
	p.mu.Lock()
	up := p.down[instance]
	p.mu.Unlock()
	if up == nil {
		return nil
	}
	select {
	case <-up:
		return nil
	case <-ctx.Done():
		return bridge.Errorf(bridge.CodeUnavailable, "%s is starting again", instance)
	}
}

func (p *post) Notify(ctx context.Context, instance string, a bridge.Alert) (bridge.Receipt, error) {
	p.mu.Lock()
	p.calls = append(p.calls, call{instance, a, time.Now()})
	answer := p.answer
	p.mu.Unlock()
	if answer == nil {
		return bridge.Receipt{}, nil
	}
	return answer(ctx, instance, a)
}

// stop makes an instance not take work until the function is called.
func (p *post) stop(instance string) (start func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	up := make(chan struct{})
	if p.down == nil {
		p.down = map[string]chan struct{}{}
	}
	p.down[instance] = up
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.down, instance)
		close(up)
	}
}

func (p *post) answers(f func(ctx context.Context, instance string, a bridge.Alert) (bridge.Receipt, error)) {
	p.mu.Lock()
	p.answer = f
	p.mu.Unlock()
}

func (p *post) all() []call {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.calls)
}

// told lists the calls as "instance phase camera".
func (p *post) told() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := []string{}
	for _, c := range p.calls {
		out = append(out, fmt.Sprint(c.instance, " ", c.Phase, " ", c.Event.Camera))
	}
	return out
}

func (p *post) last(t *testing.T) call {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.calls) == 0 {
		t.Fatal("nobody was told")
	}
	return p.calls[len(p.calls)-1]
}

// shelf is a journal in memory.
type shelf struct {
	mu       sync.Mutex
	events   map[string]bridge.Event
	pictures map[string][]byte
}

func (s *shelf) Event(id string) (bridge.Event, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.events[id]; ok {
		return e, nil
	}
	return bridge.Event{}, bridge.Errorf(bridge.CodeNotFound, "there is no event %q", id)
}

func (s *shelf) Picture(id string) (io.ReadSeekCloser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b, ok := s.pictures[id]; ok {
		return opened{bytes.NewReader(b)}, nil
	}
	return nil, bridge.Errorf(bridge.CodeNotFound, "there is no picture of %q", id)
}

// paper is a log that several Alerts may write to.
type paper struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (p *paper) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.b.Write(b)
}

func (p *paper) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.b.String()
}

type opened struct{ *bytes.Reader }

func (opened) Close() error { return nil }

// rig is Alerts that run over a real store.
type rig struct {
	t      *testing.T
	dir    string
	store  *store.Store
	post   *post
	shelf  *shelf
	log    *paper
	alerts *Alerts
	events *bridge.EventListener
	end    func()
}

// begin starts Alerts over the store in dir; "" means a new one.
func begin(t *testing.T, dir string, cfg Config) *rig {
	t.Helper()
	if dir == "" {
		dir = t.TempDir()
	}
	r := &rig{t: t, dir: dir, post: &post{}, shelf: &shelf{events: map[string]bridge.Event{}, pictures: map[string][]byte{}}, log: &paper{}}
	return r.start(cfg)
}

func (r *rig) start(cfg Config) *rig {
	r.t.Helper()
	if cfg.Instances == nil {
		cfg.Instances = []string{"phone", "mail"}
	}
	var err error
	if r.store, err = store.Open(r.dir); err != nil {
		r.t.Fatal(err)
	}
	r.alerts, err = New(cfg, Deps{
		Notifier: r.post, Journal: r.shelf, Store: r.store,
		Name:   func(camera string) string { return "Camera " + camera },
		Sample: func() (string, bridge.Frame) { return "porch", picture("porch", 7) },
		URL:    func(camera, event string) string { return "http://bridge/#/" + camera + "/" + event },
		Log:    slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.events = bridge.NewEventListener()
	ctx, cancel := context.WithCancel(r.t.Context())
	done := make(chan error, 1)
	go func() { done <- r.alerts.Run(ctx, r.events) }()
	r.end = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			r.t.Error(err)
		}
		if err := r.store.Close(); err != nil {
			r.t.Error(err)
		}
	})
	r.t.Cleanup(r.end)
	return r
}

// photograph copies the store as a kill at this moment would leave it.
func (r *rig) photograph() (dir string) {
	r.t.Helper()
	dir = r.t.TempDir()
	b, err := os.ReadFile(filepath.Join(r.dir, store.FileName))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, store.FileName), b, 0o600)
	}
	if err != nil {
		r.t.Fatal(err)
	}
	return dir
}

// hear tells events and waits until everybody rests.
func (r *rig) hear(events ...bridge.Event) {
	for _, e := range events {
		r.events.Tell(e)
		synctest.Wait()
	}
}

func (r *rig) wantTold(want ...string) {
	r.t.Helper()
	synctest.Wait()
	if got := r.post.told(); !slices.Equal(got, want) {
		r.t.Errorf("told %q, want %q", got, want)
	}
}

func (r *rig) wantFailed(reasons ...string) []bridge.FailedAlert {
	r.t.Helper()
	synctest.Wait()
	list := r.alerts.Failed()
	got := []string{}
	for _, f := range list {
		got = append(got, f.Reason)
	}
	if !slices.Equal(got, reasons) {
		r.t.Fatalf("failed %q, want %q", got, reasons)
	}
	return list
}

// happens makes an event that begins now.
func happens(camera string) bridge.Event {
	now := time.Now()
	return bridge.Event{
		ID: bridge.NewEventID(now, uint16(crc32.ChecksumIEEE([]byte(camera)))), Camera: camera, Begin: now, Last: now, Score: 0.5,
		Sources: []string{"pixels"}, Picture: picture(camera, 1),
	}
}

// picture is a small JPEG whose sequence number is seq.
func picture(camera string, seq uint64) bridge.Frame {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 16, 8)), nil); err != nil {
		panic(err)
	}
	return bridge.NewBuffer(b.Bytes()).Frame(b.Len(), bridge.Frame{Camera: camera, Seq: seq, Width: 16, Height: 8})
}

func over(e bridge.Event) bridge.Event {
	e.End, e.Ending = time.Now(), bridge.EndQuiet
	return e
}

func phones(r Route) Config {
	r.Name, r.To = or(r.Name, "r"), []string{"phone"}
	return Config{Routes: []Route{r}}
}

var (
	allPhases = []bridge.Phase{bridge.PhaseBegin, bridge.PhaseUpdate, bridge.PhaseEnd}
	errLater  = &bridge.RetryError{Err: errors.New("the service is overloaded")}
)
