package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/plugins/sdk"
)

// answer is that of DeepStack's documentation (object detection), which
// CodeProject.AI's follows; neither of them is asked here.
const answer = `{"success": true, "predictions": [
	{"label": "person", "confidence": 0.9, "x_min": 64, "y_min": 48, "x_max": 128, "y_max": 480},
	{"label": "truck", "confidence": 0.7, "x_min": -10, "y_min": 0, "x_max": 700, "y_max": 240},
	{"label": "bench", "confidence": 0.9, "x_min": 1, "y_min": 1, "x_max": 2, "y_max": 2},
	{"label": "person", "confidence": 0.9, "x_min": 650, "y_min": 1, "x_max": 700, "y_max": 2},
	{"label": "cat", "confidence": 0.2, "x_min": 1, "y_min": 1, "x_max": 2, "y_max": 2}]}`

func serve(t *testing.T, h http.HandlerFunc) *settings {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return &settings{URL: s.URL + "/v1/vision/detection", API: "deepstack", Score: 0.45, Parallel: 2, Timeout: 5 * time.Second}
}

func picture() sdk.Picture {
	return sdk.Picture{Camera: "porch", JPEG: []byte("jpeg"), Width: 640, Height: 480}
}

func TestDeepStack(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		f, _, err := r.FormFile("image")
		if err != nil {
			t.Error(err)
			return
		}
		content, err := io.ReadAll(f)
		if err != nil || string(content) != "jpeg" || r.FormValue("min_confidence") != "0.45" || r.FormValue("api_key") != "key" || r.URL.Path != "/v1/vision/detection" {
			t.Errorf("%v: %q, form %v", err, content, r.Form)
		}
		fmt.Fprint(w, answer)
	})
	s.Key, s.Labels = "key", map[string]string{"truck": "car", "bench": ""}
	found, err := detect(t.Context(), s, picture())
	want := []sdk.Detection{
		{Label: "person", Score: 0.9, Box: sdk.Box{X: 0.1, Y: 0.1, W: 0.1, H: 0.9}},
		{Label: "car", Score: 0.7, Box: sdk.Box{X: 0, Y: 0, W: 1, H: 0.5}},
	}
	if err != nil || !reflect.DeepEqual(found, want) {
		t.Errorf("%+v, %v", found, err)
	}
	s.Only = []string{"car"}
	if found, err := detect(t.Context(), s, picture()); err != nil || len(found) != 1 || found[0].Label != "car" {
		t.Errorf("%+v, %v", found, err)
	}
}

func TestDOODS(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Detector string             `json:"detector_name"`
			Data     string             `json:"data"`
			Detect   map[string]float64 `json:"detect"`
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.Detector != "yolo" || in.Data != base64.StdEncoding.EncodeToString([]byte("jpeg")) || in.Detect["*"] != 45 {
			t.Errorf("%v: %+v", err, in)
		}
		fmt.Fprint(w, `{"detections":[{"top":0.25,"left":0.5,"bottom":0.75,"right":1.1,"label":"person","confidence":87.5}]}`)
	})
	s.API, s.Model = "doods", "yolo"
	found, err := detect(t.Context(), s, picture())
	if want := []sdk.Detection{{Label: "person", Score: 0.875, Box: sdk.Box{X: 0.5, Y: 0.25, W: 0.5, H: 0.5}}}; err != nil || !reflect.DeepEqual(found, want) {
		t.Errorf("%+v, %v", found, err)
	}
}

// The bridge waits for a second and the server takes longer: no second request is
// sent for as long as it works at the first.
func TestSlowServerIsNotPiledUpon(t *testing.T) {
	arrived, release := make(chan struct{}, 10), make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-release
		fmt.Fprint(w, answer)
	})
	s.Parallel = 1
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := detect(ctx, s, picture())
		done <- err
	}()
	<-arrived
	cancel()
	if _, err := detect(t.Context(), s, picture()); !errors.Is(err, sdk.ErrBusy) {
		t.Errorf("a second one: %v", err)
	}
	select {
	case err := <-done:
		t.Errorf("the first gave up: %v", err)
	default:
	}
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := detect(t.Context(), s, picture()); err != nil || len(arrived) != 1 {
		t.Errorf("afterwards: %v, %d further requests", err, len(arrived))
	}
}

func TestServersThatDoNotAnswer(t *testing.T) {
	for status, busy := range map[int]bool{http.StatusServiceUnavailable: true, http.StatusTooManyRequests: true, http.StatusInternalServerError: false, http.StatusNotFound: false} {
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		if _, err := detect(t.Context(), s, picture()); err == nil || errors.Is(err, sdk.ErrBusy) != busy {
			t.Errorf("%d: %v", status, err)
		}
	}
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"success":false,"error":"module not loaded"}`)
	})
	if err := check(t.Context(), s); err == nil || !strings.Contains(err.Error(), "module not loaded") {
		t.Error(err)
	}
	never := make(chan struct{})
	s = serve(t, func(http.ResponseWriter, *http.Request) { <-never })
	t.Cleanup(func() { close(never) })
	s.Timeout = 20 * time.Millisecond
	if _, err := detect(t.Context(), s, picture()); err == nil {
		t.Error("there was no answer")
	}
}
