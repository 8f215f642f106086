package ingest

import (
	"fmt"
	"testing"
	"time"
)

// TestRefusalsAreBounded needs more addresses than a test can dial from.
func TestRefusalsAreBounded(t *testing.T) {
	var r refusals
	now := time.Unix(1_700_000_000, 0)
	for i := range maxAddresses {
		if address := fmt.Sprintf("10.%d.%d.%d:1", i>>16, i>>8&255, i&255); r.over(address, now) {
			t.Fatalf("the first refusal of %s is above the limit", address)
		}
	}
	if !r.over("192.0.2.1:1", now) || !r.over("[2001:db8::1]:1", now) || len(r.count) != maxAddresses {
		t.Errorf("a full table of %d took another address", len(r.count))
	}
	if r.over("10.0.0.1:1", now) {
		t.Error("an address that is in the full table is above the limit at its second refusal")
	}
	if now = now.Add(refusalWindow); r.over("192.0.2.1:1", now) || len(r.count) != 1 {
		t.Errorf("a minute later the table still has %d addresses", len(r.count))
	}
}

func TestMemoryIsBounded(t *testing.T) {
	var m memory
	now := time.Unix(1_700_000_000, 0)
	for i := range 2 * maxMemory {
		what := fmt.Sprint(i)
		if !m.first(what, now) || m.first(what, now.Add(repeatAfter-1)) || len(m.last) > maxMemory {
			t.Fatalf("%s: said twice, or never, or %d things kept", what, len(m.last))
		}
	}
	if !m.first(fmt.Sprint(2*maxMemory-1), now.Add(2*repeatAfter)) {
		t.Error("a minute later it is still kept back")
	}
}
