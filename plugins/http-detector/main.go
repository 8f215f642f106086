// Command espcam-plugin-http-detector asks a server what is in a picture: DeepStack,
// CodeProject.AI (and Blue Onyx, which speaks the same), or DOODS. The model runs
// there, on a machine with a GPU perhaps. The bridge starts it.
//
// A server that is busy or late is asked about a newer picture next time, never
// about two at once for a camera: a request goes on when the bridge has stopped
// waiting, and until it ends the answer to further ones is "busy".
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/espcam-bridge/espcam-bridge/plugins/sdk"
)

type settings struct {
	URL      string            `json:"url" sdk:"required" help:"Of the server's detection." example:"http://192.168.1.5:32168/v1/vision/detection"`
	API      string            `json:"api" choices:"deepstack,doods" default:"deepstack" help:"What it speaks; CodeProject.AI speaks DeepStack's."`
	Key      string            `json:"api_key" sdk:"secret" help:"If DeepStack was started with one."`
	Model    string            `json:"model" default:"default" help:"Name of DOODS' detector."`
	Score    float64           `json:"min_confidence" default:"0.45" min:"0.01" max:"1" help:"What is less sure is left out."`
	Labels   map[string]string `json:"labels" help:"Other names for labels; an empty one leaves the label out." example:"{\"truck\": \"car\", \"bench\": \"\"}"`
	Only     []string          `json:"only" help:"These labels (after labels was applied) and no others." example:"[\"person\", \"car\"]"`
	Parallel int32             `json:"parallel" default:"2" min:"1" max:"64" help:"Pictures that the server looks at, at once."`
	Timeout  time.Duration     `json:"timeout" default:"5s" min:"100ms" max:"1m" help:"When a request is given up. The bridge itself waits for 1 s."`

	asking atomic.Int32 // requests under way
}

func main() {
	sdk.Main(sdk.Plugin[settings]{
		Name: "http-detector", Version: "1.0.0", Summary: "Asks DeepStack, CodeProject.AI or DOODS what is in a picture.",
		Detect: detect, Check: check, Validate: validate,
		Detector: sdk.DetectorNeeds{MaxFPS: 5},
	})
}

func detect(ctx context.Context, s *settings, p sdk.Picture) ([]sdk.Detection, error) {
	defer s.asking.Add(-1)
	if s.asking.Add(1) > s.Parallel {
		return nil, sdk.ErrBusy
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.Timeout)
	defer cancel()
	found, err := s.ask(ctx, p)
	if failure, ok := errors.AsType[*sdk.HTTPError](err); ok && (failure.Status == http.StatusServiceUnavailable || failure.Status == http.StatusTooManyRequests) {
		return nil, sdk.ErrBusy
	}
	return s.named(found), err
}

func (s *settings) ask(ctx context.Context, p sdk.Picture) ([]sdk.Detection, error) {
	if s.API == "doods" {
		return s.doods(ctx, p)
	}
	return s.deepstack(ctx, p)
}

// named gives the labels their names here, and leaves out what is not wanted or
// not in the picture.
func (s *settings) named(found []sdk.Detection) []sdk.Detection {
	var out []sdk.Detection
	for _, d := range found {
		if name, ok := s.Labels[d.Label]; ok {
			d.Label = name
		}
		if d.Label != "" && d.Score >= s.Score && d.Box.W > 0 && d.Box.H > 0 && (len(s.Only) == 0 || slices.Contains(s.Only, d.Label)) {
			out = append(out, d)
		}
	}
	return out
}

func validate(ctx context.Context, s *settings) error {
	if _, err := sdk.NewRequest(ctx, http.MethodPost, s.URL, nil); err != nil {
		return sdk.Problem("url", "is wrong: %v", err)
	}
	return nil
}

// check has the server look at a grey picture.
func check(ctx context.Context, s *settings) error {
	var b bytes.Buffer
	const side = 64
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, side, side)), nil); err != nil {
		return err
	}
	began := time.Now()
	if _, err := s.ask(ctx, sdk.Picture{JPEG: b.Bytes(), Width: side, Height: side}); err != nil {
		return err
	}
	if took := time.Since(began); took > time.Second {
		return fmt.Errorf("the server took %s for a small picture, and the bridge waits for 1 s only", took.Round(time.Millisecond))
	}
	return nil
}
