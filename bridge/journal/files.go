package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"runtime"
	"slices"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// An event is a folder DAY/ID with these files. event.json is the first that
// appears, so a folder without it is one whose event never was.
const (
	eventFile   = "event.json"
	pictureFile = "picture.jpg"
	clipFile    = "clip.mjpeg"

	halfSuffix = ".tmp"  // a file that is being written
	goneSuffix = ".gone" // a folder that is being removed
)

const dayForm = time.DateOnly

// day is the folder of the events that began on one day (UTC). id is valid.
func day(id string) string {
	t, _ := bridge.EventTime(id)
	return t.UTC().Format(dayForm)
}

// folder is an event's own folder below the journal's. id is valid: it has no
// characters that mean something in a path.
func folder(id string) string { return path.Join(day(id), id) }

// files are the journal's folders. Nothing outside can be reached through them,
// whatever an id looks like and wherever a symbolic link points.
type files struct{ root *os.Root }

func openFiles(dir string) (files, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return files{}, err
	}
	root, err := os.OpenRoot(dir)
	return files{root}, err
}

// replace puts data under name: until it returns nil, what was there before is
// whole.
func (d files) replace(name string, data []byte) error {
	half := name + halfSuffix
	f, err := d.root.OpenFile(half, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = d.root.Rename(half, name)
	}
	if err != nil {
		_ = d.root.Remove(half) // it is worth nothing, and overwritten next time
	}
	return err
}

// saveEvent writes event.json. With fresh, the folder is made first and known
// to the disk afterwards.
func (d files) saveEvent(e bridge.Event, fresh bool) (length int64, err error) {
	data, err := json.Marshal(e)
	if err != nil {
		return 0, err
	}
	data = append(data, '\n')
	dir := folder(e.ID)
	_, missing := d.root.Lstat(day(e.ID))
	if err := d.root.MkdirAll(dir, 0o700); err != nil {
		return 0, err
	}
	if err := d.replace(path.Join(dir, eventFile), data); err != nil {
		return 0, err
	}
	if fresh {
		err = errors.Join(d.sync(dir), d.sync(day(e.ID)))
	}
	if missing != nil {
		err = errors.Join(err, d.sync("."))
	}
	return int64(len(data)), err
}

// sync makes sure that the disk knows the names in a folder.
func (d files) sync(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // it has no such call
	}
	f, err := d.root.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// appendClip writes frames behind the first size bytes of an event's clip and
