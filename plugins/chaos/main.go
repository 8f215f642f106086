// Package main is the plugin chaos: notifier, detector and sink that behaves as
// badly as its settings say. It shows what the bridge does with plugins that
// freeze, crash, flood or grow, while pictures go on as before, and is what its
// tests and yours can use for that.
//
// Without settings it does everything right and nothing useful. The bridge never
// depends on it; do not install it where alerts matter.
package main

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/espcam-bridge/espcam-bridge/plugins/sdk"
)

type settings struct {
	Behaviour string        `json:"behaviour" choices:"none,panic,crash,freeze,fork,allocate,late,deaf,large,flood,chatter,retry,reject" default:"none" help:"What goes wrong; see the README."`
	After     int           `json:"after" default:"1" min:"1" max:"1000000" help:"From which call on: 1 is the first since the process started."`
	Delay     time.Duration `json:"delay" default:"20s" min:"0s" max:"1h" help:"How long late and deaf take."`
	Megabytes int           `json:"megabytes" default:"20" min:"1" max:"100000" help:"Size of what large returns; what allocate takes each second."`
	Start     string        `json:"start" choices:"silent,garbage,exit" help:"What goes wrong at the next starts, before any setting can be read."`
	Starts    int           `json:"starts" default:"3" min:"1" max:"1000" help:"At how many starts that happens."`
	Find      bool          `json:"find" default:"true" help:"Whether Detect finds a thing, chaos, where something moves."`
	Token     string        `json:"token" sdk:"secret" help:"Any secret; chaos tries to tell it in its log and its errors."`
}

// label is the one thing that it finds.
const label = "chaos"

// plugin is the process's state: settings may change, this stays.
type plugin struct {
	calls atomic.Int64
	held  atomic.Pointer[[][]byte] // what allocate took
}

func main() {
	if misstart(os.Args[1:]) {
		return
	}
	p := &plugin{}
	sdk.Main(sdk.Plugin[settings]{
		Name: "chaos", Version: "1.0.0", Summary: "Behaves badly on request, to see that nothing else suffers.",
		Permissions: []string{"snapshot", "frames", "publish"},
		Notify:      p.notify, Detect: p.detect, Deliver: p.deliver, Start: prepare,
		Detector: sdk.DetectorNeeds{Labels: []string{label}}, Notifier: sdk.NotifierTraits{CanEdit: true},
	})
}

func (p *plugin) notify(ctx context.Context, s *settings, a sdk.Alert) (sdk.Receipt, error) {
	text, err := p.act(ctx, s)
	if err == nil && text == "" {
		text = fmt.Sprintf("%s of %s, attempt %d", a.Phase, a.ID, a.Attempt)
	}
	return sdk.Receipt{Handle: a.ID, Message: text}, err
}

func (p *plugin) detect(ctx context.Context, s *settings, pic sdk.Picture) ([]sdk.Detection, error) {
	text, err := p.act(ctx, s)
	if err != nil || !s.Find {
		return nil, err
	}
	box := sdk.Box{X: 0.25, Y: 0.25, W: 0.5, H: 0.5}
	if len(pic.Motion) > 0 {
		box = pic.Motion[0]
	}
	return []sdk.Detection{{Label: label, Score: 0.5, Box: box, Track: text}}, nil
}

func (p *plugin) deliver(ctx context.Context, s *settings, e sdk.Event) error {
	_, err := p.act(ctx, s)
	sdk.Log(ctx).Debug("event", "id", e.ID, "phase", e.Phase, "gap", e.Gap)
	return err
}
