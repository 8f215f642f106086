package mqtt

import "time"

// Clock is the time; tests bring their own.
type Clock interface {
	Now() time.Time
	After(time.Duration) <-chan time.Time
}

type systemClock struct{}

func (systemClock) Now() time.Time                         { return time.Now() }
func (systemClock) After(d time.Duration) <-chan time.Time { return time.After(d) }

// agenda is what is to be done later, by name. It belongs to one goroutine,
// which waits for next and then calls run.
type agenda struct {
	clock Clock
	items map[string]appointment
	armed time.Time // when timer fires
	timer <-chan time.Time
}

type appointment struct {
	at time.Time
	do func()
}

func newAgenda(clock Clock) *agenda {
	return &agenda{clock: clock, items: map[string]appointment{}}
}

// in plans do, in place of what had that name.
func (a *agenda) in(d time.Duration, name string, do func()) {
	a.items[name] = appointment{a.clock.Now().Add(d), do}
}

// soon plans do unless something of that name is planned already.
func (a *agenda) soon(d time.Duration, name string, do func()) {
	if !a.has(name) {
		a.in(d, name, do)
	}
}

func (a *agenda) has(name string) bool { _, ok := a.items[name]; return ok }

func (a *agenda) drop(name string) { delete(a.items, name) }

// earliest returns the name of what is next, or "".
func (a *agenda) earliest() (name string) {
	for n, it := range a.items {
		if name == "" || it.at.Before(a.items[name].at) {
			name = n
		}
	}
	return name
}

// next is readable when something is due; nil if nothing is planned.
func (a *agenda) next() <-chan time.Time {
	name := a.earliest()
	if name == "" {
		a.timer = nil
		return nil
	}
	if at := a.items[name].at; a.timer == nil || !at.Equal(a.armed) {
		a.armed, a.timer = at, a.clock.After(at.Sub(a.clock.Now()))
	}
	return a.timer
}

// run does what is due, in order of time.
func (a *agenda) run() {
	a.timer = nil
	for name := a.earliest(); name != ""; name = a.earliest() {
		it := a.items[name]
		if it.at.After(a.clock.Now()) {
			return
		}
		delete(a.items, name)
		it.do()
	}
}
