package bridge

import (
	"slices"
	"time"
)

// Role is what a person or a token may do. Each includes the ones before it.
type Role string

// The roles. Public is for routes that need no credentials.
const (
	Public   Role = "public"
	Viewer   Role = "viewer"   // see pictures and states
	Operator Role = "operator" // also move, light, set
	Admin    Role = "admin"    // also keys, names, removal
)

var ranks = map[Role]int{Public: 0, Viewer: 1, Operator: 2, Admin: 3}

// Includes reports whether a holder of r may do what needs the role need.
func (r Role) Includes(need Role) bool {
	have, ok := ranks[r]
	want, known := ranks[need]
	return ok && known && have >= want
}

// Principal is who asks. The zero Principal may do nothing.
type Principal struct {
	Name    string   // token's or person's name, for logs
	Role    Role     //
	Cameras []string // ids that it may see; nil means all
}

// May reports whether p may do what needs the role need on the camera
// (empty: on the bridge as a whole).
func (p Principal) May(need Role, camera string) bool {
	if !p.Role.Includes(need) {
		return false
	}
	return camera == "" || p.Cameras == nil || slices.Contains(p.Cameras, camera)
}

// StreamToken is a token that opens the pictures of some cameras and nothing
// else, as lists show it. The secret itself is not kept.
type StreamToken struct {
	ID      string    // such as "k3f9a1bc"
	Name    string    // for people; 1 to 64 characters
	Cameras []string  // ids; never empty
	Prefix  string    // the first 8 characters of the secret
	Created time.Time // UTC, in whole seconds
}
