package bridge_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	maxFileLines     = 500
	maxFunctionLines = 60
)

// longFunctions names the few that may be longer, with the reason.
var longFunctions = map[string]string{}

func checkPackageComment(p pack) []string {
	lines := 0
	for _, f := range p.code() {
		if f.Doc != nil {
			lines += strings.Count(strings.TrimSpace(f.Doc.Text()), "\n") + 1
		}
	}
	if len(p.code()) == 0 || lines >= 5 && lines <= 15 {
		return nil
	}
	return []string{fmt.Sprintf("%s has a package comment of %d lines: say in 5 to 15 what it is for, who calls it, what it guarantees when things are slow or broken", p.path, lines)}
}

func checkFileLength(p pack) []string {
	var out []string
	for _, f := range p.code() {
		if f.lines > maxFileLines {
			out = append(out, fmt.Sprintf("%s has %d lines, more than %d: two things live in it", f.name, f.lines, maxFileLines))
		}
	}
	return out
}

func checkFunctionLength(p pack) []string {
	var out []string
	for _, f := range p.code() {
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			lines := p.fset.Position(fn.End()).Line - p.fset.Position(fn.Pos()).Line + 1
			if lines > maxFunctionLines && longFunctions[p.path+"."+fn.Name.Name] == "" {
				out = append(out, fmt.Sprintf("%s: %s has %d lines, more than %d: split it", p.at(fn), fn.Name.Name, lines, maxFunctionLines))
			}
		}
	}
	return out
}

func checkInit(p pack) []string {
	var out []string
	for _, f := range p.files {
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				out = append(out, p.at(fn)+": init runs before anybody asked: call it from where it is needed")
			}
		}
	}
	return out
}

func checkContexts(p pack) []string {
	if p.program() {
		return nil
	}
	return p.calls(p.code(), map[string]string{
		"context.Background": "take the context from the caller, so that it can end this",
		"context.TODO":       "take the context from the caller, so that it can end this",
	})
}

// checkSleep lets files sleep that use synctest: in its bubble that is how the
// clock is moved, and costs nothing.
func checkSleep(p pack) []string {
	tests := slices.DeleteFunc(slices.Clone(p.files), func(f source) bool {
		return !f.test || slices.Contains(imports([]source{f}), "testing/synctest")
	})
	return p.calls(tests, map[string]string{
		"time.Sleep": "wait for the condition itself (a channel, a ticker that polls), not for time to pass",
	})
}

// calls complains of each mention of pkg.Name in files.
func (p pack) calls(files []source, advice map[string]string) []string {
	var out []string
	for _, f := range files {
		ast.Inspect(f.File, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := sel.X.(*ast.Ident); ok {
					name := x.Name + "." + sel.Sel.Name
					if why := advice[name]; why != "" {
						out = append(out, fmt.Sprintf("%s: %s: %s", p.at(n), name, why))
					}
				}
			}
			return true
		})
	}
	return out
}

func checkNames(p pack) []string {
	switch name := path.Base(p.path); name {
	case "util", "utils", "common", "helper", "helpers", "misc", "types", "shared":
		return []string{fmt.Sprintf("%s: %q says nothing of what is in it: name the one idea", p.path, name)}
	}
	return nil
}

// checkPackageVariables finds package variables that are assigned outside their
// declaration, whose address is taken, or whose type exists to be changed.
func checkPackageVariables(p pack) []string {
	files := p.code()
	info := resolve(p, files)
	c := variableCheck{p: p, info: info}
	for _, f := range files {
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.GenDecl:
				c.declaration(d)
			case *ast.FuncDecl:
				ast.Inspect(d, c.statement)
			}
		}
	}
	return c.out
}

// resolve says what each identifier means. Imports stay unknown: who is a
// variable of this package, and which names are packages, is known without.
func resolve(p pack, files []source) *types.Info {
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}}
	conf := types.Config{
		Error:    func(error) {},
		Importer: noImports{},
	}
	all := make([]*ast.File, len(files))
	for i, f := range files {
		all[i] = f.File
	}
	// Its error is that imports are missing, as meant.
	_, _ = conf.Check(p.path, p.fset, all, info)
	return info
}

type noImports struct{}

func (noImports) Import(string) (*types.Package, error) {
	return nil, errors.New("not needed here")
}

type variableCheck struct {
	p    pack
	info *types.Info
	out  []string
}

func (c *variableCheck) declaration(d *ast.GenDecl) {
	if d.Tok != token.VAR {
		return
	}
	for _, s := range d.Specs {
		v := s.(*ast.ValueSpec)
		if sel, ok := v.Type.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok && (x.Name == "sync" || x.Name == "atomic") {
				c.complain(v, v.Names[0].Name, "its type exists to be changed")
			}
		}
	}
}

