package plugintest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/espcam-bridge/espcam-bridge/plugins/launch"
	"github.com/espcam-bridge/espcam-bridge/plugins/pluginpb"
)

// The deadlines that the bridge gives.
const (
	describeTime  = 3 * time.Second
	configureTime = 10 * time.Second
	checkTime     = 5 * time.Second
	aliveTime     = 2 * time.Second
	notifyTime    = 15 * time.Second
	detectTime    = 10 * time.Second // the bridge gives 1 s; a busy machine that tests may need more
	endTime       = 5 * time.Second
)

// kit is one plugin being tried.
type kit struct {
	target   Target
	command  []string
	dir      string // of this run: sockets, temporary files, data
	marker   string // in the environment of all that is started
	upstream Upstream
	second   *Recorder // another one, for changed settings; nil if upstream is not ours
	host     *FakeHost
	desc     *pluginpb.Description // nil until it answered

	settings map[string]any
	secrets  map[string]string

	current  *launch.Process // configured and working; nil: none yet
	broken   error           // why none ever worked: then trying again only takes time
	face     []byte          // the picture of its events: making one takes longer than the rest of a call
	events   int             // made so far
	sequence uint64          // of the current process's newest event for a sink

	mu    sync.Mutex
	texts []string // all that it said, for point 21
}

// skipped is why a point does not apply.
type skipped string

func (s skipped) Error() string { return string(s) }

func newKit(ctx context.Context, t Target) (*kit, error) {
	command, err := t.command()
	if err != nil {
		return nil, err
	}
	t.restarts, t.events = or(t.restarts, 20), or(t.events, 1000)
	k := &kit{target: t, command: command, marker: "PLUGINTEST_RUN=" + rand.Text(), face: Picture(1, width, height)}
	k.host = &FakeHost{Picture: func() []byte { return k.face }}
	if k.dir, err = os.MkdirTemp("", "plugintest"); err != nil {
		return nil, err
	}
	for _, d := range []string{k.data(), k.temp(), k.run()} {
		if err := os.Mkdir(d, 0o700); err != nil {
			return nil, errors.Join(err, k.close())
		}
	}
	if err := k.open(ctx); err != nil {
		return nil, errors.Join(err, k.close())
	}
	return k, nil
}

func or(v, otherwise int) int {
	if v == 0 {
		return otherwise
	}
	return v
}

func (k *kit) data() string { return filepath.Join(k.dir, "data") }
func (k *kit) temp() string { return filepath.Join(k.dir, "tmp") }
func (k *kit) run() string  { return filepath.Join(k.dir, "run") }

// open makes the upstream.
func (k *kit) open(ctx context.Context) (err error) {
	if k.target.Upstream != nil {
		k.upstream = k.target.Upstream
		return nil
	}
	first, err := NewRecorder(ctx, k.target.Reply)
	if err != nil {
		return err
	}
	k.upstream = httpUpstream{Recorder: first}
	k.second, err = NewRecorder(ctx, k.target.Reply)
	return err
}

func (k *kit) close() error {
	k.stop(0)
	var errs []error
	if u, ok := k.upstream.(httpUpstream); ok {
		errs = append(errs, u.Close())
	}
	if k.second != nil {
		errs = append(errs, k.second.Close())
	}
	k.sweep()
	return errors.Join(append(errs, os.RemoveAll(k.dir))...)
}

// try runs one point.
func (k *kit) try(ctx context.Context, p point) Result {
	begin := time.Now()
	r := Result{Point: p.number, Name: p.name, State: Pass}
	var err error
	if why, skip := k.target.Skip[p.number]; skip {
		err = skipped(why)
	} else {
		r.Detail, err = p.run(k, ctx)
	}
	k.upstream.Answer(AnswerOK)
	if why, skip := errors.AsType[skipped](err); skip {
		r.State, r.Detail = None, string(why)
	} else if err == nil {
		err = k.lost()
	}
	if err != nil && r.State != None {
		r.State, r.Detail = Fail, k.explain(err)
	}
	k.hear(r.Detail)
	r.Took = time.Since(begin)
	return r
}

