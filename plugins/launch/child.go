package launch

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// child is the process and its pipes, in the form in which go-plugin wants to
// run something (runner.Runner). go-plugin is given the handshake line alone:
// all the rest of stdout and stderr is read here.
type child struct {
	spec    Spec
	log     *lines
	onEnd   func()
	env     []string
	sockets string // directory in which the plugin must put its socket
	done    chan struct{}
	exit    string // valid after done
	line    *io.PipeReader
	toLine  *io.PipeWriter

	mu     sync.Mutex
	cmd    *exec.Cmd // nil until it runs
	stdin  *os.File
	gone   bool // it was waited for: its id may belong to somebody else
	shot   bool // we killed it
	hello  bool // its handshake line was good
	reason error
}

func newChild(s Spec, log *lines, onEnd func()) *child {
	c := &child{spec: s, log: log, onEnd: onEnd, done: make(chan struct{})}
	c.line, c.toLine = io.Pipe()
	return c
}

// Start runs the command. Its context bounds nothing: fork and exec do not wait.
func (c *child) Start(context.Context) error {
	cmd := exec.Command(c.spec.Command[0], c.spec.Command[1:]...)
	cmd.Dir, cmd.Env = c.spec.Dir, c.env
	var p pipes
	if err := p.open(); err != nil {
		return err
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = p.theirIn, p.theirOut, p.theirErr
	err := spawn(cmd, c.spec)
	closeAll(p.theirIn, p.theirOut, p.theirErr)
	if err != nil {
		closeAll(p.in, p.out, p.err)
		return err
	}
	c.mu.Lock()
	c.cmd, c.stdin = cmd, p.in
	c.mu.Unlock()
	var read sync.WaitGroup
	read.Go(func() { c.readOut(readerOf(p.out)) })
	read.Go(func() { c.log.read(readerOf(p.err)) })
	go c.reap(&read, p.out, p.err)
	return nil
}

// reap waits for the process itself: children that hold its pipes would keep its
// end from us. Those of its group are killed before its id can be used again.
func (c *child) reap(read *sync.WaitGroup, pipes ...*os.File) {
	c.exit = "exit status 0"
	if err := await(c.cmd, c.left); err != nil {
		c.exit = err.Error()
	}
	close(c.log.hurry)
	c.hear(read, pipes)
	closeAll(append(pipes, c.stdin)...)
	c.onEnd()
	close(c.done)
}

// hear waits until the last words are read. Who left the group may hold the pipes
// open, or talk on, for ever: silence ends it, and so does a second.
func (c *child) hear(read *sync.WaitGroup, pipes []*os.File) {
	all := make(chan struct{})
	go func() {
		read.Wait()
		close(all)
	}()
	for n, end := -1, time.Now().Add(time.Second); c.log.count() != n && time.Now().Before(end); {
		n = c.log.count()
		select {
		case <-all:
			return
		case <-time.After(lastWords):
		}
	}
	closeAll(pipes...)
	<-all
}

// left notes that the process has ended and its id is no longer to be used.
func (c *child) left() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gone = true
}

// readOut passes the handshake line on and takes the rest as log.
func (c *child) readOut(r *bufio.Reader) {
	text, _, err := r.ReadLine() // a longer one is none
	if line := string(text); err == nil && c.judge(line) {
		_, _ = io.WriteString(c.toLine, line+"\n") // nobody reads it when the time was up
	}
	_ = c.toLine.Close()
	c.log.read(r)
}

// judge reports whether the handshake is good: core version, our version, network, address,
// protocol, with | between. go-plugin checks it again, but its sentences name
// nothing that helps.
func (c *child) judge(line string) bool {
	why := c.wrong(line)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hello, c.reason = why == nil, why
	return why == nil
}

