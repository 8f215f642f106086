package bridge

import (
	"strings"
	"unicode"
)

// maxMistyped bounds, in bytes, the names that Nearest looks at.
const maxMistyped = 40

// Nearest returns the known name that somebody may have meant by name, or "".
// Capitals do not count, and - and a space are the same as _.
func Nearest(name string, known []string) string {
	if len(name) > maxMistyped {
		return ""
	}
	name = strings.Map(func(r rune) rune {
		if r == '-' || r == ' ' {
			return '_'
		}
		return unicode.ToLower(r)
	}, name)
	best, limit := "", 1+len(name)/4
	for _, k := range known {
		if d := distance(name, strings.ToLower(k)); d <= limit {
			best, limit = k, d-1
		}
	}
	return best
}

// distance counts the letters to insert, remove, change or swap with their
// neighbour to get from a to b.
func distance(a, b string) int {
	var before []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next := make([]int, len(b)+1)
		next[0] = i + 1
		for j := range len(b) {
			change := row[j]
			if a[i] != b[j] {
				change++
			}
			next[j+1] = min(change, row[j+1]+1, next[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