func (c *variableCheck) statement(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.AssignStmt:
		if n.Tok != token.DEFINE {
			for _, lhs := range n.Lhs {
				c.changed(lhs)
			}
		}
	case *ast.IncDecStmt:
		c.changed(n.X)
	case *ast.UnaryExpr:
		if n.Op == token.AND {
			c.changed(n.X)
		}
	case *ast.CallExpr:
		if fn, ok := n.Fun.(*ast.Ident); ok && len(n.Args) > 0 && (fn.Name == "delete" || fn.Name == "clear") {
			c.changed(n.Args[0])
		}
	}
	return true
}

// changed complains if e is a package variable, or a part of one.
func (c *variableCheck) changed(e ast.Expr) {
	for {
		switch x := e.(type) {
		case *ast.ParenExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.SelectorExpr:
			if id, ok := x.X.(*ast.Ident); ok {
				if _, ok := c.info.Uses[id].(*types.PkgName); ok {
					c.complain(e, id.Name+"."+x.Sel.Name, "it belongs to another package")
					return
				}
			}
			e = x.X
		case *ast.Ident:
			if v, ok := c.info.Uses[x].(*types.Var); ok && v.Pkg() != nil && v.Parent() == v.Pkg().Scope() {
				c.complain(e, x.Name, "make it a field of the value that owns it")
			}
			return
		default:
			return
		}
	}
}

func (c *variableCheck) complain(n ast.Node, name, why string) {
	c.out = append(c.out, fmt.Sprintf("%s: package variable %s changes: %s", c.p.at(n), name, why))
}

// TestReadmePaths keeps the README's tables of places true.
func TestReadmePaths(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for heading, column := range map[string]int{"Where is everything": 0, "Where do I add ...?": 1} {
		paths := tablePaths(string(text), heading, column)
		if len(paths) < 4 {
			t.Errorf("README: only %d paths in the table under %q", len(paths), heading)
		}
		for _, p := range paths {
			if _, err := os.Stat("../" + p); err != nil {
				t.Errorf("README, %q: %s is not there", heading, p)
			}
		}
	}
}

var quoted = regexp.MustCompile("`([^`]+)`")

// tablePaths returns what is quoted in one column of the table under a heading.
func tablePaths(text, heading string, column int) []string {
	_, rest, _ := strings.Cut(text, "\n## "+heading+"\n")
	rest, _, _ = strings.Cut(rest, "\n## ")
	var paths []string
	for line := range strings.Lines(rest) {
		cells := strings.Split(strings.Trim(line, "| \n"), "|")
		if !strings.HasPrefix(line, "|") || column >= len(cells) {
			continue
		}
		for _, m := range quoted.FindAllStringSubmatch(cells[column], -1) {
			paths = append(paths, m[1])
		}
	}
	return paths
}

