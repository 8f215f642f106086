package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image/jpeg"
	"mime/multipart"
	"net/http"
	"strconv"

	"github.com/espcam-bridge/espcam-bridge/plugins/sdk"
)

// deepstack posts the picture as a form and gets boxes in pixels.
func (s *settings) deepstack(ctx context.Context, p sdk.Picture) ([]sdk.Detection, error) {
	body, contentType, err := s.form(p.JPEG)
	if err != nil {
		return nil, err
	}
	req, err := sdk.NewRequest(ctx, http.MethodPost, s.URL, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", contentType)
	answer, err := sdk.Do(ctx, req)
	if err != nil {
		return nil, err
	}
	var out struct {
		Success     bool   `json:"success"`
		Error       string `json:"error"`
		Predictions []struct {
			Label string  `json:"label"`
			Score float64 `json:"confidence"`
			Left  float64 `json:"x_min"`
			Top   float64 `json:"y_min"`
			Right float64 `json:"x_max"`
			Below float64 `json:"y_max"`
		} `json:"predictions"`
	}
	if err := json.Unmarshal(answer, &out); err != nil {
		return nil, fmt.Errorf("this is no answer of DeepStack's API: %w", err)
	}
	if !out.Success {
		return nil, fmt.Errorf("the server says: %s", out.Error)
	}
	w, h, err := size(p)
	var found []sdk.Detection
	for _, o := range out.Predictions {
		found = append(found, sdk.Detection{Label: o.Label, Score: o.Score, Box: box(o.Left/w, o.Top/h, o.Right/w, o.Below/h)})
	}
	return found, err
}

func (s *settings) form(picture []byte) ([]byte, string, error) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	part, err := w.CreateFormFile("image", "picture.jpg")
	if err != nil {
		return nil, "", err
	}
	if _, err := part.Write(picture); err != nil {
		return nil, "", err
	}
	err = w.WriteField("min_confidence", strconv.FormatFloat(s.Score, 'f', -1, 64))
	if s.Key != "" {
		err = errors.Join(err, w.WriteField("api_key", s.Key))
	}
	if err := errors.Join(err, w.Close()); err != nil {
		return nil, "", err
	}
	return b.Bytes(), w.FormDataContentType(), nil
}

// doods posts the picture in JSON and gets boxes in parts of its size, scores in
// percent.
func (s *settings) doods(ctx context.Context, p sdk.Picture) ([]sdk.Detection, error) {
	in := struct {
		Detector string             `json:"detector_name"`
		Data     []byte             `json:"data"`
		Detect   map[string]float64 `json:"detect"`
	}{s.Model, p.JPEG, map[string]float64{"*": s.Score * 100}}
	var out struct {
		Error      string `json:"error"`
		Detections []struct {
			Label string  `json:"label"`
			Score float64 `json:"confidence"`
			Left  float64 `json:"left"`
			Top   float64 `json:"top"`
			Right float64 `json:"right"`
			Below float64 `json:"bottom"`
		} `json:"detections"`
	}
	if err := sdk.PostJSON(ctx, s.URL, in, &out); err != nil {
		return nil, err
	}
	if out.Error != "" {
		return nil, fmt.Errorf("the server says: %s", out.Error)
	}
	var found []sdk.Detection
	for _, o := range out.Detections {
		found = append(found, sdk.Detection{Label: o.Label, Score: o.Score / 100, Box: box(o.Left, o.Top, o.Right, o.Below)})
	}
	return found, nil
}

// box is what lies in the picture; models look beyond its edges at times.
func box(left, top, right, below float64) sdk.Box {
	in := func(v float64) float64 { return min(max(v, 0), 1) }
	return sdk.Box{X: in(left), Y: in(top), W: max(in(right)-in(left), 0), H: max(in(below)-in(top), 0)}
}

// size is the picture's, in pixels.
func size(p sdk.Picture) (w, h float64, err error) {
	if p.Width > 0 && p.Height > 0 {
		return float64(p.Width), float64(p.Height), nil
	}
	c, err := jpeg.DecodeConfig(bytes.NewReader(p.JPEG))
	return float64(c.Width), float64(c.Height), err
}