// returns its new size. Whole parts count only: what an error left half is
// overwritten next time. A frame is written from where it lies.
func (d files) appendClip(id string, size int64, frames []bridge.Frame) (int64, int, error) {
	f, err := d.root.OpenFile(path.Join(folder(id), clipFile), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return size, 0, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.Size() < size {
		size = 0 // somebody took the file away
	}
	if size == 0 {
		if _, err := f.WriteAt([]byte(bridge.FirstBoundary), 0); err != nil {
			return 0, 0, err
		}
		size = int64(len(bridge.FirstBoundary))
	}
	for i, frame := range frames {
		n, err := f.WriteAt(frame.Machine(), size)
		if err != nil {
			return size, i, err
		}
		size += int64(n)
	}
	return size, len(frames), nil
}

// closing ends a multipart body (RFC 2046, section 5.1.1). It takes the place of
// the line break behind the last boundary, which announces one more part.
const closing = "--\r\n"

// finishClip cuts off what is no whole part, closes the body and makes the clip
// safe. It may be called again.
func (d files) finishClip(id string, size int64) error {
	f, err := d.root.OpenFile(path.Join(folder(id), clipFile), os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteAt([]byte(closing), size-2)
	if err == nil {
		err = f.Truncate(size + 2)
	}
	return errors.Join(err, f.Sync(), f.Close())
}

// wholeClip returns how many bytes of a clip, which a kill may have cut
// anywhere, are whole parts: it ends behind the last boundary.
func (d files) wholeClip(id string) (int64, error) {
	f, err := d.root.Open(path.Join(folder(id), clipFile))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, err
	}
	if last := make([]byte, len(bridge.Boundary)+2+len(closing)); end > int64(len(last)) {
		if _, err := f.ReadAt(last, end-int64(len(last))); err == nil && string(last) == "--"+bridge.Boundary+closing {
			return end - 2, nil // it was finished
		}
	}
	mark := []byte("\r\n" + bridge.FirstBoundary)
	b := make([]byte, 64<<10)
	for end > int64(len(mark)) {
		at := max(0, end-int64(len(b)))
		n, err := f.ReadAt(b[:end-at], at)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		if i := bytes.LastIndex(b[:n], mark); i >= 0 {
			return at + int64(i+len(mark)), nil
		}
		if at == 0 {
			break
		}
		end = at + int64(len(mark)) - 1 // it may lie across
	}
	return 0, nil
}

// remove removes an event as a whole: a kill on the way leaves a folder that
// the next Open finishes with.
func (d files) remove(id string) error {
	dir := folder(id)
	err := d.root.Rename(dir, dir+goneSuffix)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	err = d.root.RemoveAll(dir + goneSuffix)
	_ = d.root.Remove(day(id)) // if it was the day's last
	return err
}

// sizes are the bytes of an event's files; 0 for one that is not there.
type sizes struct{ event, picture, clip int64 }

// block is what a disk gives at least.
const block = 4 << 10

// total is what the event takes of the disk, with its folder.
func (s sizes) total() int64 {
	sum := int64(block)
	for _, n := range []int64{s.event, s.picture, s.clip} {
		sum += (n + block - 1) / block * block
	}
	return sum
}

// measure looks at an event's files.
func (d files) measure(id string) (s sizes, changed time.Time) {
	for name, n := range map[string]*int64{eventFile: &s.event, pictureFile: &s.picture, clipFile: &s.clip} {
		info, err := d.root.Lstat(path.Join(folder(id), name))
		if err != nil {
			continue
		}
		*n = info.Size()
		if name == eventFile {
			changed = info.ModTime()
		}
	}
	return s, changed
}

// maxEvent bounds event.json; ours have some hundred bytes.
const maxEvent = 1 << 20

// loadEvent reads event.json.
func (d files) loadEvent(id string) (bridge.Event, error) {
	f, err := d.root.Open(path.Join(folder(id), eventFile))
	if err != nil {
		return bridge.Event{}, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxEvent+1))
	if err != nil {
		return bridge.Event{}, err
	}
	return parseEvent(id, data)
}

// parseEvent reads an event and makes sure that it can be shown. What a newer
// program wrote beside is left out.
func parseEvent(id string, data []byte) (bridge.Event, error) {
	var e bridge.Event
	if len(data) > maxEvent {
		return e, errors.New("it is larger than 1 MiB")
	}
	if err := json.Unmarshal(data, &e); err != nil {
		return bridge.Event{}, err
	}
	switch _, valid := bridge.EventTime(e.ID); {
	case !valid || e.ID != id:
		return bridge.Event{}, errors.New("its id is not the folder's")
	case e.Camera == "":
		return bridge.Event{}, errors.New("it names no camera")
	case e.Begin.IsZero():
		return bridge.Event{}, errors.New("it has no begin")
	case !(e.Score >= 0 && e.Score <= 1):
		return bridge.Event{}, errors.New("its score is not from 0 to 1")
	}
	return e, nil
}

// days lists the folders of days, the oldest first, and strange counts names
// that are none.
func (d files) days() (days []string, strange int, err error) {
	all, err := fs.ReadDir(d.root.FS(), ".")
	for _, entry := range all {
		if _, err := time.Parse(dayForm, entry.Name()); err != nil || !entry.IsDir() {
			strange++
			continue
		}
		days = append(days, entry.Name())
	}
	slices.Sort(days)
	return days, strange, err
}
