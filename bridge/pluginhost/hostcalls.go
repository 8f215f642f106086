package pluginhost

import (
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"time"

	"golang.org/x/time/rate"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/plugins/pluginpb"
)

const (
	callsAtOnce       = 8
	callsPerSecond    = 20
	commandsPerSecond = 1
	maxWatches        = 2
	maxStreams        = 48 // of frames

	maxPicture = 8 << 20 // bytes of one picture to a plugin
	maxPayload = 64 << 10
	maxValue   = 4 << 10
)

var namePattern = regexp.MustCompile(`^[a-z0-9_-]{1,32}$`)

// hostCalls answers one process: who asks is known from the connection. A call
// that is not allowed, or one too many, is refused and counted.
type hostCalls struct {
	pluginpb.UnimplementedHostServer
	l        *life
	ctx      context.Context // ends with the process
	close    context.CancelFunc
	calls    *rate.Limiter
	commands *rate.Limiter
	slots    chan struct{} // holds calls under way
	watches  chan struct{}
	streams  chan struct{}
}

func newHostCalls(ctx context.Context, l *life) *hostCalls {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // a plugin that finishes its work may still ask
	return &hostCalls{
		l: l, ctx: ctx, close: cancel,
		calls: rate.NewLimiter(callsPerSecond, callsPerSecond), commands: rate.NewLimiter(commandsPerSecond, 1),
		slots: make(chan struct{}, callsAtOnce), watches: make(chan struct{}, maxWatches), streams: make(chan struct{}, maxStreams),
	}
}

// begin admits a call that needs the permission ("": none). end must follow.
func (h *hostCalls) begin(ctx context.Context, permission string) (_ context.Context, end func(), err error) {
	if err := h.admit(ctx, permission); err != nil {
		return nil, nil, err
	}
	select {
	case h.slots <- struct{}{}:
	default:
		return nil, nil, h.refuse(ctx, "more than %d calls at once", callsAtOnce)
	}
	ctx, cancel := context.WithTimeout(ctx, h.l.host.timing.host)
	return ctx, func() { cancel(); <-h.slots }, nil
}

func (h *hostCalls) admit(ctx context.Context, permission string) error {
	if !h.calls.Allow() {
		return h.refuse(ctx, "more than %d calls a second", callsPerSecond)
	}
	if permission != "" && !slices.Contains(h.l.granted, permission) {
		h.l.counts.refused.Add(1)
		return status.Errorf(codes.PermissionDenied, "the permission %q was not granted: name it among those that the plugin asks for, and install it again", permission)
	}
	return nil
}

// refuse answers late, so that a plugin that floods is slowed by its own waits.
func (h *hostCalls) refuse(ctx context.Context, format string, args ...any) error {
	h.l.counts.refused.Add(1)
	timer := time.NewTimer(h.l.host.timing.penalty)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-h.ctx.Done():
	}
	return status.Errorf(codes.ResourceExhausted, format, args...)
}

// camera finds a camera that the instance may see. The others are not there.
func (h *hostCalls) camera(ref string) (bridge.Camera, error) {
	c, err := h.l.host.deps.Cameras.Camera(ref)
	if err != nil || !h.l.sees(c.ID) {
		return c, status.Errorf(codes.NotFound, "there is no camera %.64q", ref)
	}
	return c, nil
}

// sees reports whether the instance may see the camera.
func (i *instance) sees(camera string) bool {
	return i.cfg.Cameras == nil || slices.Contains(i.cfg.Cameras, camera)
}

// cameras are those that the instance may see.
func (i *instance) cameras() []*pluginpb.Camera {
	var out []*pluginpb.Camera
	for _, c := range i.host.deps.Cameras.Cameras() {
		if i.sees(c.ID) {
			out = append(out, cameraOf(c))
		}
	}
	return out
}

func (h *hostCalls) Cameras(ctx context.Context, _ *pluginpb.CamerasRequest) (*pluginpb.CamerasResponse, error) {
	_, end, err := h.begin(ctx, "")
	if err != nil {
		return nil, err
	}
	defer end()
	return &pluginpb.CamerasResponse{Cameras: h.l.cameras()}, nil
}

// Watch tells changes of cameras and of the log's level, and the end.
func (h *hostCalls) Watch(_ *pluginpb.WatchRequest, s grpc.ServerStreamingServer[pluginpb.WatchResponse]) error {
	select {
	case h.watches <- struct{}{}:
		defer func() { <-h.watches }()
	default:
		return h.refuse(s.Context(), "more than %d watches at once", maxWatches)
	}
	news, cancel := h.l.host.deps.Cameras.Subscribe()
	defer cancel()
	w := watcher{h: h, stream: s, told: h.l.cameras()}
	if err := w.level(); err != nil {
		return err
	}
	tick := time.NewTicker(h.l.host.timing.memory)
	defer tick.Stop()
	stopping := h.l.stopping
	for {
		var err error
		select {
		case <-s.Context().Done():
			return nil
		case <-news.Ready():
			news.Take()
			err = w.cameras()
		case <-tick.C:
			err = w.level()
		case <-stopping:
			stopping = nil
			err = s.Send(&pluginpb.WatchResponse{Stopping: true})
		}
		if err != nil {
			return err
		}
	}
}

// watcher tells one plugin what it does not know yet.
type watcher struct {
	h      *hostCalls
	stream grpc.ServerStreamingServer[pluginpb.WatchResponse]
	told   []*pluginpb.Camera
	log    string
}

