package launch

import (
	"os"
	"slices"
	"strings"
)

// allowed are the variables of our own environment that a plugin sees.
var allowed = []string{
	"PATH", "TMPDIR", "TZ", "LANG", "LC_ALL",
	"http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
	"SSL_CERT_FILE", "SSL_CERT_DIR",
}

// environment is what a plugin sees besides go-plugin's own variables.
func environment(s Spec) []string {
	env := []string{"HOME=" + s.Dir, "PYTHONDONTWRITEBYTECODE=1", "PYTHONUNBUFFERED=1"}
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); slices.Contains(allowed, name) {
			env = append(env, kv)
		}
	}
	return append(env, s.Env...)
}
