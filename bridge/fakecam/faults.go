package fakecam

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// The faults. A rate is the share of pictures (of dials, for WrongKey) that
// they strike, above 0 to 1.
const (
	Garbage   = "garbage"         // bytes that are no JPEG
	Oversize  = "oversize"        // a good JPEG, larger than the server allows
	Truncated = "truncated"       // a JPEG that stops somewhere in the middle
	Slow      = "slow"            // the picture goes out byte by byte, a thousand a second
	Stall     = "stall"           // no more pictures on this connection; pings are answered
	HalfOpen  = "half-open"       // neither reads nor writes any more, for 90 seconds
	Storm     = "reconnect-storm" // hangs up after the picture and is back at once
	WrongKey  = "wrong-key"       // dials with a key that nobody made
)

// faultNames are all faults in the order in which they are drawn.
var faultNames = []string{Garbage, Oversize, Truncated, Slow, Stall, HalfOpen, Storm, WrongKey}

// Faults maps names of faults to their rates.
type Faults map[string]float64

// FaultNames lists all faults.
func FaultNames() []string { return slices.Clone(faultNames) }

// ParseFaults reads "truncated:0.05,stall"; a fault without a rate always
// strikes.
func ParseFaults(text string) (Faults, error) {
	out := Faults{}
	for _, part := range strings.Split(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		name, rate, rated := strings.Cut(part, ":")
		out[name] = 1
		if rated {
			f, err := strconv.ParseFloat(rate, 64)
			if err != nil {
				return nil, bridge.Errorf(bridge.CodeInvalid, "fault %q: the rate after the colon must be a number above 0 up to 1", part).At("fault")
			}
			out[name] = f
		}
	}
	return out, out.check()
}

func (f Faults) check() error {
	for _, name := range slices.Sorted(maps.Keys(f)) {
		if !slices.Contains(faultNames, name) {
			return bridge.Errorf(bridge.CodeInvalid, "fault %q is not known: use %s", name, strings.Join(faultNames, ", ")).At("fault")
		}
		if r := f[name]; !(r > 0 && r <= 1) {
			return bridge.Errorf(bridge.CodeInvalid, "fault %s has the rate %v: use a number above 0 up to 1", name, r).At("fault")
		}
	}
	return nil
}

// mischief decides which fault strikes when. It draws the same numbers
// whatever the rates are, so that a seed means the same with every fault.
type mischief struct {
	rates   Faults
	random  *rand.Rand // a fixed number of draws per picture
	content *rand.Rand // as many as a bad picture needs
}

func newMischief(rates Faults, seed uint64) *mischief {
	return &mischief{rates: rates, random: rand.New(rand.NewPCG(seed, 2)), content: rand.New(rand.NewPCG(seed, 4))}
}

// picture returns the fault of the next picture, or "".
func (m *mischief) picture() string {
	found := ""
	for _, name := range faultNames {
		if name != WrongKey && m.random.Float64() < m.rates[name] && found == "" {
			found = name
		}
	}
	return found
}

// key reports whether the next dial has the wrong key. A dial draws no other
// number.
func (m *mischief) key() bool { return m.random.Float64() < m.rates[WrongKey] }

// garbage returns n bytes that do not begin like a JPEG.
func (m *mischief) garbage(n int) []byte {
	b := make([]byte, max(n, 4))
	for i := range b {
		b[i] = byte(m.content.Uint32())
	}
	b[0] &= 0x7f
	return b
}

// cut returns the beginning of a picture: a tenth to nine tenths of it.
func (m *mischief) cut(b []byte) []byte {
	return b[:int(float64(len(b))*(0.1+0.8*m.content.Float64()))]
}

// bloat returns b as a good JPEG of more than limit bytes, with comments after
// its first marker.
func bloat(b []byte, limit int) []byte {
	const most = 65535 // bytes of one comment, its length included
	out := slices.Clone(b[:2])
	for len(out)+len(b)-2 <= limit {
		out = append(out, 0xff, 0xfe, most>>8, most&0xff)
		out = append(out, make([]byte, most-2)...)
	}
	return append(out, b[2:]...)
}