func (c *child) wrong(line string) error {
	bad := func(format string, args ...any) error {
		return &NoHandshake{Name: c.spec.Name, Wrong: fmt.Sprintf(format, args...)}
	}
	part := strings.Split(line, "|")
	if len(part) < 5 {
		return bad("the first line on its stdout is %.100q, not the handshake: nothing may be printed before that", line)
	}
	version, err := strconv.Atoi(part[1])
	switch {
	case part[0] != "1" || err != nil || part[4] != "grpc":
		return bad("its handshake %.200q is none of gRPC and core version 1", line)
	case version != Version:
		return &Incompatible{Name: c.spec.Name, Plugin: []int{version}, Bridge: []int{Version}}
	case part[2] != network:
		return bad("it listens on %s, not on a %s socket", part[2], network)
	case network == "unix" && filepath.Dir(part[3]) != filepath.Clean(c.sockets):
		return bad("its socket %.200q is not in the directory that PLUGIN_UNIX_SOCKET_DIR names", part[3])
	}
	return nil
}

// refusal is why its handshake was not taken, or nil.
func (c *child) refusal() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.reason.(*NoHandshake); ok {
		e.Last = c.log.last()
	}
	return c.reason
}

func (c *child) started() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cmd != nil
}

func (c *child) shook() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.hello
}

func (c *child) killed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.shot
}

func (c *child) pid() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cmd == nil {
		return 0
	}
	return c.cmd.Process.Pid
}

// kill ends the whole group at once.
func (c *child) kill() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cmd != nil && !c.gone {
		c.shot = true
		killGroup(c.cmd.Process.Pid)
	}
}

// giveUp kills what did not become a plugin. It often is about to end by itself,
// and how it does tells more.
func (c *child) giveUp() {
	if !c.started() {
		return
	}
	late := time.AfterFunc(dieTime, c.kill)
	defer late.Stop()
	<-c.done
}

// end waits until the process, which was asked to end, has done so: after a
// second its stdin ends too, after three it is killed.
func (c *child) end() {
	if !c.started() {
		return
	}
	hint := time.AfterFunc(stdinTime, func() { closeAll(c.stdin) })
	last := time.AfterFunc(killTime, c.kill)
	<-c.done
	hint.Stop()
	last.Stop()
}

// The rest of runner.Runner, called by go-plugin.

// Wait returns when the process has ended.
func (c *child) Wait(context.Context) error {
	<-c.done
	return nil
}

// Kill does nothing: giveUp and end do, later than go-plugin would.
func (c *child) Kill(context.Context) error { return nil }

// Stdout is the handshake line.
func (c *child) Stdout() io.ReadCloser { return c.line }

// Stderr is empty: it is read here.
func (c *child) Stderr() io.ReadCloser { return io.NopCloser(strings.NewReader("")) }

// Name is for go-plugin's log, which nobody reads.
func (c *child) Name() string { return c.spec.Name }

// ID is the process's id, or "".
func (c *child) ID() string {
	if pid := c.pid(); pid != 0 {
		return strconv.Itoa(pid)
	}
	return ""
}

// Diagnose adds nothing: the errors here do.
func (c *child) Diagnose(context.Context) string { return "" }

// PluginToHost leaves addresses as they are.
func (c *child) PluginToHost(network, address string) (string, string, error) {
	return network, address, nil
}

// HostToPlugin leaves addresses as they are.
func (c *child) HostToPlugin(network, address string) (string, string, error) {
	return network, address, nil
}

// pipes are the three, each with our end and theirs.
type pipes struct {
	in, out, err                *os.File
	theirIn, theirOut, theirErr *os.File
}

func (p *pipes) open() (err error) {
	if p.theirIn, p.in, err = os.Pipe(); err != nil {
		return err
	}
	if p.out, p.theirOut, err = os.Pipe(); err != nil {
		closeAll(p.theirIn, p.in)
		return err
	}
	if p.err, p.theirErr, err = os.Pipe(); err != nil {
		closeAll(p.theirIn, p.in, p.out, p.theirOut)
	}
	return err
}

// closeAll closes pipe ends; that they are closed already is no error.
func closeAll(files ...*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}
