package store_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/store"
)

type record struct {
	Name string
	N    int
}

func open(t *testing.T, dir string) *store.Store {
	t.Helper()
	s, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func table(t *testing.T, s *store.Store) *store.Table[record] {
	t.Helper()
	tab, err := store.NewTable[record](s, "things")
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

func TestRecordsSurviveReopening(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "data")
	s := open(t, dir)
	tab := table(t, s)
	for i, name := range []string{"a", "b", "c"} {
		if err := tab.Put(name, record{name, i}); err != nil {
			t.Fatal(err)
		}
	}
	if err := tab.Delete("b"); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	tab = table(t, open(t, dir))
	if v, ok, err := tab.Get("c"); err != nil || !ok || v != (record{"c", 2}) {
		t.Errorf("Get(c) = %v, %v, %v", v, ok, err)
	}
	if _, ok, err := tab.Get("b"); ok || err != nil {
		t.Errorf("a deleted record is there: %v, %v", ok, err)
	}
	if all, err := tab.All(); err != nil || len(all) != 2 {
		t.Errorf("All = %v, %v", all, err)
	}
	for path, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, store.FileName): 0o600} {
		if st, err := os.Stat(path); err != nil || st.Mode().Perm() != want {
			t.Errorf("mode of %s is %v, want %v (%v)", path, st.Mode().Perm(), want, err)
		}
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	damaged := func(b []byte) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, store.FileName), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	tests := []struct {
		name    string
		prepare func(*testing.T, string)
		code    bridge.Code
		text    string
	}{
		{"garbage", damaged([]byte(strings.Repeat("not a database ", 1000))), bridge.CodeInvalid, "is damaged"},
		{"cut off", cutOff, bridge.CodeInvalid, "is damaged"},
		{"overwritten pages", overwrite, bridge.CodeInvalid, "is damaged"},
		{"in use", func(t *testing.T, dir string) { open(t, dir) }, bridge.CodeBusy, "in use by another"},
		{"a directory", func(t *testing.T, dir string) {
			if err := os.Mkdir(filepath.Join(dir, store.FileName), 0o700); err != nil {
				t.Fatal(err)
			}
		}, bridge.CodeUnavailable, "cannot open"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			tt.prepare(t, dir)
			s, err := store.Open(dir)
			if err == nil {
				s.Close()
				t.Fatal("Open succeeded")
			}
			if bridge.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("Open: %v (%s), want %s with %q", err, bridge.CodeOf(err), tt.code, tt.text)
			}
		})
	}
	t.Run("a file where the directory should be", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "data")
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := store.Open(path); bridge.CodeOf(err) != bridge.CodeUnavailable {
			t.Errorf("Open: %v", err)
		}
	})
}

