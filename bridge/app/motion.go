package app

import (
	"context"
	"path/filepath"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/journal"
	"github.com/espcam-bridge/espcam-bridge/bridge/watch"
)

// eventsDir is where events lie, below the state directory.
const eventsDir = "events"

// newWatch makes what judges the pictures and what keeps the events. Sensors on
// the cameras come in at the same door as pictures.
func (a *App) newWatch(workers int) (err error) {
	a.journal, err = journal.Open(journal.Config{
		Dir:     filepath.Join(a.cfg.Data, eventsDir),
		Keep:    a.cfg.Events.Keep,
		MaxSize: a.cfg.Events.MaxSize,
		Apart:   true,
	}, a.store, a.log)
	if err != nil {
		return err
	}
	a.watch = watch.New(watch.Config{Workers: workers, MaxPixels: a.cfg.Ingest.MaxPixels, Apart: true}, watch.Deps{
		Fleet:    a.fleet,
		Hub:      a.hub,
		Recorder: a.journal,
		Log:      a.log,
	})
	a.fleet.OnSensor(a.sensor)
	return nil
}

// sensor takes a change of a sensor on a camera. Not every one is about motion:
// boards may have a button or a door contact.
func (a *App) sensor(camera, name string, active bool) {
	if name != bridge.SourcePIR {
		a.log.Debug("sensor is not about motion", "camera", camera, "event", name, "active", active)
		return
	}
	a.watch.Sensor(camera, name, active)
}

// runJournal starts the journal with its mailbox of events.
func (a *App) runJournal(run func(func(context.Context) error) (stop func())) (stop func()) {
	events, cancel := a.watch.Digest()
	stopRun := run(func(ctx context.Context) error { return a.journal.Run(ctx, events) })
	return func() {
		stopRun()
		cancel()
	}
}

// digest is the watch for parts that do not draw boxes.
type digest struct{ *watch.Watch }

func (d digest) Subscribe() (*bridge.EventListener, func()) { return d.Digest() }
