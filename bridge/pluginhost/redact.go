package pluginhost

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"sync"
)

const (
	redacted  = "[redacted]"
	minSecret = 4    // characters: shorter ones are in every text
	maxKnown  = 1024 // forms of secrets
)

// redactor replaces secrets in texts. It knows each in the forms in which it
// is written into URLs, JSON and headers, and does not forget old ones: a plugin
// may still speak of them.
type redactor struct {
	mu       sync.RWMutex
	known    []string // the longest first
	replacer *strings.Replacer
}

func (r *redactor) learn(secrets ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range secrets {
		for _, form := range forms(s) {
			if len(form) >= minSecret && !slices.Contains(r.known, form) && len(r.known) < maxKnown {
				r.known = append(r.known, form)
			}
		}
	}
	slices.SortFunc(r.known, func(a, b string) int { return len(b) - len(a) })
	pairs := make([]string, 0, 2*len(r.known))
	for _, s := range r.known {
		pairs = append(pairs, s, redacted)
	}
	r.replacer = strings.NewReplacer(pairs...)
}

// forms are the ways in which a secret, or each text in a list or map of them,
// may be written.
func forms(s string) []string {
	var list []string
	var table map[string]string
	parts := []string{s}
	if json.Unmarshal([]byte(s), &list) == nil {
		parts = append(parts, list...)
	} else if json.Unmarshal([]byte(s), &table) == nil {
		for _, v := range table {
			parts = append(parts, v)
		}
	}
	var out []string
	for _, p := range parts {
		p = strings.TrimSpace(p)
		out = append(out, p, url.QueryEscape(p), url.PathEscape(p), base64.StdEncoding.EncodeToString([]byte(p)))
		if quoted, err := json.Marshal(p); err == nil {
			out = append(out, strings.Trim(string(quoted), `"`))
		}
	}
	return out
}

// clean returns text without secrets.
func (r *redactor) clean(text string) string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.replacer == nil {
		return text
	}
	return r.replacer.Replace(text)
}