// filled makes a database with some pages and returns its bytes.
func filled(t *testing.T, dir string) []byte {
	t.Helper()
	s := open(t, dir)
	tab := table(t, s)
	for i := range 200 {
		if err := tab.Put(fmt.Sprint("key", i), record{strings.Repeat("x", 200), i}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, store.FileName))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func cutOff(t *testing.T, dir string) {
	b := filled(t, dir)
	if err := os.WriteFile(filepath.Join(dir, store.FileName), b[:100], 0o600); err != nil {
		t.Fatal(err)
	}
}

func overwrite(t *testing.T, dir string) {
	b := filled(t, dir)
	page := os.Getpagesize()
	for i := 2 * page; i < len(b); i++ {
		b[i] = 0xA5
	}
	if err := os.WriteFile(filepath.Join(dir, store.FileName), b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestKillLosesNothingAcknowledged runs a writer in a process of its own, kills
// it with SIGKILL at an arbitrary moment, and finds every value that the writer
// said was stored.
func TestKillLosesNothingAcknowledged(t *testing.T) {
	if dir := os.Getenv("STORE_TEST_WRITER"); dir != "" {
		write(dir)
		return
	}
	for round := range 5 {
		dir := t.TempDir()
		cmd := exec.Command(os.Args[0], "-test.run=^TestKillLosesNothingAcknowledged$")
		cmd.Env = append(os.Environ(), "STORE_TEST_WRITER="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		last := -1
		for lines := bufio.NewScanner(out); lines.Scan() && last < 20+7*round; {
			if _, err := fmt.Sscanf(lines.Text(), "stored %d", &last); err != nil {
				t.Fatalf("the writer said %q", lines.Text())
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		cmd.Wait()

		v, ok, err := table(t, open(t, dir)).Get("counter")
		if err != nil || !ok || v.N < last {
			t.Errorf("round %d: stored %d, found %v %v %v", round, last, v.N, ok, err)
		}
	}
}

func write(dir string) {
	s, err := store.Open(dir)
	if err != nil {
		panic(err)
	}
	tab, err := store.NewTable[record](s, "things")
	if err != nil {
		panic(err)
	}
	for i := 0; ; i++ {
		if err := tab.Put("counter", record{"n", i}); err != nil {
			panic(err)
		}
		fmt.Println("stored", i)
	}
}

func TestCheckWrites(t *testing.T) {
	s := open(t, t.TempDir())
	if err := s.Check(); err != nil {
		t.Error(err)
	}
	s.Close()
	if err := s.Check(); err == nil {
		t.Error("Check of a closed store succeeded")
	}
}

func TestDescendAndUpdate(t *testing.T) {
	s := open(t, t.TempDir())
	tab := table(t, s)
	put := map[string]record{}
	for _, k := range []string{"a", "c", "e", "g"} {
		put[k] = record{k, 1}
	}
	if err := tab.Update(put, nil); err != nil {
		t.Fatal(err)
	}
	walk := func(before string, most int) (keys string) {
		t.Helper()
		err := tab.Descend(before, func(key string, v record, err error) bool {
			if err != nil || v.Name != key {
				t.Errorf("%s: %v, %v", key, v, err)
			}
			keys += key
			return len(keys) < most
		})
		if err != nil {
			t.Fatal(err)
		}
		return keys
	}
	for _, c := range []struct {
		before string
		most   int
		want   string
	}{{"", 9, "geca"}, {"", 2, "ge"}, {"z", 9, "geca"}, {"g", 9, "eca"}, {"f", 9, "eca"}, {"c", 9, "a"}, {"a", 9, ""}, {"A", 9, ""}} {
		if got := walk(c.before, c.most); got != c.want {
			t.Errorf("before %q, at most %d: %q, want %q", c.before, c.most, got, c.want)
		}
	}
	if err := tab.Update(map[string]record{"h": {"h", 1}}, []string{"a", "nothing", "e"}); err != nil {
		t.Fatal(err)
	}
	if got := walk("", 9); got != "hgc" {
		t.Errorf("after an update: %q", got)
	}
	if err := tab.Update(map[string]record{"": {"", 1}, "x": {"x", 1}}, nil); err == nil {
		t.Error("a record without a key is written")
	}
	if got := walk("", 9); got != "hgc" {
		t.Errorf("an update that failed left %q", got)
	}
}

// TestDescendTellsOfDamage: one record of another type does not hide the others.
func TestDescendTellsOfDamage(t *testing.T) {
	s := open(t, t.TempDir())
	texts, err := store.NewTable[string](s, "things")
	if err != nil {
		t.Fatal(err)
	}
	if err := texts.Put("b", "not a record"); err != nil {
		t.Fatal(err)
	}
	tab := table(t, s)
	if err := tab.Update(map[string]record{"a": {"a", 1}, "c": {"c", 1}}, nil); err != nil {
		t.Fatal(err)
	}
	got := ""
	err = tab.Descend("", func(key string, _ record, err error) bool {
		got += key
		if err != nil {
			got += "!"
		}
		return true
	})
	if err != nil || got != "cb!a" {
		t.Errorf("Descend: %q, %v", got, err)
	}
}
