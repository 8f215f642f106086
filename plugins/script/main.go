// Command espcam-plugin-script hands alerts, pictures and events to any program: one
// run per event, with arguments and environment, or one that stays and reads a line
// of JSON for each. The bridge starts it. The README has the formats.
//
// Which program that is only the bridge's own file can say. It runs in a process
// group of its own with a limit of time, at which the whole group is killed, as
// when the settings change or the bridge ends. What it prints is in the log.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/espcam-bridge/espcam-bridge/plugins/sdk"
)

type settings struct {
	Command     []string          `json:"command" sdk:"required,file" help:"The program with its arguments; its folder is the instance's data directory." example:"[\"/home/me/notify.sh\"]"`
	Mode        string            `json:"mode" choices:"event,lines" default:"event" help:"event: one run for each. lines: it stays and reads a line of JSON for each."`
	For         []string          `json:"for" default:"notify" help:"What it is told: notify (alerts), detect (pictures), deliver (all events)."`
	Reply       bool              `json:"reply" help:"With lines: it answers each with a line of JSON. Without, it is told and no more is known."`
	Timeout     time.Duration     `json:"timeout" default:"10s" min:"100ms" max:"10m" help:"For one run, or one answer. Then it is killed."`
	Environment map[string]string `json:"environment" sdk:"file" help:"Further environment variables."`
	Secret      string            `json:"secret" sdk:"secret" help:"Given to it in the JSON as \"secret\": a token, for example."`

	lines lines
}

// maxAge is what no picture in use reaches: the longest time limit, twice.
const maxAge = 20 * time.Minute

// rejected is the exit code that means: trying again is in vain (EX_NOPERM).
const rejected = 77

func main() {
	if program, err := os.Executable(); err == nil {
		if name, script := beside(program); name != "" {
			fmt.Fprintln(os.Stderr, serveBound(name, script)) // it returns only if the script cannot be read
			os.Exit(1)
		}
	}
	sdk.Main(sdk.Plugin[settings]{
		Name: "script", Version: "1.0.0", Summary: "Runs a program of yours for alerts, pictures or events.",
		Notify: notify, Detect: detect, Deliver: deliver, Validate: validate, Start: start,
		Notifier: sdk.NotifierTraits{CanEdit: true},
		Detector: sdk.DetectorNeeds{MaxFPS: 5},
	})
}

// task is what the program is told, as JSON.
type task struct {
	Kind     string     `json:"kind"` // notify, detect, deliver
	Event    *sdk.Event `json:"event,omitempty"`
	Title    string     `json:"title,omitempty"`
	Text     string     `json:"text,omitempty"`
	Priority int        `json:"priority,omitempty"`
	URL      string     `json:"url,omitempty"`
	Attempt  int        `json:"attempt,omitempty"`
	Handle   string     `json:"handle,omitempty"`
	Camera   string     `json:"camera"` // its id
	Sequence uint64     `json:"sequence,omitempty"`
	Captured time.Time  `json:"captured,omitzero"`
	Width    int        `json:"width,omitempty"`
	Height   int        `json:"height,omitempty"`
	Motion   []sdk.Box  `json:"motion,omitempty"`
	Picture  string     `json:"picture,omitempty"` // path of a JPEG; it is removed after the answer
	Secret   string     `json:"secret,omitempty"`

	jpeg []byte
}

// reply is what the program may answer: a line of JSON.
type reply struct {
	Handle     string          `json:"handle"`
	Message    string          `json:"message"`
	Retry      float64         `json:"retry"`  // it may work after so many seconds
	Reject     string          `json:"reject"` // why it never will
	Busy       bool            `json:"busy"`
	Detections []sdk.Detection `json:"detections"`
}

func notify(ctx context.Context, s *settings, a sdk.Alert) (sdk.Receipt, error) {
	if !slices.Contains(s.For, "notify") {
		return sdk.Receipt{}, sdk.Reject(errors.New("this instance is not for alerts: add notify to its setting \"for\""))
	}
	r, err := s.do(ctx, task{
		Kind: "notify", Event: &a.Event, Camera: a.Camera.ID, Title: a.Title, Text: a.Text, Priority: a.Priority,
		URL: a.URL, Attempt: a.Attempt, Handle: a.Handle, Width: a.Width, Height: a.Height, jpeg: a.JPEG,
	})
	return sdk.Receipt{Handle: cmp.Or(r.Handle, a.Handle, a.ID), Message: r.Message}, err // a handle: it was told of this event
}

