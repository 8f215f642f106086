package sdk

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/espcam-bridge/espcam-bridge/plugins/pluginpb"
)

const (
	checkTime = 4 * time.Second // of Check: the bridge waits 5 s
	startTime = 5 * time.Second // that Start has to return
	maxHandle = 1024            // bytes
)

// service answers the bridge.
type service struct {
	pluginpb.UnimplementedPluginServer
	pluginpb.UnimplementedNotifierServer
	pluginpb.UnimplementedDetectorServer
	pluginpb.UnimplementedSinkServer

	program program
	life    context.Context // ends with the process
	connect func(ctx context.Context, brokerID uint32) (*Bridge, error)
	drained func() // Drain was answered: the process may end
	log     *slog.Logger
	redact  *redactor
	calls   *calls

	configuring sync.Mutex
	current     atomic.Pointer[configuration] // nil: Configure was not called or had problems

	mu      sync.Mutex
	looking map[string]bool // cameras whose picture Detect looks at

	delivering chan struct{} // holds one token: one Deliver at a time
	delivered  uint64        // sequence up to which that was done; the token's owner's
}

// configuration is what one Configure brought. Nobody changes it.
type configuration struct {
	settings any
	env      Environment
	stop     context.CancelFunc // ends what Start does
	stopped  chan struct{}      // closed when Start has returned

	failure atomic.Pointer[string] // why Start gave up
}

func newService(life context.Context, p program, log *slog.Logger, redact *redactor) *service {
	return &service{
		program: p, life: life, log: log, redact: redact, calls: newCalls(), drained: func() {},
		connect: func(context.Context, uint32) (*Bridge, error) { return nil, nil },
		looking: map[string]bool{}, delivering: make(chan struct{}, 1),
	}
}

func (s *service) Describe(context.Context, *pluginpb.DescribeRequest) (*pluginpb.Description, error) {
	return s.program.description, nil
}

func (s *service) Configure(ctx context.Context, in *pluginpb.ConfigureRequest) (*pluginpb.ConfigureResponse, error) {
	s.configuring.Lock()
	defer s.configuring.Unlock()
	s.redact.learn(in.GetSecrets())
	host, err := s.connect(ctx, in.GetHostBrokerId())
	if err != nil {
		return nil, status.Errorf(codes.Unavailable, "no way back to the bridge: %v", err)
	}
	settings, problems := s.program.decode(in.GetSettingsJson(), in.GetSecrets())
	env := Environment{Instance: in.GetInstance(), DataDir: in.GetDataDir(), Log: s.log, Host: host}
	if len(problems) == 0 && s.program.validate != nil {
		problems, err = s.validate(NewContext(ctx, env), settings)
	}
	if err != nil || len(problems) > 0 {
		return &pluginpb.ConfigureResponse{Problems: s.clean(problems)}, err
	}
	s.install(ctx, settings, env)
	return &pluginpb.ConfigureResponse{}, nil
}

func (s *service) clean(problems []*pluginpb.Problem) []*pluginpb.Problem {
	for _, p := range problems {
		p.Field, p.Message = s.redact.text(p.GetField()), s.redact.text(p.GetMessage())
	}
	return problems
}

// validate asks the author's Validate. What it returns are problems; a panic or
// the end of the time is an error.
func (s *service) validate(ctx context.Context, settings any) ([]*pluginpb.Problem, error) {
	if err := s.calls.begin(); err != nil {
		return nil, s.failed(ctx, err)
	}
	_, err := run(ctx, s.log, s.calls.end, func() (struct{}, error) {
		return struct{}{}, s.program.validate(ctx, settings)
	})
	if failure := s.failed(ctx, err); failure != nil {
		return nil, failure
	}
	return problemsOf(err), nil
}

// problemsOf takes apart what Validate returned.
func problemsOf(err error) []*pluginpb.Problem {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var out []*pluginpb.Problem
		for _, e := range joined.Unwrap() {
			out = append(out, problemsOf(e)...)
		}
		return out
	}
	if p, ok := errors.AsType[*ProblemError](err); ok {
		return []*pluginpb.Problem{{Field: p.Field, Message: p.Message}}
	}
	return []*pluginpb.Problem{{Message: err.Error()}}
}

