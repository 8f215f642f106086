package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"time"
)

// file is what a clip is written to.
type file interface {
	io.Writer
	io.WriterAt
	Truncate(size int64) error
	Sync() error
	Close() error
}

// clip writes one Matroska file: pictures as they are, each with its own time.
// Everything is written forwards, a picture with one write, and sizes are left
// open, as in a live stream: whatever happens, the file plays up to its last
// whole picture. finish fills in sizes, duration and index.
type clip struct {
	f        file
	end      int64 // of what is whole
	tracks   int64 // where the element begins
	clusters []cluster
	last     int64 // time of the newest picture, ms from the first; -1: none yet
	gap      int64 // between the two newest
}

// cluster holds the pictures of about a second. All offsets are in the file.
type cluster struct{ at, ms int64 }

const (
	clusterLength = 1000 // ms; also how exactly a player jumps
	seekHeadBytes = 68   // three entries, see seekHead
	durationBytes = 11   // a float64 with id and size
)

// Where things are is the same in every clip, so that what is known last can be
// written into its place, in a clip from before a crash too.
var (
	ebmlHead = element(idEBML,
		element(0x4286, number(1)), element(0x42F7, number(1)), element(0x42F2, number(4)), element(0x42F3, number(8)),
		element(0x4282, []byte("matroska")), element(0x4287, number(4)), element(0x4285, number(2)))
	segmentAt = int64(len(ebmlHead))
	contentAt = segmentAt + 4 + 8         // of the segment; positions in the file's own tables count from here
	infoAt    = contentAt + seekHeadBytes //
	lengthAt  = infoAt + 4 + 8            // the duration is the first in it
)

// about is what a clip says of itself.
type about struct {
	title         string // the camera's name
	begin         time.Time
	width, height int
}

// newClip writes everything that comes before the pictures.
func newClip(f file, a about) (*clip, error) {
	info := bytes.Join([][]byte{
		void(durationBytes),
		element(idScale, number(uint64(time.Millisecond))),
		element(idDate, binary.BigEndian.AppendUint64(nil, uint64(a.begin.Sub(time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC))))),
		element(idTitle, []byte(a.title)),
		element(idMuxer, []byte("espcam-plugin-recorder")),
		element(idWriter, []byte("espcam-plugin-recorder")),
	}, nil)
	b := bytes.Clone(ebmlHead)
	b = appendSize(appendID(b, idSegment), unknownSize, 8)
	b = append(b, void(seekHeadBytes)...)
	b = appendSize(appendID(b, idInfo), uint64(len(info)), 8)
	b = append(b, info...)
	c := &clip{f: f, tracks: int64(len(b)), last: -1}
	b = append(b, element(idTracks, element(idTrack,
		element(idNumber, number(1)), element(idUID, number(1)), element(idType, number(1)),
		element(idLacing, number(0)), element(idLanguage, []byte("und")), element(idCodec, []byte("V_MJPEG")),
		element(idVideo, element(idWidth, number(uint64(a.width))), element(idHeight, number(uint64(a.height))))))...)
	return c, c.write(b)
}

// add appends a picture of ms after the first one. A time that does not rise is
// taken as one millisecond later than the picture before.
func (c *clip) add(ms int64, jpeg []byte) error {
	if c.last >= 0 {
		ms = max(ms, c.last+1)
	}
	var b []byte
	if n := len(c.clusters); n == 0 || ms-c.clusters[n-1].ms >= clusterLength {
		b = appendSize(appendID(b, idCluster), unknownSize, 8)
		b = append(b, element(idTimestamp, number(uint64(ms)))...)
		c.clusters = append(c.clusters, cluster{at: c.end, ms: ms})
	}
	since := ms - c.clusters[len(c.clusters)-1].ms
	block := []byte{0x81, byte(since >> 8), byte(since), 0x80} // track 1, time, a key frame
	if err := c.write(append(b, element(idBlock, block, jpeg)...)); err != nil {
		if b != nil {
			c.clusters = c.clusters[:len(c.clusters)-1]
		}
		return err
	}
	if c.last >= 0 {
		c.gap = ms - c.last
	}
	c.last = ms
	return nil
}

// write appends b. After an error the clip still ends where it did before.
func (c *clip) write(b []byte) error {
	if _, err := c.f.Write(b); err != nil {
		return err
	}
	c.end += int64(len(b))
	return nil
}

// length is that of the clip with its last picture, in ms.
func (c *clip) length() int64 { return c.last + max(c.gap, 1) }

// finish cuts off what is not whole, writes the index and fills in what was not
// known before, then closes the file.
func (c *clip) finish() (err error) {
	defer func() {
		if closed := c.f.Close(); err == nil {
			err = closed
		}
	}()
	if err := c.f.Truncate(c.end); err != nil {
		return err
	}
	if c.last < 0 {
		return fmt.Errorf("the clip has no picture")
	}
	cues := c.cues()
	patches := []patch{
		{c.end, cues},
		{segmentAt + 4, appendSize(nil, uint64(c.end+int64(len(cues))-contentAt), 8)},
		{contentAt, c.seekHead()},
		{lengthAt, element(idDuration, binary.BigEndian.AppendUint64(nil, math.Float64bits(float64(c.length()))))},
	}
	for i, cl := range c.clusters {
		end := c.end
		if i+1 < len(c.clusters) {
			end = c.clusters[i+1].at
		}
		patches = append(patches, patch{cl.at + 4, appendSize(nil, uint64(end-cl.at-12), 8)})
	}
	for _, p := range patches {
		if _, err := c.f.WriteAt(p.bytes, p.at); err != nil {
			return err
		}
	}
	return c.f.Sync()
}

type patch struct {
	at    int64
	bytes []byte
}

// seekHead says where the parts are. Each entry takes 21 bytes, whatever it says.
func (c *clip) seekHead() []byte {
	var entries [][]byte
	for _, e := range []struct {
		id uint32
		at int64
	}{{idInfo, infoAt}, {idTracks, c.tracks}, {idCues, c.end}} {
		where := binary.BigEndian.AppendUint64(nil, uint64(e.at-contentAt))
		entries = append(entries, element(idSeek, element(idSeekID, appendID(nil, e.id)), element(idSeekPos, where)))
	}
	return element(idSeekHead, entries...)
}

func (c *clip) cues() []byte {
	var points [][]byte
	for _, cl := range c.clusters {
		points = append(points, element(idCue, element(idCueTime, number(uint64(cl.ms))),
			element(idCueWhere, element(idCueTrack, number(1)), element(idCueCluster, number(uint64(cl.at-contentAt))))))
	}
	return element(idCues, points...)
}