// TestRulesNotice gives every rule code that breaks it, and code that does not.
func TestRulesNotice(t *testing.T) {
	const doc = "// Package x is here.\n//\n// One.\n// Two.\n// Three.\npackage x\n"
	long := func(n int) string { return strings.Repeat("\t_ = 1\n", n) }
	tests := []struct {
		rule, path, file, code string
		want                   string // "" means that the rule is content
	}{
		{"imports", "bridge/mqtt", "a.go", doc + `import "github.com/espcam-bridge/espcam-bridge/bridge/httpapi"`,
			"bridge/mqtt imports bridge/httpapi: adapters must not import each other, see README"},
		{"imports", "bridge/hub", "a.go", doc + `import "github.com/espcam-bridge/espcam-bridge/bridge/fleet"`, "parts must not know adapters"},
		{"imports", "bridge/hub", "a.go", doc + `import "github.com/espcam-bridge/espcam-bridge/bridge"`, ""},
		{"imports", "bridge/mqtt", "a.go", doc + `import "github.com/espcam-bridge/espcam-bridge/bridge/mqtt/fakeha"`, "adapters must not know test parts"},
		{"imports", "bridge/hub", "a_test.go", doc + `import "github.com/espcam-bridge/espcam-bridge/bridge/fleet"`, ""},
		{"imports", "bridge/fakecam", "a.go", doc + `import "github.com/espcam-bridge/espcam-bridge/bridge/hub"`, "it may import only"},
		{"imports", "bridge/httpapi", "a.go", doc + `import "github.com/espcam-bridge/espcam-bridge/web"`, "only bridge/app may"},
		{"imports", "bridge/hub", "a.go", doc + `import "github.com/gorilla/websocket"`, "only bridge/fakecam, bridge/httpapi"},
		{"imports", "bridge/ingest", "a.go", doc + `import "github.com/gorilla/websocket"`, ""},
		{"imports", "bridge/mqtt", "a.go", doc + `import "github.com/eclipse/paho.mqtt.golang/packets"`, ""},
		{"imports", "bridge/mqtt", "a.go", doc + `import "example.com/new"`, "stands in no row"},
		{"imports", "bridge/util", "a.go", doc, "has no line in the table of layers"},
		{"package comment", "x", "a.go", "package x", "a package comment of 0 lines"},
		{"package comment", "x", "a.go", "// Package x is short.\npackage x", "of 1 lines"},
		{"package comment", "x", "a.go", "// Package x\n" + strings.Repeat("// goes on\n", 15) + "package x", "of 16 lines"},
		{"package comment", "x", "a.go", doc, ""},
		{"file length", "x", "a.go", doc + strings.Repeat("\n", 495), "x/a.go has 501 lines"},
		{"file length", "x", "a.go", doc + strings.Repeat("\n", 494), ""},
		{"function length", "x", "a.go", doc + "func f() {\n" + long(59) + "}", "f has 61 lines"},
		{"function length", "x", "a.go", doc + "func f() {\n" + long(58) + "}", ""},
		{"no init", "x", "a.go", doc + "func init() {}", "init runs before anybody asked"},
		{"no init", "x", "a.go", doc + "type t int; func (t) init() {}", ""},
		{"no changing package variable", "x", "a.go", doc + "var n int\nfunc f() { n = 1 }", "package variable n changes"},
		{"no changing package variable", "x", "a.go", doc + "var n int\nfunc f() { n++ }", "package variable n changes"},
		{"no changing package variable", "x", "a.go", doc + "var m = map[string]struct{}{}\nfunc f() { delete(m, \"a\") }", "package variable m changes"},
		{"no changing package variable", "x", "a.go", doc + "var m = map[string]int{}\nfunc f() { m[\"a\"] = 1 }", "package variable m changes"},
		{"no changing package variable", "x", "a.go", doc + "var s struct{ a int }\nfunc f() func() { return func() { s.a = 1 } }", "package variable s changes"},
		{"no changing package variable", "x", "a.go", doc + "var n int\nfunc f() *int { return &n }", "package variable n changes"},
		{"no changing package variable", "x", "a.go", doc + "import \"net/http\"\nfunc f() { http.DefaultClient = nil }", "http.DefaultClient changes"},
		{"no changing package variable", "x", "a.go", doc + "import \"sync\"\nvar mu sync.Mutex", "package variable mu changes"},
		{"no changing package variable", "x", "a.go", doc + "var n = 1\nfunc f() int { n := n; n++; return n }", ""},
		{"no background context", "bridge/x", "a.go", doc + "import \"context\"\nvar c = context.Background()", "context.Background: take the context"},
		{"no background context", "bridge/x", "a.go", doc + "import \"context\"\nvar c = context.TODO()", "context.TODO"},
		{"no background context", "bridge/x", "a_test.go", doc + "import \"context\"\nvar c = context.Background()", ""},
		{"no background context", "cmd/x", "a.go", doc + "import \"context\"\nvar c = context.Background()", ""},
		{"no sleeping test", "x", "a_test.go", doc + "import \"time\"\nfunc f() { time.Sleep(1) }", "time.Sleep: wait for the condition"},
		{"no sleeping test", "x", "a_test.go", doc + "import \"time\"\nimport \"testing/synctest\"\nfunc f() { time.Sleep(1) }", ""},
		{"no sleeping test", "x", "a.go", doc + "import \"time\"\nfunc f() { time.Sleep(1) }", ""},
		{"no catch-all package", "bridge/utils", "a.go", doc, "says nothing of what is in it"},
		{"no catch-all package", "bridge/hub", "a.go", doc, ""},
	}
	noticed := map[string]bool{}
	for _, tt := range tests {
		i := slices.IndexFunc(rules, func(r rule) bool { return r.name == tt.rule })
		if i < 0 {
			t.Fatalf("there is no rule %q", tt.rule)
		}
		p := parsePackage(t, tt.path, map[string][]byte{tt.file: []byte(tt.code)})
		got := strings.Join(rules[i].check(p), "\n")
		if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
			t.Errorf("%s, given\n%s\nsaid %q, want %q", tt.rule, tt.code, got, tt.want)
		}
		noticed[tt.rule] = noticed[tt.rule] || tt.want != ""
	}
	for _, r := range rules {
		if !noticed[r.name] {
			t.Errorf("no example breaks the rule %q", r.name)
		}
	}
}