// install puts new settings into force. Calls under way keep theirs; what Start
// did with the old ones ends before it begins with the new ones.
func (s *service) install(ctx context.Context, settings any, env Environment) {
	life, stop := context.WithCancel(s.life)
	c := &configuration{settings: settings, env: env, stop: stop, stopped: make(chan struct{})}
	if old := s.current.Swap(c); old != nil {
		old.stop()
		select {
		case <-old.stopped:
		case <-time.After(startTime):
			s.log.Warn("what ran with the old settings goes on beside the new")
		case <-ctx.Done():
		}
	}
	go func() {
		defer close(c.stopped)
		s.start(NewContext(life, env), c)
	}()
}

func (s *service) start(ctx context.Context, c *configuration) {
	if s.program.start == nil {
		return
	}
	_, err := protect(s.log, func() (struct{}, error) { return struct{}{}, s.program.start(ctx, c.settings) })
	if err == nil || ctx.Err() != nil {
		return
	}
	why := s.redact.text(err.Error())
	c.failure.Store(&why)
	s.log.Error("what runs beside the calls has ended", "err", err)
}

func (s *service) Check(ctx context.Context, in *pluginpb.CheckRequest) (*pluginpb.CheckResponse, error) {
	c := s.current.Load()
	if c == nil {
		return &pluginpb.CheckResponse{Degraded: true, Message: "not configured"}, nil
	}
	if why := c.failure.Load(); why != nil {
		return &pluginpb.CheckResponse{Degraded: true, Message: *why}, nil
	}
	if in.GetAlive() || s.program.check == nil {
		return &pluginpb.CheckResponse{}, nil
	}
	short, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	_, err := invoke(short, s, func(ctx context.Context, c *configuration) (struct{}, error) {
		return struct{}{}, s.program.check(ctx, c.settings)
	})
	switch {
	case err == nil:
		return &pluginpb.CheckResponse{}, nil
	case ctx.Err() != nil:
		return nil, status.FromContextError(ctx.Err()).Err()
	case short.Err() != nil:
		return &pluginpb.CheckResponse{Degraded: true, Message: "no answer within " + checkTime.String()}, nil
	}
	return &pluginpb.CheckResponse{Degraded: true, Message: s.redact.text(err.Error())}, nil
}

func (s *service) Drain(ctx context.Context, in *pluginpb.DrainRequest) (*pluginpb.DrainResponse, error) {
	if within := time.Duration(in.GetWithinMs()) * time.Millisecond; within > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, within)
		defer cancel()
	}
	s.drain(ctx)
	s.drained()
	return &pluginpb.DrainResponse{}, nil
}

// drain lets no more calls begin, then waits for those that run and for Start.
func (s *service) drain(ctx context.Context) {
	select {
	case <-s.calls.stop():
	case <-ctx.Done():
	}
	c := s.current.Load()
	if c == nil {
		return
	}
	c.stop()
	select {
	case <-c.stopped:
	case <-ctx.Done():
	}
}

// invoke calls a function of the author with the settings of now.
func invoke[T any](ctx context.Context, s *service, f func(context.Context, *configuration) (T, error)) (T, error) {
	var zero T
	c := s.current.Load()
	if c == nil {
		return zero, &unserved{codes.FailedPrecondition, "the plugin has not been configured"}
	}
	if err := s.calls.begin(); err != nil {
		return zero, err
	}
	return run(ctx, s.log, s.calls.end, func() (T, error) { return f(NewContext(ctx, c.env), c) })
}

// failed returns the error of a call that has no answer: a panic, the end of its
// time, or one that never began. It is nil for errors of the author's function.
func (s *service) failed(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return status.FromContextError(ctx.Err()).Err()
	}
	if p, ok := errors.AsType[*panicError](err); ok {
		return status.Error(codes.Internal, s.redact.text(p.Error()))
	}
	if u, ok := errors.AsType[*unserved](err); ok {
		return status.Error(u.code, u.why)
	}
	return nil
}
