package journal

import (
	"sync"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// ParseEvent reads event.json of the folder id.
func ParseEvent(id string, data []byte) (bridge.Event, error) { return parseEvent(id, data) }

// Folder is where an event lies.
func Folder(id string) string { return folder(id) }

// WriteAlone takes events and writes until stop is closed. Who stands back got on
// at a time, and gets no core any more.
func (j *Journal) WriteAlone(stop <-chan struct{}, got time.Time, events *bridge.EventListener) {
	j.got(got)
	var writing sync.WaitGroup
	writing.Go(func() { j.write(stop) })
	for open := true; open; {
		select {
		case <-stop:
			open = false
		case <-events.Ready():
			j.hear(events.Take())
		}
	}
	writing.Wait()
	j.drain()
}

// Relief is how long who stands back may not get on.
const Relief = relief
