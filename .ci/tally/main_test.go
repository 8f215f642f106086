package main

import (
	"bytes"
	"strings"
	"testing"
)

// gather runs one reader over text and returns what was printed and the rows.
func gather(t *testing.T, read func(*tally, string) error, text string) (out, rows string) {
	t.Helper()
	var o, r bytes.Buffer
	ta := &tally{out: &o, rows: &r}
	if err := read(ta, text); err != nil {
		t.Fatal(err)
	}
	return o.String(), r.String()
}

func readGo(t *tally, s string) error   { return t.goTests(strings.NewReader(s)) }
func readPage(t *tally, s string) error { return t.pageTests(strings.NewReader(s)) }

func TestGoTests(t *testing.T) {
	tests := []struct{ name, in, rows, shown string }{
		{"passes", `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"chatter\n"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Elapsed":1.5}`,
			"pass\tp\tTestA\t\n", "ok    p: 1 tests in 1.5 s\n"},
		{"subtests are counted, their parent is not", `{"Action":"run","Package":"p","Test":"TestA/x"}
{"Action":"fail","Package":"p","Test":"TestA/x"}
{"Action":"run","Package":"p","Test":"TestA/y"}
{"Action":"pass","Package":"p","Test":"TestA/y"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"fail","Package":"p"}`,
			"fail\tp\tTestA/x\t\npass\tp\tTestA/y\t\n", "FAIL  p: 2 tests"},
		{"a parent that fails by itself is counted", `{"Action":"run","Package":"p","Test":"TestA/x"}
{"Action":"pass","Package":"p","Test":"TestA/x"}
{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:9: goroutine left\n"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"fail","Package":"p"}`,
			"pass\tp\tTestA/x\t\nfail\tp\tTestA\t\n", "goroutine left"},
		{"a skip has its reason", `{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:12: no mosquitto here\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"--- SKIP: TestA (0.00s)\n"}
{"Action":"skip","Package":"p","Test":"TestA"}`,
			"skip\tp\tTestA\tno mosquitto here\n", ""},
		{"a package that does not build", `{"Action":"build-output","ImportPath":"p [p.test]","Output":"a.go:3: undefined: x\n"}
{"Action":"fail","Package":"p","FailedBuild":"p [p.test]"}`,
			"fail\tp\t(whole package)\t\n", "undefined: x"},
		{"a panic in a test that never ended", `{"Action":"output","Package":"p","Test":"TestA","Output":"panic: boom\n"}
{"Action":"fail","Package":"p"}`,
			"fail\tp\t(whole package)\t\n", "panic: boom"},
		{"a package without tests", `{"Action":"skip","Package":"p"}`, "", ""},
		{"words of the go command", "go: cannot find main module\n", "", "go: cannot find main module\n"},
	}
	for _, tt := range tests {
		out, rows := gather(t, readGo, tt.in)
		if rows != tt.rows || !strings.Contains(out, tt.shown) {
			t.Errorf("%s: rows %q, want %q; shown %q, want %q in it", tt.name, rows, tt.rows, out, tt.shown)
		}
	}
}

// TestBuilds: the same test of two builds is two rows.
func TestBuilds(t *testing.T) {
	const in = `{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"build-output","ImportPath":"q","Output":"no such header\n"}
{"Action":"fail","Package":"q","FailedBuild":"q"}`
	out, rows := gather(t, func(ta *tally, s string) error {
		ta.build = "with OpenCV"
		return readGo(ta, s)
	}, in)
	if want := "pass\tp with OpenCV\tTestA\t\nfail\tq with OpenCV\t(whole package)\t\n"; rows != want {
		t.Errorf("rows %q, want %q", rows, want)
	}
	if !strings.Contains(out, "no such header") || !strings.Contains(out, "FAIL  q with OpenCV") {
		t.Errorf("shown %q", out)
	}
}

const tap = `TAP version 13
# Subtest: a name
ok 1 - a name
  ---
  duration_ms: 1.2
  ...
# Subtest: bad
not ok 2 - bad
  ---
  error: '1 !== 2'
  ...
ok 3 - in Safari # SKIP no WebKit here
1..3
# tests 3
# suites 0
# pass 1
# fail 1
# cancelled 0
# skipped 1
# todo 0
`

const spec = `✔ a name (1.2ms)
✖ bad (2ms)
﹣ in Safari (0.1ms) # SKIP no WebKit here
ℹ tests 3
ℹ pass 1
ℹ fail 1
ℹ cancelled 0
ℹ skipped 1

✖ failing tests:
✖ bad (2ms)
  1 !== 2
`

func TestPageTests(t *testing.T) {
	for name, text := range map[string]string{"TAP": tap, "spec": spec} {
		out, rows := gather(t, readPage, text)
		want := "skip\tpage\tin Safari\tno WebKit here\npass\tpage\t1\t\nfail\tpage\t"
		if !strings.HasPrefix(rows, want) || strings.Count(rows, "\n") != 3 {
			t.Errorf("%s: rows %q, want %q", name, rows, want)
		}
		if !strings.Contains(out, "1 !== 2") || strings.Contains(out, "a name") {
			t.Errorf("%s: shown\n%s", name, out)
		}
	}
	if _, rows := gather(t, readPage, tap); !strings.Contains(rows, "fail\tpage\tbad\t\n") {
		t.Errorf("the failed test has no name: rows %q", rows)
	}
	if _, rows := gather(t, readPage, "npm error: no script\n"); rows != "fail\tpage\t(no tests ran)\t\n" {
		t.Errorf("a run without tests: rows %q", rows)
	}
	if out, _ := gather(t, readPage, "# tests 2\n# pass 2\n# fail 0\n"); out != "ok    page: 2 tests\n" {
		t.Errorf("a good run is not short: %q", out)
	}
}

func TestSum(t *testing.T) {
	tests := []struct {
		rows, want string
		ok         bool
	}{
		{"pass\tp\tA\t\npass\tp\tB\t\n", "2 passed, 0 failed\n", true},
		{"pass\tp\tA\t\nfail\tp\tB\t\nskip\tp\tC\tno cat\n", "skipped:\n  p C: no cat\nfailed:\n  p B\n1 passed, 1 failed, 1 skipped\n", false},
		{"", "0 passed, 0 failed\n", false},
	}
	for _, tt := range tests {
		var out bytes.Buffer
		ok, err := sum(strings.NewReader(tt.rows), &out)
		if err != nil || ok != tt.ok || out.String() != tt.want {
			t.Errorf("sum of %q: %q, %v, %v; want %q, %v", tt.rows, out.String(), ok, err, tt.want, tt.ok)
		}
	}
	if _, err := sum(strings.NewReader("nonsense\n"), &bytes.Buffer{}); err == nil {
		t.Error("a line that is no row was counted")
	}
}