// lost says that the plugin ended although nobody asked it to.
func (k *kit) lost() error {
	if k.current == nil {
		return nil
	}
	select {
	case <-k.current.Done():
		return errors.New("the plugin ended")
	default:
		return nil
	}
}

// explain adds how the plugin ended, if it did. The next point gets a new one.
func (k *kit) explain(err error) string {
	text := err.Error()
	if k.lost() == nil {
		return text
	}
	text += "; the process: " + k.current.Exit()
	if lines := k.current.Lines(); len(lines) > 0 {
		text += "; its last line: " + lines[len(lines)-1]
	}
	k.stop(0)
	return text
}

// start starts one more process. Its end is the caller's matter.
func (k *kit) start(ctx context.Context) (*launch.Process, error) {
	return launch.Start(ctx, launch.Spec{
		Name: filepath.Base(k.command[0]), Command: k.command, Dir: k.data(), RunDir: k.run(),
		Env:    append(k.env(), "TMPDIR="+k.temp()),
		Within: k.target.within(k.command), Host: k.host,
		Line: func(l launch.Line) { k.hear(l.String()) },
	})
}

// env is what all processes get. A Go program with the race detector would wait
// for a second before each of its ends.
func (k *kit) env() []string {
	return append([]string{k.marker, "GORACE=atexit_sleep_ms=0"}, k.target.Env...)
}

func (k *kit) hear(text string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.texts = append(k.texts, text)
}

// plugin returns a process that works with the good settings.
func (k *kit) plugin(ctx context.Context) (*launch.Process, error) {
	if k.current != nil && k.lost() == nil {
		return k.current, nil
	}
	if k.hopeless() {
		return nil, k.broken
	}
	k.stop(0)
	p, err := k.start(ctx)
	if err != nil {
		k.broken = err
		return nil, err
	}
	k.current, k.sequence = p, 0
	if err := k.describe(ctx); err != nil {
		k.broken = err
		return nil, err
	}
	problems, err := k.configure(ctx, p, k.settings, k.secrets)
	if err == nil && len(problems) > 0 {
		err = fmt.Errorf("it refuses the settings that it should work with: %s", strings.Join(problems, "; "))
	}
	return p, err
}

// hopeless reports whether a plugin never said what it is.
func (k *kit) hopeless() bool { return k.desc == nil && k.broken != nil }

func (k *kit) stop(drain time.Duration) {
	if k.current != nil {
		k.current.Stop(drain)
		k.current = nil
	}
}

// describe asks the current process once in the kit's life, and makes the
// settings of what it says.
func (k *kit) describe(ctx context.Context) error {
	if k.desc != nil {
		return nil
	}
	d, err := describeOf(ctx, k.current.Plugin())
	if err != nil {
		return err
	}
	k.desc = d
	k.settings, k.secrets = fill(d, k.target)
	if u, ok := k.upstream.(httpUpstream); ok {
		u.urls, u.lists = urls(d, k.target), lists(d)
		k.upstream = u
	}
	k.upstream.Fill(k.settings, k.secrets)
	return nil
}

func describeOf(ctx context.Context, c pluginpb.PluginClient) (*pluginpb.Description, error) {
	ctx, cancel := context.WithTimeout(ctx, describeTime)
	defer cancel()
	d, err := c.Describe(ctx, &pluginpb.DescribeRequest{})
	if err != nil {
		return nil, fmt.Errorf("calling Describe: %w", err)
	}
	return d, nil
}

// request is what Configure gets, without a host to call.
func (k *kit) request(settings map[string]any, secrets map[string]string) (*pluginpb.ConfigureRequest, error) {
	text, err := json.Marshal(settings)
	if err != nil {
		return nil, fmt.Errorf("the settings are no JSON: %w", err)
	}
	granted := k.desc.GetPermissions()
	if k.host.Granted != nil {
		granted = k.host.Granted
	}
	return &pluginpb.ConfigureRequest{
		Instance: "test", SettingsJson: text, Secrets: secrets, Cameras: []*pluginpb.Camera{Camera()},
		DataDir: k.data(), Permissions: granted,
	}, nil
}

