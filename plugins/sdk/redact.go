package sdk

import (
	"encoding/json"
	"io"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// minSecret is the length in bytes from which a value is taken out of texts:
// shorter ones are in every other word, and what is left would show them.
const minSecret = 4

const hidden = "***"

// redactor takes the values of secrets out of texts. It learns them at every
// Configure and forgets none.
type redactor struct {
	mu       sync.RWMutex
	known    []string // as given and as they look in URLs and JSON, longest first
	replacer *strings.Replacer
}

func (r *redactor) learn(secrets map[string]string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, value := range secrets {
		if len(value) < minSecret {
			continue
		}
		r.known = append(r.known, value, url.QueryEscape(value), url.PathEscape(value), inJSON(value))
	}
	slices.SortFunc(r.known, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	r.known = slices.Compact(r.known)
	pairs := make([]string, 0, 2*len(r.known))
	for _, k := range r.known {
		pairs = append(pairs, k, hidden)
	}
	r.replacer = strings.NewReplacer(pairs...)
}

// text returns s without secrets, and fit for the wire.
func (r *redactor) text(s string) string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.replacer != nil {
		s = r.replacer.Replace(s)
	}
	return strings.ToValidUTF8(s, "?")
}

// inJSON is s as it stands between the quotes of a JSON text.
func inJSON(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		return s
	}
	return string(b[1 : len(b)-1])
}

// redactingWriter takes secrets out of what is written, a record at a time.
type redactingWriter struct {
	to     io.Writer
	redact *redactor
}

func (w redactingWriter) Write(p []byte) (int, error) {
	if _, err := io.WriteString(w.to, w.redact.text(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}
