package sdk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/espcam-bridge/espcam-bridge/plugins/pluginpb"
)

// Bridge is the bridge as a plugin can ask it. Its methods may be called at any
// time and by many at once; each call counts against 20 a second. What was not
// granted fails with ErrDenied.
type Bridge struct{ client pluginpb.HostClient }

// NewBridge makes a Bridge of a connection, for tests.
func NewBridge(client pluginpb.HostClient) *Bridge { return &Bridge{client: client} }

// Frame is one frame of a camera.
type Frame struct {
	JPEG     []byte
	Sequence uint64
	Received time.Time // when the bridge got it
	Captured time.Time // by the camera's clock; zero if it sent none
	Width    int       // pixels
	Height   int
	Dropped  uint64 // of Frames: so many were lost so far
}

// FramesOptions says which frames are wanted.
type FramesOptions struct {
	Camera string
	MaxFPS float64 // 0: all
	Every  bool    // a bounded queue, for recorders; else always the newest one
}

// Cameras lists the cameras that the instance may see.
func (b *Bridge) Cameras(ctx context.Context) ([]Camera, error) {
	if b.client == nil {
		return nil, ErrNoHost
	}
	out, err := b.client.Cameras(ctx, &pluginpb.CamerasRequest{})
	if err != nil {
		return nil, hostError(err)
	}
	return camerasOf(out.GetCameras()), nil
}

// Snapshot returns the newest frame that the bridge holds, no older than maxAge
// (0: of any age). Needs the permission snapshot.
func (b *Bridge) Snapshot(ctx context.Context, camera string, maxAge time.Duration) (Frame, error) {
	if b.client == nil {
		return Frame{}, ErrNoHost
	}
	in := &pluginpb.SnapshotRequest{Camera: camera, MaxAgeMs: uint32(maxAge.Milliseconds())}
	out, err := b.client.Snapshot(ctx, in)
	if err != nil {
		return Frame{}, hostError(err)
	}
	return frameOf(out, 0), nil
}

// Frames yields a camera's frames until ctx ends or the loop is left. An error is
// the last it yields. Needs the permission frames.
func (b *Bridge) Frames(ctx context.Context, o FramesOptions) iter.Seq2[Frame, error] {
	return func(yield func(Frame, error) bool) {
		if b.client == nil {
			yield(Frame{}, ErrNoHost)
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		stream, err := b.client.Frames(ctx, &pluginpb.FramesRequest{Camera: o.Camera, MaxFps: o.MaxFPS, Every: o.Every})
		for err == nil {
			var out *pluginpb.FramesResponse
			if out, err = stream.Recv(); err == nil && !yield(frameOf(out.GetPicture(), out.GetDropped()), nil) {
				return
			}
		}
		if !errors.Is(err, io.EOF) && ctx.Err() == nil {
			yield(Frame{}, hostError(err))
		}
	}
}

// Command sets a setting of a camera (name such as led, args its value) or makes
// it do something (name such as restart). Once a second at most. Needs the
// permission command.
func (b *Bridge) Command(ctx context.Context, camera, name string, args any) error {
	if b.client == nil {
		return ErrNoHost
	}
	text, err := json.Marshal(args)
	if err != nil {
		return err
	}
	out, err := b.client.Command(ctx, &pluginpb.CommandRequest{Camera: camera, Name: name, ArgsJson: string(text)})
	if err != nil {
		return hostError(err)
	}
	if !out.GetOk() {
		return errors.New(out.GetMessage())
	}
	return nil
}

// Publish puts up to 64 KiB on the MQTT topic <base>/plugin/<instance>/event/<name>,
// not retained. A name is [a-z0-9_-]{1,32}. Needs the permission publish.
func (b *Bridge) Publish(ctx context.Context, name string, payload []byte) error {
	if b.client == nil {
		return ErrNoHost
	}
	_, err := b.client.Publish(ctx, &pluginpb.PublishRequest{Name: name, Payload: payload})
	return hostError(err)
}

// SetState puts up to 4 KiB on the MQTT topic <base>/plugin/<instance>/<name>,
// retained. Needs the permission publish.
func (b *Bridge) SetState(ctx context.Context, name, value string) error {
	if b.client == nil {
		return ErrNoHost
	}
	_, err := b.client.SetState(ctx, &pluginpb.SetStateRequest{Name: name, Value: value})
	return hostError(err)
}

func hostError(err error) error {
	if status.Code(err) == codes.PermissionDenied {
		return fmt.Errorf("%w: %s", ErrDenied, status.Convert(err).Message())
	}
	return err
}

func frameOf(p *pluginpb.Picture, dropped uint64) Frame {
	return Frame{
		JPEG: p.GetJpeg(), Sequence: p.GetSequence(),
		Received: timeOf(p.GetReceivedMs()), Captured: timeOf(p.GetCapturedMs()),
		Width: int(p.GetWidth()), Height: int(p.GetHeight()), Dropped: dropped,
	}
}

func camerasOf(in []*pluginpb.Camera) []Camera {
	out := make([]Camera, len(in))
	for i, c := range in {
		out[i] = cameraOf(c)
	}
	return out
}
