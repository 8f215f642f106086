package config

import (
	"fmt"
	"math"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// The functions here turn the text of one value into its type. Their error is
// the sentence after the key's name, made by expected. None of them does I/O,
// and those of secrets never repeat the text.

func expected(format string, args ...any) error { return fmt.Errorf(format, args...) }

const (
	minIdle = 5 * time.Second
	maxIdle = time.Hour
	minKeep = time.Hour
	maxKeep = 10 * 365 * 24 * time.Hour
)

// optional makes a value that may be empty.
func optional[T any](parse func(string) (T, error)) func(string) (T, error) {
	return func(text string) (v T, err error) {
		if text == "" {
			return v, nil
		}
		return parse(text)
	}
}

func boolean(text string) (bool, error) {
	if text != "true" && text != "false" {
		return false, expected("must be true or false, not %s", quote(text))
	}
	return text == "true", nil
}

func number(lo, hi int) func(string) (int, error) {
	return func(text string) (int, error) {
		n, err := strconv.Atoi(text)
		if err != nil || n < lo || n > hi {
			return 0, expected("must be a whole number from %d to %d, not %s", lo, hi, quote(text))
		}
		return n, nil
	}
}

// size reads bytes.
func size[N int | int64](lo, hi N) func(string) (N, error) {
	return func(text string) (N, error) {
		n, ok := parseSize(text)
		if !ok {
			return 0, expected("must be a size such as 256KiB, 1MiB or a number of bytes, not %s", quote(text))
		}
		if n < int64(lo) || n > int64(hi) {
			return 0, expected("must be from %s to %s, not %s", inBytes(int64(lo)), inBytes(int64(hi)), quote(text))
		}
		return N(n), nil
	}
}

var units = []string{"KiB", "MiB", "GiB", "TiB"}

func parseSize(text string) (int64, bool) {
	shift := 0
	for i, unit := range units {
		if digits, ok := strings.CutSuffix(text, unit); ok {
			text, shift = strings.TrimRight(digits, " "), 10*(i+1)
		}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return n << shift, err == nil && n >= 0 && n <= math.MaxInt64>>shift
}

// inBytes writes n in the largest unit that leaves it whole.
func inBytes(n int64) string {
	i := 0
	for n >>= 10; n%1024 == 0 && i < len(units)-1; n >>= 10 {
		i++
	}
	return fmt.Sprint(n, units[i])
}

func duration(lo, hi time.Duration) func(string) (time.Duration, error) {
	return func(text string) (time.Duration, error) {
		d, err := time.ParseDuration(text)
		if err != nil {
			return 0, expected("must be a duration with a unit, such as 30s, 5m or 1h30m, not %s", quote(text))
		}
		if d < lo || d > hi {
			return 0, expected("must be from %s to %s, not %s", inTime(lo), inTime(hi), quote(text))
		}
		return d, nil
	}
}

// inTime writes 1h where Duration.String has 1h0m0s.
func inTime(d time.Duration) string {
	return strings.ReplaceAll(strings.ReplaceAll(d.String(), "m0s", "m"), "h0m", "h")
}

// choice accepts one of a few words.
func choice[T ~string](options ...T) func(string) (T, error) {
	return func(text string) (T, error) {
		if v := T(text); slices.Contains(options, v) {
			return v, nil
		}
		names := make([]string, len(options))
		for i, o := range options {
			names[i] = string(o)
		}
		return "", expected("must be one of %s, not %s", strings.Join(names, ", "), quote(text))
	}
}

// words accepts a line of text for people.
func words(limit int) func(string) (string, error) {
	return func(text string) (string, error) {
		n := utf8.RuneCountInString(text)
		if n < 1 || n > limit || strings.TrimSpace(text) != text || strings.ContainsFunc(text, unicode.IsControl) {
			return "", expected("must be 1 to %d characters on one line, without spaces around them, not %s", limit, quote(text))
		}
		return text, nil
	}
}

func filePath(text string) (string, error) {
	if text == "" || len(text) > 4096 || strings.ContainsFunc(text, unicode.IsControl) {
		return "", expected("must be the path of a file or directory, not %s", quote(text))
	}
	return text, nil
}

func address(text string) (string, error) {
	host, port, err := net.SplitHostPort(text)
	if err != nil || host != "" && !validHost(host) || !validPort(port) {
		return "", expected("must be host:port, such as :8080, 127.0.0.1:8080 or [::1]:8080, not %s", quote(text))
	}
	return text, nil
}

func validPort(port string) bool {
	_, err := strconv.ParseUint(port, 10, 16)
	return err == nil
}

var labelPattern = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$`)

// validHost accepts IP addresses and names. The last part of a name is not a
// number: 192.168.1.300 is no name.
func validHost(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	labels := strings.Split(host, ".")
	_, err := strconv.Atoi(labels[len(labels)-1])
	return err != nil && len(host) <= 253 &&
		!slices.ContainsFunc(labels, func(l string) bool { return !labelPattern.MatchString(l) })
}

func hostName(text string) (string, error) {
	if !validHost(text) {
		return "", expected("must be a host name such as cams.example.org, without port and scheme, not %s", quote(text))
	}
	return strings.ToLower(text), nil
}

func network(text string) (netip.Prefix, error) {
	if ip, err := netip.ParseAddr(text); err == nil && ip.Zone() == "" {
		return netip.PrefixFrom(ip, ip.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return p, expected("must be an IP address or a network such as 192.168.1.0/24, not %s", quote(text))
	}
	if p != p.Masked() {
		return p, expected("%s has bits set behind the network; write %s", p, p.Masked())
	}
	return p, nil
}

func oneNetwork(p *netip.Prefix) value { return one(p, network) }

var basePattern = regexp.MustCompile(`^(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+$`)

func basePath(text string) (string, error) {
	if len(text) > 200 || !basePattern.MatchString(text) {
		return "", expected("must be empty or a path such as /cams, with no slash at its end, not %s", quote(text))
	}
	return text, nil
}

// brokerURL returns the URL with its port. It never repeats the text, in which
// somebody may have put a password.
func brokerURL(text string) (string, error) {
	ports := map[string]string{"mqtt": "1883", "mqtts": "8883", "ws": "80", "wss": "443"}
	u, err := url.Parse(text)
	if err == nil && u.User != nil {
		return "", expected("must not hold a user name or password: use mqtt.username and mqtt.password")
	}
	if err != nil || ports[u.Scheme] == "" || !validHost(u.Hostname()) || u.RawQuery != "" || u.Fragment != "" || u.Opaque != "" {
		return "", expected("must be a URL such as mqtt://192.168.1.2:1883; mqtt, mqtts, ws and wss are known")
	}
	if strings.Trim(u.Path, "/") != "" && u.Scheme[0] == 'm' {
		return "", expected("must have no path: only ws and wss have one")
	}
	port := u.Port()
	if port == "" {
		port = ports[u.Scheme]
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", expected("must have a port from 1 to 65535")
	}
	u.Host = net.JoinHostPort(u.Hostname(), port)
	return u.String(), nil
}

var topicPattern = regexp.MustCompile(`^[^/+#$\s\pC][^/+#\s\pC]*(/[^/+#\s\pC]+)*$`)

func topic(text string) (string, error) {
	if len(text) > 100 || !topicPattern.MatchString(text) {
		return "", expected("must be an MQTT topic such as espcam or home/cams, without +, #, spaces, and / at an end, not %s", quote(text))
	}
	return text, nil
}

func room(text string) (string, error) {
	if !bridge.ValidRoom(text) {
		return "", expected("must be 1 to 64 letters, digits, - or _, and begin with a letter or digit, not %s", quote(text))
	}
	return text, nil
}

func cameraID(text string) (string, error) { return text, bridge.CheckID(text) }

var (
	tokenPattern = regexp.MustCompile(`^[!-~]{16,256}$`)
	keyPattern   = regexp.MustCompile(`^wsk_[A-Za-z0-9_-]{24,124}$`)
)

func checkToken(text string) error {
	if !tokenPattern.MatchString(text) {
		return expected("must be 16 to 256 letters, digits and signs without spaces, so that nobody can guess it")
	}
	return nil
}

func checkCameraKey(text string) error {
	if !keyPattern.MatchString(text) {
		return expected("must be wsk_ followed by 24 to 124 letters, digits, - or _")
	}
	return nil
}

func checkPassword(text string) error {
	if len(text) > 256 || strings.ContainsFunc(text, unicode.IsControl) {
		return expected("must be at most 256 characters on one line")
	}
	return nil
}

func checkUserPassword(text string) error {
	if text == "" {
		return expected("must not be empty")
	}
	return checkPassword(text)
}

// setting checks what can be checked without knowing the camera: the options
// of a choice are its own.
func setting(p bridge.Property, text string) (any, error) {
	var v any = text
	switch p.Kind {
	case bridge.Number:
		v = word(text)
		if n, err := strconv.Atoi(text); err == nil {
			v = n
		}
	case bridge.Bool:
		v = word(text)
		if b, err := boolean(text); err == nil {
			v = b
		}
	case bridge.Choice:
		if _, err := strconv.Atoi(text); text == "" || len(text) > 40 || err == nil {
			return nil, expected("must be one of the camera's own names, such as SVGA or Normal, not %s", quote(text))
		}
		p.Options = []string{text}
	}
	out, err := bridge.Offer{Properties: []bridge.Property{p}}.Check(bridge.Settings{p.Name: v})
	return out[p.Name], err
}

// word is text for a message that has quotation marks of its own, or none.
func word(text string) string { return strings.Trim(quote(text), `"`) }