func (w *watcher) cameras() error {
	now := w.h.l.cameras()
	if slices.EqualFunc(now, w.told, func(a, b *pluginpb.Camera) bool {
		return a.Id == b.Id && a.Name == b.Name && a.Online == b.Online
	}) {
		return nil
	}
	w.told = now
	return w.stream.Send(&pluginpb.WatchResponse{Cameras: now, CamerasChanged: true})
}

func (w *watcher) level() error {
	now := bridge.LevelName(w.h.l.host.deps.Level.Level())
	if now == w.log {
		return nil
	}
	w.log = now
	return w.stream.Send(&pluginpb.WatchResponse{LogLevel: now})
}

func (h *hostCalls) Snapshot(ctx context.Context, r *pluginpb.SnapshotRequest) (*pluginpb.Picture, error) {
	_, end, err := h.begin(ctx, "snapshot")
	if err != nil {
		return nil, err
	}
	defer end()
	c, err := h.camera(r.Camera)
	if err != nil {
		return nil, err
	}
	f := h.l.host.deps.Hub.Latest(c.ID)
	if f.IsZero() || !c.Enabled {
		return nil, status.Errorf(codes.Unavailable, "camera %s has no picture: it is %s", c.ID, c.State)
	}
	age := h.l.host.deps.Now().Sub(f.Received)
	if most := time.Duration(r.MaxAgeMs) * time.Millisecond; most > 0 && age > most {
		return nil, status.Errorf(codes.Unavailable, "the newest picture of camera %s is %v old", c.ID, age.Round(time.Millisecond))
	}
	return pictureOf(f)
}

// forbiddenActions are not for plugins: ota names what a camera runs.
var forbiddenActions = []string{"ota"}

// Command sets a setting or does an action, as an operator may, and is noted in
// the log. What the camera refuses is an answer, not an error.
func (h *hostCalls) Command(ctx context.Context, r *pluginpb.CommandRequest) (*pluginpb.CommandResponse, error) {
	ctx, end, err := h.begin(ctx, "command")
	if err != nil {
		return nil, err
	}
	defer end()
	c, err := h.camera(r.Camera)
	if err != nil {
		return nil, err
	}
	if slices.Contains(forbiddenActions, r.Name) {
		h.l.counts.refused.Add(1)
		return nil, status.Errorf(codes.PermissionDenied, "%s is not for plugins", r.Name)
	}
	if !h.commands.Allow() {
		return nil, h.refuse(ctx, "more than %d command a second", commandsPerSecond)
	}
	err = h.command(ctx, c.ID, r)
	h.l.log.Info("plugin commands a camera", "camera", c.ID, "name", oneLine(r.Name, "nothing"), "err", err)
	if err != nil {
		return &pluginpb.CommandResponse{Message: err.Error()}, nil
	}
	return &pluginpb.CommandResponse{Ok: true}, nil
}

func (h *hostCalls) command(ctx context.Context, camera string, r *pluginpb.CommandRequest) error {
	fleet := h.l.host.deps.Cameras
	if slices.ContainsFunc(bridge.Properties(), func(p bridge.Property) bool { return p.Name == r.Name }) {
		var v any
		if err := json.Unmarshal([]byte(r.ArgsJson), &v); err != nil {
			return bridge.Errorf(bridge.CodeInvalid, "args_json of the setting %s must be its value as JSON", r.Name)
		}
		_, err := fleet.Set(ctx, camera, bridge.Settings{r.Name: v})
		return err
	}
	var args map[string]any
	if r.ArgsJson != "" {
		if err := json.Unmarshal([]byte(r.ArgsJson), &args); err != nil {
			return bridge.Errorf(bridge.CodeInvalid, "args_json of the action %.32q must be a JSON object", r.Name)
		}
	}
	return fleet.Do(ctx, camera, bridge.Action{Name: r.Name, Args: args})
}

func (h *hostCalls) Publish(ctx context.Context, r *pluginpb.PublishRequest) (*pluginpb.PublishResponse, error) {
	_, end, err := h.begin(ctx, "publish")
	if err != nil {
		return nil, err
	}
	defer end()
	if !namePattern.MatchString(r.Name) || len(r.Payload) > maxPayload {
		return nil, status.Errorf(codes.InvalidArgument, "publish takes a name of [a-z0-9_-]{1,32} and up to %d KiB", maxPayload>>10)
	}
	if p := h.l.host.deps.Publisher; p != nil {
		err = p.Publish(h.l.cfg.Name, r.Name, []byte(h.l.secrets.clean(string(r.Payload))))
	}
	return &pluginpb.PublishResponse{}, statusOf(err)
}

func (h *hostCalls) SetState(ctx context.Context, r *pluginpb.SetStateRequest) (*pluginpb.SetStateResponse, error) {
	_, end, err := h.begin(ctx, "publish")
	if err != nil {
		return nil, err
	}
	defer end()
	if !namePattern.MatchString(r.Name) || r.Name == "event" || len(r.Value) > maxValue {
		return nil, status.Errorf(codes.InvalidArgument, "a state takes a name of [a-z0-9_-]{1,32} other than event, and up to %d KiB", maxValue>>10)
	}
	if p := h.l.host.deps.Publisher; p != nil {
		err = p.SetState(h.l.cfg.Name, r.Name, h.l.secrets.clean(r.Value))
	}
	return &pluginpb.SetStateResponse{}, statusOf(err)
}
