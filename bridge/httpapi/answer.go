package httpapi

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// setHeaders sets what every answer carries, whatever it is.
func setHeaders(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "accelerometer=(), autoplay=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), usb=()")
	h.Set("Content-Security-Policy", policy("'self'"))
	h.Set("Cache-Control", "no-store")
}

// policy is the Content-Security-Policy: nothing but what we serve ourselves.
func policy(ancestors string) string {
	return "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; " +
		"worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors " + ancestors +
		"; require-trusted-types-for 'script'"
}

// shareable lets pages of other origins embed the answer.
func shareable(h http.Header) {
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	h.Set("Content-Security-Policy", policy("*"))
}

// answer is an error with more to say than its code: another status, headers.
type answer struct {
	status int
	err    *bridge.Error
	header http.Header
}

func (a *answer) Error() string { return a.err.Error() }

func (a *answer) Unwrap() error { return a.err }

// errAnswered says that the handler has answered itself.
var errAnswered = errors.New("answered")

// fault is the JSON form of an error.
type fault struct {
	Code    bridge.Code `json:"code"`
	Message string      `json:"message"`
	Field   string      `json:"field,omitempty"`

	Problems []problem `json:"problems,omitempty"` // each of several that are wrong, the first too
}

// problem is what is wrong with one input of several.
type problem struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

// faultOf returns what a caller may know of err. An error that is no
// *bridge.Error is ours: its text is for the log.
func (s *Server) faultOf(err error) fault {
	var e *bridge.Error
	if !errors.As(err, &e) || e.Code == bridge.CodeInternal {
		s.log.Error("request failed", "err", err)
		return fault{Code: bridge.CodeInternal, Message: "the bridge made a mistake: its log says more"}
	}
	f := fault{Code: e.Code, Message: e.Message, Field: e.Field}
	if all := problemsOf(err); len(all) > 1 {
		f.Problems = all
	}
	return f
}

// problemsOf returns what is wrong with each input, of errors that were joined.
func problemsOf(err error) (out []problem) {
	var many interface{ Unwrap() []error }
	if errors.As(err, &many) {
		for _, one := range many.Unwrap() {
			out = append(out, problemsOf(one)...)
		}
		return out
	}
	var e *bridge.Error
	if errors.As(err, &e) && e.Field != "" {
		out = append(out, problem{e.Field, e.Message})
	}
	return out
}

// fail answers with err as JSON.
func (s *Server) fail(w http.ResponseWriter, err error) {
	if errors.Is(err, errAnswered) {
		return
	}
	f := s.faultOf(err)
	status := statusOf(f.Code)
	var a *answer
	if errors.As(err, &a) {
		status = a.status
		for k, v := range a.header {
			w.Header()[k] = v
		}
	}
	send(w, status, map[string]fault{"error": f})
}

func statusOf(c bridge.Code) int {
	switch c {
	case bridge.CodeNotFound:
		return http.StatusNotFound
	case bridge.CodeInvalid:
		return http.StatusBadRequest
	case bridge.CodeDenied:
		return http.StatusForbidden
	case bridge.CodeConflict, bridge.CodeBusy:
		return http.StatusConflict
	case bridge.CodeUnsupported:
		return http.StatusUnprocessableEntity
	case bridge.CodeTooLarge:
		return http.StatusRequestEntityTooLarge
	case bridge.CodeRateLimited:
		return http.StatusTooManyRequests
	case bridge.CodeUnavailable:
		return http.StatusServiceUnavailable
	case bridge.CodeTimeout:
		return http.StatusGatewayTimeout
	}
	return http.StatusInternalServerError
}

// send answers with v as JSON. A client that left meanwhile is no fault.
func send(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // our own types: cannot be
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerTime)) // a device may have taken long
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)+1))
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
}

const (
	maxBody  = 1 << 20
	bodyTime = 10 * time.Second
)

// decode reads the one JSON object of a request's body into v and refuses what
// v does not name.
func decode(w http.ResponseWriter, r *http.Request, v any) error {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return &answer{status: http.StatusUnsupportedMediaType, err: bridge.Errorf(bridge.CodeInvalid, "send JSON, with Content-Type: application/json")}
	}
	limitBody(w, r)
	return strict(r.Body, v)
}

// limitBody bounds how long a body may be, and how long it may take to come.
func limitBody(w http.ResponseWriter, r *http.Request) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime)) // as for writing
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
}

// strict decodes exactly one JSON object.
func strict(rd io.Reader, v any) error {
	dec := json.NewDecoder(rd)
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return badJSON(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return bridge.Errorf(bridge.CodeInvalid, "there is something after the JSON object")
	}
	return nil
}

func badJSON(err error) error {
	var large *http.MaxBytesError
	var kind *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	name, unknown := strings.CutPrefix(err.Error(), "json: unknown field ")
	switch {
	case errors.As(err, &large):
		return bridge.Errorf(bridge.CodeTooLarge, "the body is larger than %d bytes", large.Limit)
	case errors.As(err, &kind) && kind.Field != "":
		return bridge.Errorf(bridge.CodeInvalid, "%s cannot be a JSON %s", kind.Field, kind.Value).At(kind.Field)
	case errors.As(err, &kind):
		return bridge.Errorf(bridge.CodeInvalid, "this must be a JSON object, not a %s", kind.Value)
	case errors.As(err, &syntax):
		return bridge.Errorf(bridge.CodeInvalid, "this is not JSON: %s at byte %d", syntax.Error(), syntax.Offset)
	case unknown:
		field, _ := strconv.Unquote(name)
		return bridge.Errorf(bridge.CodeInvalid, "there is no field %.60q", field).At(truncate(field, 60))
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return bridge.Errorf(bridge.CodeInvalid, "the JSON object is missing or not complete")
	}
	return bridge.Errorf(bridge.CodeInvalid, "the body could not be read: %w", err)
}

func truncate(s string, n int) string {
	if len(s) > n {
		return strings.ToValidUTF8(s[:n], "")
	}
	return s
}
