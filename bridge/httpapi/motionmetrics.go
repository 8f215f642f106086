package httpapi

import (
	"maps"

	"github.com/prometheus/client_golang/prometheus"
)

// motionFigures collects what is known of motion, its events and its detectors
// at the moment it is asked for.
type motionFigures struct {
	server *Server

	analysed, skipped, active, fps                                                *prometheus.Desc // per camera
	begun, kept, bytes, corrupt, waiting, removed, lost, unsaved                  *prometheus.Desc // of events
	detectorCalls, detectorBusy, detectorTimeouts, detectorFailures, detectorHung *prometheus.Desc // per detector
}

func newMotionFigures(s *Server) *motionFigures {
	of := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("espcam_"+name, help, labels, nil)
	}
	return &motionFigures{
		server:   s,
		analysed: of("motion_frames_analysed_total", "Pictures judged for motion.", "camera"),
		skipped:  of("motion_frames_skipped_total", "Pictures not judged (pace, busy), or judged and without motion for a reason.", "camera", "reason"),
		active:   of("motion_active", "1 while something moves.", "camera"),
		fps:      of("motion_fps", "Pictures judged per second.", "camera"),

		begun:   of("motion_events_total", "Events that began."),
		kept:    of("events_stored", "Events on disk."),
		bytes:   of("events_bytes", "Bytes on disk of all events."),
		corrupt: of("events_corrupt", "Events on disk that cannot be read."),
		waiting: of("events_waiting", "Events that are going on, or wait for the disk."),
		removed: of("events_removed_total", "Events removed because of their age or of the size of all."),
		lost:    of("events_lost_total", "Events that never came to the disk."),
		unsaved: of("events_frames_dropped_total", "Frames of clips, and pictures, that never came to the disk."),

		detectorCalls:    of("detector_calls_total", "Pictures given to a detector.", "detector"),
		detectorBusy:     of("detector_busy_total", "Pictures dropped because the detector was busy.", "detector"),
		detectorTimeouts: of("detector_timeouts_total", "Calls of a detector that took too long.", "detector"),
		detectorFailures: of("detector_errors_total", "Calls of a detector that failed.", "detector"),
		detectorHung:     of("detector_hung", "Calls of a detector whose time is over and that have not ended.", "detector"),
	}
}

// skipReasons are all values of the label reason: why a picture was not judged,
// and why one that was judged told nothing.
func skipReasons() []string {
	return []string{"pace", "busy", "damaged", "settling", "scene_change", "masked", "too_small"}
}

// Describe implements prometheus.Collector.
func (f *motionFigures) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{f.analysed, f.skipped, f.active, f.fps, f.begun, f.kept, f.bytes, f.corrupt, f.waiting,
		f.removed, f.lost, f.unsaved, f.detectorCalls, f.detectorBusy, f.detectorTimeouts, f.detectorFailures, f.detectorHung} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (f *motionFigures) Collect(ch chan<- prometheus.Metric) {
	s := f.server
	if s.deps.Motion != nil {
		for _, c := range s.deps.Fleet.Cameras() {
			f.collectCamera(ch, c.ID)
		}
	}
	if ask := s.deps.Sources.Journal; ask != nil {
		f.collectEvents(ch, ask())
	}
	if ask := s.deps.Sources.Detectors; ask != nil {
		for _, d := range ask() {
			ch <- counter(f.detectorCalls, float64(d.Calls), d.Name)
			ch <- counter(f.detectorBusy, float64(d.Busy), d.Name)
			ch <- counter(f.detectorTimeouts, float64(d.Timeouts), d.Name)
			ch <- counter(f.detectorFailures, float64(d.Errors), d.Name)
			ch <- gauge(f.detectorHung, float64(d.Hung), d.Name)
		}
	}
}

func (f *motionFigures) collectCamera(ch chan<- prometheus.Metric, camera string) {
	m := f.server.deps.Motion.State(camera)
	ch <- counter(f.analysed, float64(m.Analysed), camera)
	ch <- gauge(f.active, number(m.Active), camera)
	ch <- gauge(f.fps, m.FPS, camera)
	counts := maps.Clone(m.Skipped)
	if counts == nil {
		counts = map[string]uint64{}
	}
	maps.Copy(counts, m.Quiet)
	for _, reason := range skipReasons() {
		ch <- counter(f.skipped, float64(counts[reason]), camera, reason)
	}
}

func (f *motionFigures) collectEvents(ch chan<- prometheus.Metric, e EventFigures) {
	ch <- counter(f.begun, float64(e.Begun))
	ch <- gauge(f.kept, float64(e.Events))
	ch <- gauge(f.bytes, float64(e.Bytes))
	ch <- gauge(f.corrupt, float64(e.Corrupt))
	ch <- gauge(f.waiting, float64(e.Waiting))
	ch <- counter(f.removed, float64(e.Removed))
	ch <- counter(f.lost, float64(e.Lost))
	ch <- counter(f.unsaved, float64(e.FramesDropped))
}