func detect(ctx context.Context, s *settings, p sdk.Picture) ([]sdk.Detection, error) {
	if !slices.Contains(s.For, "detect") {
		return nil, nil
	}
	r, err := s.do(ctx, task{
		Kind: "detect", Camera: p.Camera, Sequence: p.Sequence, Captured: p.Captured,
		Width: p.Width, Height: p.Height, Motion: p.Motion, jpeg: p.JPEG,
	})
	if err == nil && r.Busy {
		err = sdk.ErrBusy
	}
	return r.Detections, err
}

func deliver(ctx context.Context, s *settings, e sdk.Event) error {
	if !slices.Contains(s.For, "deliver") {
		return nil
	}
	_, err := s.do(ctx, task{Kind: "deliver", Event: &e, Camera: e.Camera.ID, Width: e.Width, Height: e.Height, jpeg: e.JPEG})
	return err
}

// do tells the program and judges its answer.
func (s *settings) do(ctx context.Context, t task) (reply, error) {
	t.Secret = s.Secret
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	var r reply
	var err error
	if s.Mode == "lines" {
		r, err = s.tell(ctx, t)
	} else {
		r, err = s.run(ctx, t)
	}
	switch {
	case err != nil:
		return r, err
	case r.Reject != "":
		return r, sdk.Reject(errors.New(r.Reject))
	case r.Retry > 0:
		return r, sdk.Retry(time.Duration(r.Retry*float64(time.Second)), fmt.Errorf("the program wants to try again in %g s: %s", r.Retry, r.Message))
	}
	return r, nil
}

func validate(_ context.Context, s *settings) error {
	var problems []error
	for _, role := range s.For {
		if !slices.Contains([]string{"notify", "detect", "deliver"}, role) {
			problems = append(problems, sdk.Problem("for", "has %q, which is none of notify, detect, deliver", role))
		}
	}
	if s.Mode == "lines" && !s.Reply && slices.Contains(s.For, "detect") {
		problems = append(problems, sdk.Problem("reply", "must be true for detect: what it found is its answer"))
	}
	if _, err := exec.LookPath(s.Command[0]); err != nil {
		problems = append(problems, sdk.Problem("command", "cannot be run: %v", err))
	}
	return errors.Join(problems...)
}

// start removes what a killed plugin left, and ends the program that stays when
// these settings end.
func start(ctx context.Context, s *settings) error {
	left, err := filepath.Glob(filepath.Join(sdk.DataDir(ctx), "picture-*.jpg"))
	if err != nil {
		return err
	}
	for _, path := range left {
		if info, err := os.Stat(path); err == nil && time.Since(info.ModTime()) > maxAge {
			remove(path)
		}
	}
	<-ctx.Done()
	s.lines.end()
	return nil
}

// save writes the picture to a file of its own in dir, which must be removed.
func (t *task) save(dir string) error {
	if len(t.jpeg) == 0 {
		return nil
	}
	file, err := os.CreateTemp(dir, "picture-*.jpg")
	if err != nil {
		return err
	}
	t.Picture = file.Name()
	_, err = file.Write(t.jpeg)
	return errors.Join(err, file.Close())
}

// remove deletes a picture, unless the program moved it away.
func remove(path string) {
	if path != "" {
		_ = os.Remove(path)
	}
}

// variables are the task in the environment of one run.
func (t task) variables() []string {
	out := []string{
		"ESPCAM_KIND=" + t.Kind, "ESPCAM_CAMERA=" + t.Camera, "ESPCAM_PICTURE=" + t.Picture,
		"ESPCAM_TITLE=" + t.Title, "ESPCAM_TEXT=" + t.Text, "ESPCAM_URL=" + t.URL,
		fmt.Sprintf("ESPCAM_WIDTH=%d", t.Width), fmt.Sprintf("ESPCAM_HEIGHT=%d", t.Height), fmt.Sprintf("ESPCAM_PRIORITY=%d", t.Priority), fmt.Sprintf("ESPCAM_ATTEMPT=%d", t.Attempt), "ESPCAM_HANDLE=" + t.Handle,
	}
	if e := t.Event; e != nil {
		var labels []string
		for _, l := range e.Labels {
			labels = append(labels, l.Label)
		}
		out = append(out, "ESPCAM_EVENT="+e.ID, "ESPCAM_PHASE="+string(e.Phase), "ESPCAM_CAMERA_NAME="+e.Camera.Name,
			"ESPCAM_LABELS="+strings.Join(labels, " "), "ESPCAM_ZONES="+strings.Join(e.Zones, " "),
			fmt.Sprintf("ESPCAM_SCORE=%.2f", e.Score), "ESPCAM_BEGIN="+e.Begin.Format(time.RFC3339))
	}
	for i := range out {
		out[i] = strings.ReplaceAll(out[i], "\x00", "")
	}
	return out
}