// configure returns the problems, each as "field message".
func (k *kit) configure(ctx context.Context, p *launch.Process, settings map[string]any, secrets map[string]string) ([]string, error) {
	in, err := k.request(settings, secrets)
	if err != nil {
		return nil, err
	}
	in.HostBrokerId = p.HostID()
	ctx, cancel := context.WithTimeout(ctx, configureTime)
	defer cancel()
	out, err := p.Plugin().Configure(ctx, in)
	if err != nil {
		k.hear(err.Error())
		return nil, fmt.Errorf("calling Configure: %w", err)
	}
	var problems []string
	for _, pr := range out.GetProblems() {
		problems = append(problems, pr.GetField()+" "+pr.GetMessage())
		k.hear(pr.String())
	}
	return problems, nil
}

// reset puts the good settings back.
func (k *kit) reset(ctx context.Context) error {
	p, err := k.plugin(ctx)
	if err != nil {
		return err
	}
	problems, err := k.configure(ctx, p, k.settings, k.secrets)
	if err == nil && len(problems) > 0 {
		err = fmt.Errorf("it refuses its good settings afterwards: %s", strings.Join(problems, "; "))
	}
	return err
}

// with is the good settings with one changed.
func with(settings map[string]any, name string, value any) map[string]any {
	out := maps.Clone(settings)
	out[name] = value
	return out
}

func without[V any](m map[string]V, name string) map[string]V {
	out := maps.Clone(m)
	delete(out, name)
	return out
}

func (k *kit) has(r pluginpb.Role) bool { return slices.Contains(k.desc.GetRoles(), r) }

func (k *kit) notifies() bool { return k.has(pluginpb.Role_ROLE_NOTIFIER) }

// reaches reports whether the plugin sends to our upstream.
func (k *kit) reaches() bool {
	u, ours := k.upstream.(httpUpstream)
	return !ours || len(u.urls) > 0
}

// alert makes an alert of a new event, with a picture and a text that nothing
// else holds.
func (k *kit) alert(phase pluginpb.Phase) *pluginpb.Alert {
	k.events++
	a := alertWith(eventWith(k.events, phase, k.face))
	a.Title = "plugintest " + rand.Text()
	return a
}

// notify calls Notify and keeps what it says.
func (k *kit) notify(ctx context.Context, p *launch.Process, a *pluginpb.Alert) (*pluginpb.Receipt, error) {
	ctx, cancel := context.WithTimeout(ctx, notifyTime)
	defer cancel()
	r, err := p.Notifier().Notify(ctx, a)
	if err != nil {
		k.hear(err.Error())
		return nil, fmt.Errorf("calling Notify: %w", err)
	}
	k.hear(r.String())
	return r, nil
}

// delivered calls Notify and wants it to succeed.
func (k *kit) delivered(ctx context.Context, p *launch.Process, a *pluginpb.Alert) (*pluginpb.Receipt, error) {
	r, err := k.notify(ctx, p, a)
	if err == nil && r.GetOutcome() != pluginpb.Outcome_OUTCOME_DELIVERED {
		err = fmt.Errorf("the alert was not delivered: %s %s", r.GetOutcome(), r.GetMessage())
	}
	return r, err
}

// detect calls Detect for a camera.
func (k *kit) detect(ctx context.Context, p *launch.Process, camera string, jpeg []byte) (*pluginpb.DetectResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, detectTime)
	defer cancel()
	k.events++
	out, err := p.Detector().Detect(ctx, &pluginpb.DetectRequest{
		Camera: camera, Sequence: uint64(k.events), CapturedMs: time.Now().UnixMilli(), Jpeg: jpeg,
		Width: width, Height: height, Motion: []*pluginpb.Box{{X: 0.1, Y: 0.1, W: 0.8, H: 0.8}},
	})
	if err != nil {
		k.hear(err.Error())
		return nil, fmt.Errorf("calling Detect: %w", err)
	}
	return out, nil
}

// picture is one in which a detector may find something.
func (k *kit) picture(n int) []byte {
	if len(k.target.Pictures) > 0 {
		return k.target.Pictures[n%len(k.target.Pictures)]
	}
	return Picture(n, width, height)
}

// told reports which secret is in text: its name, or "".
func (k *kit) told(text string) string {
	for name, value := range k.secrets {
		if len(value) >= 4 && bytes.Contains([]byte(text), []byte(value)) {
			return name
		}
	}
	return ""
}
