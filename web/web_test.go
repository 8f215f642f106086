package web_test

import (
	"io/fs"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/espcam-bridge/espcam-bridge/web"
)

// What scripts and styles may weigh, in bytes before gzip: the first view as it
// travels, and all of them without their comments. Events, player and areas came
// on top of the first view, so they are fetched when they are opened; so did the
// links for other programs, and the plugins with their forms and files.
const (
	firstBudget = 130_000
	budget      = 236_000
)

// read returns all files of the page by name.
func read(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := fs.WalkDir(web.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(web.FS(), name)
		files[name] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestOnlyThePageIsEmbedded(t *testing.T) {
	weight := 0
	for name, text := range read(t) {
		switch path.Ext(name) {
		case ".js", ".css":
			weight += len(comment.ReplaceAllString(text, ""))
		case ".html", ".svg", ".webmanifest":
		default:
			t.Errorf("%s is embedded: only what the browser needs may be", name)
		}
		if strings.Contains(name, "test") || strings.Contains(name, "node_modules") {
			t.Errorf("%s is embedded, but is no part of the page", name)
		}
	}
	if weight == 0 || weight > budget {
		t.Errorf("scripts and styles weigh %d bytes: the budget is %d", weight, budget)
	}
}

var comment = regexp.MustCompile(`(?s)/\*.*?\*/|(?m:^\s*//.*$)`)

func TestTheFirstViewIsLight(t *testing.T) {
	files := read(t)
	first := map[string]bool{}
	var add func(name string)
	add = func(name string) {
		if first[name] {
			return
		}
		first[name] = true
		for _, m := range importOf.FindAllStringSubmatch(files[name], -1) {
			add(path.Join(path.Dir(name), m[1]))
		}
	}
	for _, m := range assetOf.FindAllStringSubmatch(files["index.html"], -1) {
		add(m[1])
	}
	weight := 0
	for name := range first {
		if ext := path.Ext(name); ext == ".js" || ext == ".css" {
			weight += len(files[name])
		}
	}
	t.Logf("%d bytes", weight)
	if weight == 0 || weight > firstBudget {
		t.Errorf("scripts and styles of the first view weigh %d bytes: the budget is %d", weight, firstBudget)
	}
	for name := range first {
		if dir := path.Dir(name); dir == "events" || dir == "motion" || dir == "plugins" {
			t.Errorf("%s belongs to the first view: load it with import() when it is opened", name)
		}
	}
}

var (
	importOf = regexp.MustCompile(`(?m)^(?:import|export) (?:[^'"]* from )?'([^']+)'`)
	laterOf  = regexp.MustCompile(`(?:import|new URL)\('(\.[^']+)'`)
	assetOf  = regexp.MustCompile(`\{\{assets\}\}/([^"]+)"`)
)

func TestEveryReferenceResolves(t *testing.T) {
	files := read(t)
	count := 0
	check := func(from, to string) {
		count++
		if _, ok := files[to]; !ok {
			t.Errorf("%s refers to %s, which is not there", from, to)
		}
	}
	for name, text := range files {
		for _, m := range importOf.FindAllStringSubmatch(text, -1) {
			if !strings.HasPrefix(m[1], ".") {
				t.Errorf("%s imports %q: the page has no packages, only relative imports", name, m[1])
			}
			check(name, path.Join(path.Dir(name), m[1]))
		}
		for _, m := range assetOf.FindAllStringSubmatch(text, -1) {
			check(name, m[1])
		}
		for _, m := range laterOf.FindAllStringSubmatch(text, -1) {
			check(name, path.Join(path.Dir(name), m[1]))
		}
	}
	if count < 10 {
		t.Errorf("found only %d references: this test does not see them", count)
	}
}

// forbidden is what the content security policy, plain HTTP or old data in the
// page would punish.
var forbidden = []struct {
	in, pattern, why string
}{
	{".js", `\.(?:inner|outer)HTML\b|insertAdjacentHTML|document\.write|\beval\(|new Function\(`, "text of others must never become markup or code"},
	{".js", `\bhttps?://(?:$|[^/w])`, "the page asks nobody but its own bridge"},
	{".js", `crypto\.(?:subtle|randomUUID)|\bImageDecoder\b|serviceWorker|wakeLock`, "this needs HTTPS, and most people have none"},
	{".css", `@import|url\(`, "styles load nothing"},
	{".html", `\sstyle=|\son[a-z]+=|<style|<script(?:>|[^>]*>[^<])`, "inline styles and scripts are refused by the policy"},
}

func TestNothingForbidden(t *testing.T) {
	files := read(t)
	for _, f := range forbidden {
		pattern := regexp.MustCompile(f.pattern)
		for name, text := range files {
			if m := pattern.FindString(text); m != "" && path.Ext(name) == f.in {
				t.Errorf("%s contains %q: %s", name, m, f.why)
			}
		}
	}
}
