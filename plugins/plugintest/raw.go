package plugintest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/espcam-bridge/espcam-bridge/plugins/launch"
	"github.com/espcam-bridge/espcam-bridge/plugins/pluginpb"
)

// raw is a process without go-plugin between: to see its stdout as it is.
type raw struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	dir    string // of its socket
	first  string // line on stdout, without its end; "" if there was none in time
	took   time.Duration
	stdout *lockedBuffer // all after it
	stderr *lockedBuffer
	done   chan struct{}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// startRaw starts the plugin as a host of that API would, and waits for its first
// line. end must follow.
func (k *kit) startRaw(ctx context.Context, api int) (*raw, error) {
	r := &raw{cmd: exec.CommandContext(ctx, k.command[0], k.command[1:]...), stdout: &lockedBuffer{}, stderr: &lockedBuffer{}, done: make(chan struct{})}
	var err error
	if r.dir, err = os.MkdirTemp("", "raw"); err != nil {
		return nil, err
	}
	r.cmd.Dir, r.cmd.Stderr, r.cmd.WaitDelay = k.data(), r.stderr, time.Second
	r.cmd.Env = append(k.env(),
		"PATH="+os.Getenv("PATH"), "HOME="+k.data(), "TMPDIR="+k.temp(), "PYTHONDONTWRITEBYTECODE=1", "PYTHONUNBUFFERED=1",
		launch.CookieKey+"="+launch.CookieValue, fmt.Sprintf("PLUGIN_PROTOCOL_VERSIONS=%d", api), "PLUGIN_UNIX_SOCKET_DIR="+r.dir,
	)
	begin := time.Now()
	out, err := r.start()
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(r.dir))
	}
	first := make(chan string, 1)
	go r.read(bufio.NewReader(out), first)
	select {
	case r.first = <-first:
	case <-time.After(k.target.within(k.command)):
	}
	r.took = time.Since(begin)
	return r, nil
}

func (r *raw) start() (io.Reader, error) {
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if r.stdin, err = r.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	return out, r.cmd.Start()
}

func (r *raw) read(out *bufio.Reader, first chan<- string) {
	defer close(r.done)
	line, _ := out.ReadString('\n') // what came before the end, if there was no line
	first <- strings.TrimRight(line, "\r\n")
	_, _ = io.Copy(r.stdout, out)
	_ = r.cmd.Wait() // how it ended is in its ProcessState
}

// end closes its stdin and waits, at last kills it.
func (r *raw) end() {
	defer func() { _ = os.RemoveAll(r.dir) }()
	_ = r.stdin.Close()
	select {
	case <-r.done:
	case <-time.After(endTime):
		_ = r.cmd.Process.Kill()
		<-r.done
	}
}

// handshake splits its first line, and judges all but the API's number.
func (r *raw) handshake() ([]string, error) {
	part := strings.Split(r.first, "|")
	switch {
	case r.first == "":
		return nil, fmt.Errorf("nothing on stdout after %s; stderr: %.300s", r.took.Round(time.Millisecond), r.stderr)
	case len(part) < 5 || part[0] != "1" || part[4] != "grpc":
		return nil, fmt.Errorf("the first line on stdout is %.100q, not the handshake", r.first)
	case part[2] != "unix" || filepath.Dir(part[3]) != r.dir:
		return nil, fmt.Errorf("its socket %q is not in the directory that PLUGIN_UNIX_SOCKET_DIR names", part[3])
	}
	return part, nil
}

func (k *kit) handshake(ctx context.Context) (string, error) {
	if _, err := k.plugin(ctx); err != nil && k.desc != nil {
		return "", err
	}
	r, err := k.startRaw(ctx, launch.Version)
	if err != nil {
		return "", err
	}
	part, err := r.handshake()
	if err == nil {
		err = k.exercise(ctx, part[3])
	}
	r.end()
	k.hear(r.stderr.String())
	if err == nil && r.stdout.String() != "" {
		err = fmt.Errorf("it wrote %.100q to stdout after the handshake: that belongs on stderr", r.stdout)
	}
	return fmt.Sprintf("%d ms", r.took.Milliseconds()), err
}

// exercise makes the plugin do what it does, without a host to call.
func (k *kit) exercise(ctx context.Context, socket string) (err error) {
	conn, err := grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	c := pluginpb.NewPluginClient(conn)
	d, err := describeOf(ctx, c)
	if err != nil || k.desc == nil {
		return err
	}
	return k.work(ctx, conn, c, d)
}

// work is one call of each kind. Their outcome is for other points.
func (k *kit) work(ctx context.Context, conn *grpc.ClientConn, c pluginpb.PluginClient, d *pluginpb.Description) error {
	ctx, cancel := context.WithTimeout(ctx, notifyTime)
	defer cancel()
	in, err := k.request(k.settings, k.secrets)
	if err != nil {
		return err
	}
	if _, err := c.Configure(ctx, in); err != nil {
		return err
	}
	for _, role := range d.GetRoles() {
		var err error
		switch role {
		case pluginpb.Role_ROLE_NOTIFIER:
			_, err = pluginpb.NewNotifierClient(conn).Notify(ctx, k.alert(pluginpb.Phase_PHASE_TEST))
		case pluginpb.Role_ROLE_DETECTOR:
			_, err = pluginpb.NewDetectorClient(conn).Detect(ctx, &pluginpb.DetectRequest{Camera: CameraID, Jpeg: k.picture(1), Width: width, Height: height})
		case pluginpb.Role_ROLE_SINK:
			_, err = pluginpb.NewSinkClient(conn).Deliver(ctx, &pluginpb.DeliverRequest{
				Events: []*pluginpb.SinkEvent{{Sequence: 1, Event: TestEvent(1, pluginpb.Phase_PHASE_BEGIN)}},
			})
		}
		if err != nil {
			k.hear(err.Error())
		}
	}
	return nil
}

func (k *kit) otherMajor(ctx context.Context) (string, error) {
	const other = launch.Version + 1
	r, err := k.startRaw(ctx, other)
	if err != nil {
		return "", err
	}
	defer r.end()
	part, err := r.handshake()
	if err != nil {
		return "", fmt.Errorf("asked for API %d it does not say which it speaks: %w", other, err)
	}
	if part[1] != fmt.Sprint(launch.Version) {
		return "", fmt.Errorf("asked for API %d it says that it speaks %s, not %d", other, part[1], launch.Version)
	}
	return fmt.Sprintf("the bridge would say: plugin %q was built for plugin API %s; this bridge speaks API %d", k.desc.GetName(), part[1], other), nil
}
