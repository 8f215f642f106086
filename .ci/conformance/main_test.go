package main

import (
	"testing"
	"testing/fstest"
)

func TestTable(t *testing.T) {
	reports, err := read(fstest.MapFS{
		"a-TestX.json": {Data: []byte(`{"plugin":"a","version":"1.0.0","tier":"silver","points":[{"point":1,"state":"pass"},{"point":2,"state":"-"}]}`)},
		"a-TestY.json": {Data: []byte(`{"plugin":"a","version":"1.0.0","tier":"bronze","points":[{"point":1,"state":"pass"},{"point":2,"state":"fail"}]}`)},
		"b-TestX.json": {Data: []byte(`{"plugin":"b","version":"0.1.0","tier":"silver","points":[{"point":1,"state":"pass"},{"point":2,"state":"-"}]}`)},
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := replace("above\n"+begin+"old\n"+end+"\nbelow\n", table(reports))
	want := "above\n" + begin + `| plugin | tier | 1 | 2 |
|---|---|:-:|:-:|
| a 1.0.0 | bronze | ✓ | **✗** |
| b 0.1.0 | silver | ✓ | – |
` + end + "\nbelow\n"
	if err != nil || got != want {
		t.Errorf("%v, got\n%s\nwant\n%s", err, got, want)
	}
	if _, err := replace("no marks", "x"); err == nil {
		t.Error("a file without marks is no error")
	}
}

func TestBrokenReport(t *testing.T) {
	if _, err := read(fstest.MapFS{"a.json": {Data: []byte("{")}}); err == nil {
		t.Error("a report that is no JSON is no error")
	}
}
