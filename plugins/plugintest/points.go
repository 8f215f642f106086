package plugintest

import (
	"cmp"
	"context"
	"slices"
)

// point is one thing to try. It returns a sentence on what was seen, or why it
// failed, or that it does not apply (skipped).
type point struct {
	number int
	name   string
	run    func(*kit, context.Context) (string, error)
}

// points are all, by number. What each means for an author is in README.md.
func points() []point {
	return []point{
		{1, "handshake in time and alone on stdout", (*kit).handshake},
		{2, "Describe is always the same", (*kit).describeTwice},
		{3, "fields well formed, secrets marked", (*kit).fields},
		{4, "a missing required setting is named", (*kit).missing},
		{5, "an unknown setting is refused", (*kit).unknown},
		{6, "Configure again", (*kit).configureTwice},
		{7, "Check answers in time", (*kit).check},
		{8, "a test event arrives", (*kit).testEvent},
		{9, "no picture, 1 byte, 6 MB", (*kit).sizes},
		{10, "a cancelled call blocks nothing", (*kit).cancelled},
		{11, "upstream 500 is retried, 401 is final", (*kit).outcomes},
		{12, "eight calls at once", (*kit).eight},
		{13, "begin, update, end of one event", (*kit).updates},
		{14, "overlapping Detect is busy", (*kit).busy},
		{15, "boxes in the picture, labels as declared", (*kit).boxes},
		{16, "a refused permission is survived", (*kit).refused},
		{17, "ends when the host is killed", (*kit).hostKilled},
		{18, "SIGTERM and Drain end it with 0", (*kit).ends},
		{19, "restarts leave nothing behind", (*kit).restarts},
		{20, "memory stays through many events", (*kit).memory},
		{21, "secrets are never told", (*kit).secret},
		{22, "answers another API with its own", (*kit).otherMajor},
	}
}

// order is that in which they are tried: what was said is judged last.
func order() []point {
	last := func(p point) int {
		if p.number == 21 {
			return 1
		}
		return 0
	}
	list := points()
	slices.SortStableFunc(list, func(a, b point) int { return cmp.Compare(last(a), last(b)) })
	return list
}
