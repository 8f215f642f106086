package config_test

import (
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/espcam-bridge/espcam-bridge/bridge/config"
)

var update = flag.Bool("update", false, "rewrite testdata/*/*.golden")

// TestBad loads every file in testdata/bad and compares all its problems, as
// people see them, with the file's golden twin.
func TestBad(t *testing.T) {
	golden(t, "bad", func(c *config.Config, _ []config.Problem, err error) string {
		if err == nil || c != nil {
			t.Errorf("was accepted, with %v", c)
			return ""
		}
		return err.Error() + "\n"
	})
}

// TestWarnings does the same with files that are accepted.
func TestWarnings(t *testing.T) {
	golden(t, "warn", func(c *config.Config, warnings []config.Problem, err error) string {
		if err != nil {
			t.Errorf("was refused: %v", err)
			return ""
		}
		var b strings.Builder
		for _, w := range warnings {
			b.WriteString(w.String() + "\n")
		}
		return b.String()
	})
}

func golden(t *testing.T, dir string, show func(*config.Config, []config.Problem, error) string) {
	files, err := filepath.Glob("testdata/" + dir + "/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			golden, err := filepath.Abs(strings.TrimSuffix(file, ".yaml") + ".golden")
			if err != nil {
				t.Fatal(err)
			}
			got := show(config.Load(prepare(t, file)))
			if strings.Contains(got, "hunter") {
				t.Errorf("a secret is in\n%s", got)
			}
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%swant\n%s(run with -update if the new one is right)", got, want)
			}
		})
	}
}

// directive is a comment in a test file that says what is around it:
// "# env: NAME=value", "# mode: 644" or "# file: NAME=text".
var directive = regexp.MustCompile(`(?m)^# (env|mode|file): (.*)$`)

// prepare puts the file into an empty directory and goes there, so that
// messages name it shortly.
func prepare(t *testing.T, file string) config.Input {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	in := config.Input{Path: filepath.Base(file), Required: true}
	mode := os.FileMode(0o600)
	for _, d := range directive.FindAllSubmatch(text, -1) {
		switch what, arg := string(d[1]), string(d[2]); what {
		case "env":
			in.Environ = append(in.Environ, arg)
		case "mode":
			n, err := strconv.ParseUint(arg, 8, 32)
			if err != nil {
				t.Fatal(err)
			}
			mode = os.FileMode(n)
		case "file":
			name, content, _ := strings.Cut(arg, "=")
			write(t, name, strings.ReplaceAll(content, `\n`, "\n"), 0o600)
		}
	}
	write(t, in.Path, string(text), mode)
	return in
}

func write(t *testing.T, name, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, mode); err != nil { // whatever the umask is
		t.Fatal(err)
	}
}

// TestEveryMessageIsShown finds every sentence in the code of this package that
// goes to people, and wants it in a golden file or in the table of fileProblems.
func TestEveryMessageIsShown(t *testing.T) {
	shown := ""
	files, err := filepath.Glob("testdata/*/*.golden")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		shown += string(b)
	}
	for _, p := range fileProblems {
		shown += p.want + "\n"
	}
	sentences := append(messages(t), config.Explanations()...)
	if len(sentences) < 60 {
		t.Fatalf("found only %d sentences: does the code still use these functions?", len(sentences))
	}
	for _, s := range sentences {
		pattern := regexp.MustCompile(`%[a-z0-9]*[a-z]`).ReplaceAllString(regexp.QuoteMeta(s), `.+`)
		if !regexp.MustCompile(pattern).MatchString(shown) {
			t.Errorf("no golden file shows %q", s)
		}
	}
}

// messages returns each format that the package gives to the functions that
// make problems.
func messages(t *testing.T) []string {
	t.Helper()
	makers := []string{"expected", "problem", "suggest", "wrong", "warn"}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok && slices.Contains(makers, called(call)) {
				out = append(out, sentences(call)...)
			}
			return true
		})
	}
	return out
}

func called(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

// sentences returns the arguments that are literal texts with a space.
func sentences(call *ast.CallExpr) []string {
	var out []string
	for _, arg := range call.Args {
		if lit, ok := arg.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if s, err := strconv.Unquote(lit.Value); err == nil && strings.Contains(s, " ") {
				out = append(out, s)
			}
		}
	}
	return out
}
