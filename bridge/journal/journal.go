// Package journal keeps events on disk: what happened, the best picture of it
// and a short clip, for people who look later.
//
// App opens one Journal, gives it to package watch as its recorder of clips and
// runs it with a mailbox of events; package httpapi reads from it. Telling it
// something never waits for the disk: one goroutine writes, on a thread that stands
// back for everybody else, with another to relieve it; what waits for them is
// bounded in events and bytes, with counters for what did not fit.
//
// Every file appears whole or not at all, so that a kill at any moment costs at
// most the event that was just beginning. While the disk is full or broken it
// keeps the newest events in memory, says so once and in Check, and writes them
// when the disk takes them. Only age and size remove events, the oldest first;
// one that cannot be read is counted and reported, and stays until then.
package journal

import (
	"cmp"
	"context"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/store"
)

// Config is what a Journal can be told. Zero fields mean the default.
type Config struct {
	Dir     string           // where the events lie, such as data/events; made if it is missing
	Keep    time.Duration    // an event that began longer ago is removed: 7 days
	MaxSize int64            // bytes on disk of all events together: 1 GiB
	Waiting int              // events that may go on or wait for the disk: 1024
	Memory  int64            // bytes of clips, and of pictures, that may wait for the disk: 16 MiB
	Retry   time.Duration    // between two attempts while the disk takes nothing: 5 s
	Apart   bool             // what writes has a thread of its own that stands back for everybody else, where the system can do it
	Flush   time.Duration    // how long Run may go on writing when its time is over: 5 s
	Now     func() time.Time // for the age of events: time.Now
}

func (c Config) withDefaults() Config {
	c.Keep = cmp.Or(c.Keep, 7*24*time.Hour)
	c.MaxSize = cmp.Or(c.MaxSize, 1<<30)
	c.Waiting = cmp.Or(c.Waiting, 1024)
	c.Memory = cmp.Or(c.Memory, 16<<20)
	c.Retry = cmp.Or(c.Retry, 5*time.Second)
	c.Flush = cmp.Or(c.Flush, 5*time.Second)
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// Journal is an open journal. All methods may be called from any goroutine.
type Journal struct {
	cfg   Config
	log   *slog.Logger
	index *store.Table[record] // of the events that are over and whole on disk
	wake  chan struct{}        // there is something to write

	mu     sync.Mutex
	files  files
	living map[string]*entry // events that are not over, or not yet whole on disk
	items  map[string]item   // events on disk
	order  []string          // ids of items, sorted
	stored int64             // bytes of items
	memory int64             // bytes of frames that wait for the disk
	fault  error             // why the disk takes nothing; nil: it does
	since  time.Time         // of fault
	stood  time.Time         // when who stands back got on last; zero: it had an error
	counts Stats             // only the counters
}

// record is an event in the index: all that is known without opening a file.
type record struct {
	Event bridge.Event `json:"event"`
	entryFiles
}

// entryFiles is what the index knows of an event's files. The start reads no
// more of it than that.
type entryFiles struct {
	Bytes   int64 `json:"bytes"` // on disk
	Picture bool  `json:"picture"`
	Clip    bool  `json:"clip"`
	Length  int64 `json:"length"`  // of event.json, bytes
	Changed int64 `json:"changed"` // event.json's time, ns since 1970
}

// item is an event on disk as far as room and files are concerned.
type item struct {
	bytes         int64
	picture, clip bool
	corrupt       bool // cannot be read: only age and size count
}

// Open opens the journal in cfg.Dir and makes files and index agree: what was
// written last before a kill is taken in, events that never ended are closed at
// their last motion. It reads only what the index does not know. Its error says
// what to do: CodeUnavailable if the directory cannot be used.
func Open(cfg Config, s *store.Store, log *slog.Logger) (*Journal, error) {
	j := &Journal{
		cfg: cfg.withDefaults(), log: log, wake: make(chan struct{}, 1),
		living: map[string]*entry{}, items: map[string]item{},
	}
	var err error
	if j.files, err = openFiles(cfg.Dir); err != nil {
		return nil, bridge.Errorf(bridge.CodeUnavailable, "cannot keep events in %s: %w; the user that runs espcam-bridge must own it, or `data:` must name another directory", cfg.Dir, err)
	}
	if j.index, err = store.NewTable[record](s, "events"); err != nil {
		return nil, err
	}
	known, err := store.NewTable[entryFiles](s, "events") // the same, without the events
	if err != nil {
		return nil, err
	}
	return j, j.reconcile(known)
}

// Run writes what it is told through events, and the clips of Record, until ctx
// ends and everything told until then is on disk, or the disk did not take it
// within Config.Flush. It is called once; afterwards no picture and no clip can
// be opened.
func (j *Journal) Run(ctx context.Context, events *bridge.EventListener) error {
	stop := make(chan struct{})
	var writing sync.WaitGroup
	writing.Go(func() { j.write(stop) })
	if j.cfg.Apart {
		writing.Go(func() { j.standBack(stop) })
	}
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-events.Ready():
			j.hear(events.Take())
		}
	}
	j.hear(events.Take())
	close(stop)
	writing.Wait()
	j.drain()
	return j.disk().root.Close()
}

// Check is nil, or says since when and why events cannot be saved.
func (j *Journal) Check() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.fault == nil {
		return nil
	}
	return bridge.Errorf(bridge.CodeUnavailable, "events cannot be saved since %s (%w): make room on the disk of %s, or repair it; %d events wait in memory",
		j.since.UTC().Format(time.RFC3339), j.fault, j.cfg.Dir, len(j.living))
}

// Stats are a journal's figures. Counters begin with the program.
type Stats struct {
	Begun         uint64 // events that began
	Events        int    // on disk, readable
	Bytes         int64  // on disk, of all events
	Corrupt       int    // on disk, not readable
	Waiting       int    // going on, or waiting for the disk
	Removed       uint64 // by age or size
	Lost          uint64 // events that never came to the disk
	FramesDropped uint64 // frames of clips, and pictures, that never came to the disk
}

// Stats returns the figures of this moment.
func (j *Journal) Stats() Stats {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.counts
	s.Events, s.Bytes, s.Waiting = len(j.items)-s.Corrupt, j.stored, len(j.living)
	for _, e := range j.living {
		s.Bytes += e.disk.total()
	}
	return s
}

// addLocked takes an event on disk into account.
func (j *Journal) addLocked(id string, it item) {
	at, _ := slices.BinarySearch(j.order, id)
	j.order = slices.Insert(j.order, at, id)
	j.items[id] = it
	j.stored += it.bytes
	if it.corrupt {
		j.counts.Corrupt++
	}
}

// dropLocked forgets an event that is no longer on disk.
func (j *Journal) dropLocked(id string) {
	it, ok := j.items[id]
	if !ok {
		return
	}
	if at, found := slices.BinarySearch(j.order, id); found {
		j.order = slices.Delete(j.order, at, at+1)
	}
	delete(j.items, id)
	j.stored -= it.bytes
	if it.corrupt {
		j.counts.Corrupt--
	}
}

// disk returns where the files are.
func (j *Journal) disk() files {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.files
}

// path is an event's folder as people find it.
func (j *Journal) path(id string) string {
	return filepath.Join(j.cfg.Dir, filepath.FromSlash(folder(id)))
}
