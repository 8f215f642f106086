//go:build linux

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// rates are how often something happened to each camera, per second.
type rates struct{ Least, Median, Most float64 }

// ratesOf summarises one rate per camera.
func ratesOf(perSecond []float64) rates {
	if len(perSecond) == 0 {
		return rates{}
	}
	return rates{slices.Min(perSecond), median(perSecond), slices.Max(perSecond)}
}

// alike reports whether every camera is within share of the median.
func (r rates) alike(share float64) bool {
	return r.Median > 0 && r.Least >= r.Median*(1-share) && r.Most <= r.Median*(1+share)
}

// judged reads from the bridge how many pictures of each camera it has judged
// for motion so far; nothing where motion is off.
func (l *load) judged(ctx context.Context) (map[string]float64, error) {
	if l.Motion == 0 {
		return nil, nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+l.Server+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+viewerToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("/metrics: %s", resp.Status)
	}
	return countsByCamera(resp.Body, "espcam_motion_frames_analysed_total")
}

// judgedSince is the rate of each camera since the counts before were read.
func (l *load) judgedSince(ctx context.Context, before map[string]float64, began time.Time) (rates, error) {
	now, err := l.judged(ctx)
	if err != nil || l.Motion == 0 {
		return rates{}, err
	}
	seconds := time.Since(began).Seconds()
	var perSecond []float64
	for n := range l.Cameras {
		name := cameraName(n)
		perSecond = append(perSecond, (now[name]-before[name])/seconds)
	}
	return ratesOf(perSecond), nil
}

// countsByCamera reads one counter with the label camera from what Prometheus
// reads.
func countsByCamera(r io.Reader, counter string) (map[string]float64, error) {
	counts := map[string]float64{}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		rest, ok := strings.CutPrefix(lines.Text(), counter+`{camera="`)
		if !ok {
			continue
		}
		name, value, ok := strings.Cut(rest, `"} `)
		if !ok || strings.Contains(name, `"`) {
			return nil, fmt.Errorf("not a counter by camera: %q", lines.Text())
		}
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return nil, err
		}
		counts[name] = n
	}
	return counts, lines.Err()
}
