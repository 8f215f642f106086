package motion

import "math/bits"

// votes remembers what the last pictures said, the newest in the lowest bit.
type votes struct{ said uint16 }

func (v *votes) push(yes bool) {
	v.said <<= 1
	if yes {
		v.said |= 1
	}
}

func (v *votes) won(need, of int) bool {
	return bits.OnesCount16(v.said&(1<<of-1)) >= need
}

// zone is a named area with a decision of its own.
type zone struct {
	name string
	area area
	votes
}
