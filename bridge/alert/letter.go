package alert

import (
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// letter is one message to one plugin instance, as it lies in the store. Two
// other kinds of record lie beside them, told apart by State.
type letter struct {
	ID       string               `json:"id"` // sorts by time
	State    state                `json:"state"`
	Instance string               `json:"instance,omitzero"`
	Route    string               `json:"route,omitzero"`
	Phase    bridge.Phase         `json:"phase,omitzero"`
	Event    bridge.Event         `json:"event,omitzero"`
	Name     string               `json:"name,omitzero"` // of the camera
	Title    string               `json:"title,omitzero"`
	Text     string               `json:"text,omitzero"`
	Priority int                  `json:"priority,omitzero"`
	URL      string               `json:"url,omitzero"`
	Actions  []bridge.AlertAction `json:"actions,omitzero"`
	Picture  bool                 `json:"picture,omitzero"` // is wanted
	Attempts int                  `json:"attempts,omitzero"`
	Lost     int                  `json:"lost,omitzero"`    // attempts during which the plugin went away
	Due      time.Time            `json:"due,omitzero"`     // not before
	Expires  time.Time            `json:"expires,omitzero"` // not after
	At       time.Time            `json:"at,omitzero"`      // when it was given up, delivered or told
	Reason   string               `json:"reason,omitzero"`
	Handle   string               `json:"handle,omitzero"`

	frame   bridge.Frame // the picture, while in memory
	lasting bool         // more messages of this event may come
}

type state string

const (
	queued  state = "queued"
	sending state = "sending" // written before the call: nobody knows how far it came
	failed  state = "failed"
	receipt state = "receipt" // of a message of an event that may go on; its ID is that of its story
	cooled  state = "cooled"  // when a route last told of a camera
)

// tale is what all messages of one event by one route to one instance have in
// common.
func (m *letter) tale() string { return m.Instance + "/" + m.Route + "/" + m.Event.ID }

func (m *letter) failed() bridge.FailedAlert {
	return bridge.FailedAlert{
		ID: m.ID, Instance: m.Instance, Route: m.Route, Event: m.Event.ID, Camera: m.Event.Camera,
		Phase: m.Phase, Title: m.Title, Text: m.Text, Attempts: m.Attempts + m.Lost, At: m.At, Reason: m.Reason,
	}
}

// alert is what the notifier gets.
func (m *letter) alert(handle string) bridge.Alert {
	e := m.Event
	e.Picture = m.frame
	return bridge.Alert{
		Event: e, Phase: m.Phase, Name: m.Name, Title: m.Title, Text: m.Text, Priority: m.Priority,
		URL: m.URL, Actions: m.Actions, Attempt: m.Attempts + m.Lost + 1, Handle: handle,
	}
}

// maxSentence bounds, in characters, what is kept of an error.
const maxSentence = 300

// sentence makes a plugin's words fit for a list: one line, bounded.
func sentence(text string) string {
	runes := []rune(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?")))
	if len(runes) > maxSentence {
		runes = append(runes[:maxSentence-1], '…')
	}
	return string(runes)
}

// ids makes ids that sort by time, each of them once, also after the clock went
// back while the program runs.
type ids struct {
	mu   sync.Mutex
	last int64
}

func (i *ids) next(now time.Time) string {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.last = max(i.last+1, now.UnixNano())
	return fmt.Sprintf("%016x", i.last)
}
