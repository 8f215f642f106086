//go:build !linux

package watch

import (
	"errors"
	"sync"
)

// Threads that stand back are made of what Linux offers; elsewhere workers are
// goroutines that rest between two pictures.

func standBack() error { return errors.ErrUnsupported }

type bell struct{ sync.Cond }

func newBell(*sync.Mutex) (*bell, error) { return nil, errors.ErrUnsupported }

func (b *bell) close() error { return nil }
