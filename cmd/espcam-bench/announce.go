//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
)

// announce: 600 cameras with every entity, each with its document and its states,
// from the start of the MQTT client until a subscriber hears that it is online.
func announce(ctx context.Context, _ *rig) result {
	const name = "BenchmarkAnnounce"
	out, err := goBenchmark(ctx, "./bridge/mqtt", name)
	if err != nil {
		return failed(err)
	}
	took, err1 := metric(out, name, "ns/op")
	held, err2 := metric(out, name, "MB")
	lost, err3 := metric(out, name, "lost")
	messages, err4 := metric(out, name, "messages")
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return failed(err)
	}
	return result{
		Ours:  fmt.Sprintf("%.2f s, %.0f MB", took/1e9, held),
		OK:    took <= 5e9 && held <= 64 && lost == 0,
		Notes: []string{fmt.Sprintf("%s of package mqtt, with Mosquitto: %.0f messages, %.0f dropped or lost", name, messages, lost)},
	}
}
