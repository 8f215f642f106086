package fakecam

import (
	"context"
	"strconv"
	"strings"
	"sync"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// Fleet makes n cameras like cfg. In Key, App, Room and Name {n} stands for the
// camera's number, from 1; keys, if there are any, take the place of Key. Each
// camera gets the next seed and the next scene.
func Fleet(cfg Config, n int, keys []string) ([]*Camera, error) {
	switch {
	case n < 1 || n > 10_000:
		return nil, bridge.Errorf(bridge.CodeInvalid, "count is %d: use 1 to 10000", n).At("count")
	case len(keys) > 0 && len(keys) < n:
		return nil, bridge.Errorf(bridge.CodeInvalid, "there are %d keys for %d cameras: each needs its own", len(keys), n).At("keys")
	case len(keys) == 0 && n > 1 && cfg.Key != "" && !strings.Contains(cfg.Key, "{n}"):
		return nil, bridge.Errorf(bridge.CodeInvalid, "%d cameras with one key would push each other out: put {n} into the key, or give a file of keys", n).At("key")
	}
	if cfg.Clip != "" && cfg.Loop == nil {
		var err error
		if cfg.Loop, err = LoadClip(cfg.Clip); err != nil {
			return nil, err
		}
	}
	cams := make([]*Camera, n)
	for i := range cams {
		c, err := New(cfg.numbered(i, keys))
		if err != nil {
			return nil, err
		}
		cams[i] = c
	}
	return cams, nil
}

func (cfg Config) numbered(i int, keys []string) Config {
	number := func(s string) string { return strings.ReplaceAll(s, "{n}", strconv.Itoa(i+1)) }
	cfg.Key, cfg.App, cfg.Room, cfg.Name = number(cfg.Key), number(cfg.App), number(cfg.Room), number(cfg.Name)
	if len(keys) > 0 {
		cfg.Key = keys[i]
	}
	cfg.Seed += uint64(i)
	cfg.Scene += i
	return cfg
}

// RunAll plays cameras until ctx ends.
func RunAll(ctx context.Context, cams []*Camera) {
	var all sync.WaitGroup
	for _, c := range cams {
		all.Go(func() { _ = c.Run(ctx) }) // a camera that New made has no error to return
	}
	all.Wait()
}
