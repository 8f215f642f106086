//go:build !linux

package aside

import (
	"errors"
	"sync"
)

// Threads that stand back are made of what Linux offers; elsewhere who asks
// for one stays an ordinary goroutine.

// StandBack is errors.ErrUnsupported.
func StandBack() error { return errors.ErrUnsupported }

// Bell is never made.
type Bell struct{ sync.Cond }

// NewBell is errors.ErrUnsupported.
func NewBell(*sync.Mutex) (*Bell, error) { return nil, errors.ErrUnsupported }

// Close does nothing.
func (b *Bell) Close() error { return nil }
