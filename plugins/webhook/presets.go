package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"text/template"
	"time"

	"github.com/espcam-bridge/espcam-bridge/plugins/sdk"
)

// alertData is what templates see: {{.Title}}, {{.Camera.Name}}, {{.Labels}} ...
// and what {{json .}} writes.
type alertData struct {
	sdk.Event
	Title    string   `json:"title"`
	Text     string   `json:"text"`
	Priority int      `json:"priority"`
	URL      string   `json:"url,omitempty"`
	Actions  []action `json:"actions,omitempty"`
	Attempt  int      `json:"attempt"`
	Picture  []byte   `json:"picture,omitempty"` // in base64
}

type action struct {
	Label string `json:"label"`
	URL   string `json:"url"`
}

func alert(a sdk.Alert) alertData {
	out := alertData{
		Event: a.Event, Title: a.Title, Text: a.Text, Priority: a.Priority, URL: a.URL, Attempt: a.Attempt, Picture: a.JPEG,
	}
	for _, button := range a.Actions {
		out.Actions = append(out.Actions, action(button))
	}
	return out
}

// preset is what a receiver expects: one body, or a form with the picture.
type preset struct {
	body   string            // template
	form   map[string]string // templates by field
	inBody bool              // the picture is in the JSON, as base64
}

// presets follow the receivers' own documentation: Discord "Execute Webhook" with
// payload_json and files[n], Slack "incoming webhooks" (which take no files),
// Node-RED's "http in" node and Home Assistant's webhook trigger (trigger.json).
func presets() map[string]preset {
	return map[string]preset{
		"json":          {body: `{{json .}}`, inBody: true},
		"nodered":       {body: `{{json .}}`, inBody: true},
		"homeassistant": {body: `{{json .}}`},
		"slack":         {body: `{"text": {{json (printf "*%s*\n%s%s" (slack .Title) (slack .Text) (link .URL))}}}`},
		"discord": {form: map[string]string{"payload_json": `{"embeds": [{"title": {{json .Title}}, "description": {{json .Text}}, "timestamp": {{json .Begin}}` +
			`{{with .URL}}, "url": {{json .}}{{end}}{{if .JPEG}}, "image": {"url": "attachment://{{.Camera.ID}}.jpg"}{{end}}}]}`}},
	}
}

// render fills in a template. json writes a value as JSON with its quotes, slack a
// text as Slack wants it, link an address as Slack shows one.
func render(text string, a alertData) ([]byte, error) {
	t, err := template.New("").Option("missingkey=error").Funcs(template.FuncMap{
		"json":  func(v any) (string, error) { b, err := json.Marshal(v); return string(b), err },
		"slack": strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace,
		"link": func(url string) string {
			if url == "" {
				return ""
			}
			return "\n<" + url + "|Look>"
		},
	}).Parse(text)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = t.Execute(&b, a)
	return b.Bytes(), err
}

// sample is an alert to try templates with.
func sample() alertData {
	now := time.Now()
	return alert(sdk.Alert{
		Event: sdk.Event{
			ID: "01jd8v0000000", Phase: sdk.PhaseTest, Camera: sdk.Camera{ID: "porch", Name: "Front porch", Online: true},
			Sources: []string{"pixels"}, Labels: []sdk.Detection{{Label: "person", Score: 0.9}}, Zones: []string{"door"},
			Score: 0.5, Begin: now, Last: now, JPEG: []byte{0xff, 0xd8, 0xff, 0xd9}, Width: 640, Height: 480,
		},
		Title: "Motion", Text: "Motion at Front porch", Priority: 3, URL: "http://bridge.local/", Attempt: 1,
	})
}
