package sdk_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/espcam-bridge/espcam-bridge/plugins/sdk"
)

type settings struct {
	URL   string `json:"url" default:"https://ntfy.sh" help:"The ntfy server."`
	Topic string `json:"topic" sdk:"required" help:"Where to publish." example:"home-cameras"`
	Token string `json:"token" sdk:"secret" help:"Access token, if the topic needs one."`
}

func notify(ctx context.Context, s *settings, a sdk.Alert) (sdk.Receipt, error) {
	q := url.Values{"title": {a.Title}, "message": {a.Text}, "click": {a.URL}, "priority": {fmt.Sprint(a.Priority)}, "filename": {a.Camera.ID + ".jpg"}}
	header := http.Header{}
	if s.Token != "" {
		header.Set("Authorization", "Bearer "+s.Token)
	}
	_, err := sdk.Send(ctx, "PUT", s.URL+"/"+s.Topic+"?"+q.Encode(), header, a.JPEG)
	return sdk.Receipt{}, err
}

// A complete notifier with picture and token: in a plugin of its own, this function is main.
func Example() {
	sdk.Main(sdk.Plugin[settings]{Name: "ntfy", Version: "1.0.0", Summary: "Sends alerts to ntfy.", Notify: notify})
}
