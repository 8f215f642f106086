package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// devSession is a running "plugin dev".
type devSession struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.Writer

	mu   sync.Mutex
	out  bytes.Buffer
	read int // of out, by await
}

func startDev(t *testing.T, cmd *exec.Cmd) *devSession {
	t.Helper()
	d := &devSession{t: t, cmd: cmd}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	d.in, cmd.Stdout, cmd.Stderr = in, d, d
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			cmd.Wait()
		}
	})
	return d
}

func (d *devSession) Write(b []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.out.Write(b)
}

func (d *devSession) text() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.out.String()
}

// await waits for words that it did not print before.
func (d *devSession) await(want string) {
	d.t.Helper()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for end := time.Now().Add(90 * time.Second); time.Now().Before(end); <-poll.C {
		text := d.text()
		if at := strings.Index(text[d.read:], want); at >= 0 {
			d.read += at + len(want)
			return
		}
	}
	d.t.Fatalf("it never printed %q:\n%s", want, d.text())
}

func (d *devSession) press(keys string) {
	d.t.Helper()
	if _, err := io.WriteString(d.in, keys); err != nil {
		d.t.Fatal(err)
	}
}

func (d *devSession) quit() {
	d.t.Helper()
	d.press("q")
	if err := d.cmd.Wait(); err != nil {
		d.t.Errorf("dev: %v\n%s", err, d.text())
	}
}

func TestDev(t *testing.T) {
	src := sample(t)
	d := startDev(t, command(src, "plugin", "dev", "."))
	d.await("sample 1.2.0 is ready after ")
	d.press("t")
	d.await("sent     POST /, ")
	d.await(`"title":"Test of a plugin"`)
	d.await("answer   Notify: OUTCOME_DELIVERED")
	place(t, filepath.Join(src, "sub/data"), "another text", 0o644)
	d.await("changed  building and starting again")
	d.await("is ready after")
	d.quit()
	contains(t, d.text(), "bridge   Watch\n")
}

// TestDevShowsACrash: the last lines come at once, and the next change starts it again.
func TestDevShowsACrash(t *testing.T) {
	src := sample(t)
	d := startDev(t, command(src, "plugin", "dev", ".", "--with", "with.yaml"))
	d.await("with.yaml: no such file")
	place(t, filepath.Join(src, "with.yaml"), "settings: {tries: 99}\n", 0o644)
	d.await("it refuses its settings; put good ones into check.yaml:")
	place(t, filepath.Join(src, "with.yaml"), "settings: {url: crash}\n", 0o644)
	d.await("is ready after")
	d.press("t")
	d.await("plugin   it ended: exit status 2; its last lines:")
	d.await("panic: as asked")
	d.press("t")
	d.await("it is not running: change a file, or press r")
	d.press("r")
	d.await("is ready after")
	d.quit()
}

func TestCheck(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a quarter of a minute")
	}
	src := sample(t)
	out := filepath.Join(t.TempDir(), "check.json")
	text := says(t, src, "", 0, "plugin", "check", ".", "--json", out)
	contains(t, text, "sample 1.2.0 (notifier, go/", " 8  ", "tier: silver")
	if n := strings.Count(text, "a test event arrives"); n != 1 {
		t.Errorf("where nobody watches it tells each point %d times:\n%s", n, text)
	}
	report, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	contains(t, string(report), `"plugin": "sample"`, `"tier": "silver"`, `"point": 22`)
	contains(t, says(t, src, "", 1, "plugin", "check", filepath.Join(src, "sub")), "there is no program to start")
	place(t, filepath.Join(src, "check.yaml"), "settings: {tries: 1}\n", 0o644)
	contains(t, says(t, src, "", 1, "plugin", "check", "."), " 8  a test event arrives ", "one message arrived, without it; if the service takes none, say NoPicture: true in NotifierTraits (Go)", "or skip point 8 in check.yaml")
	place(t, filepath.Join(src, "check.yaml"), "settings: {tries: 1}\nskip: {8: it takes none}\n", 0o644)
	contains(t, says(t, src, "", 0, "plugin", "check", "."), "it takes none", "tier: silver")
}
