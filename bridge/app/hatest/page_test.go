package hatest_test

import (
	"os"
	"os/exec"
)

// devicePage opens the page of a camera's device in Home Assistant's frontend, and
// leaves a picture of it where HATEST_SCREENSHOT says, for the README.
func (h *house) devicePage() {
	h.motion() // so that there is something to see
	h.operate("porch", "pan", "number.set_value", object{"value": 90})
	h.operate("porch", "tilt", "number.set_value", object{"value": 75})
	h.endOnboarding()
	id := text(h.ha.device(h, "espcam_porch")["id"])
	cmd := exec.CommandContext(h.Context(), "node", "devicepage.mjs", h.ha.base, h.ha.token, id, os.Getenv("HATEST_SCREENSHOT"),
		"Front porch", "Motion", "Flash", "Take snapshot", "Resolution", "Signal strength", "Firmware")
	if text, err := cmd.CombinedOutput(); err != nil {
		h.Errorf("the page of the device: %v\n%s", err, text)
	}
}

// endOnboarding does the steps without which the frontend shows nothing else. They
// start integrations that want the internet, and complain: nothing follows this part.
func (h *house) endOnboarding() {
	h.Helper()
	owner := &client{base: h.ha.base, token: h.ha.login}
	for _, step := range []string{"core_config", "analytics", "integration"} {
		body := object{}
		if step == "integration" {
			body = object{"client_id": "http://127.0.0.1/", "redirect_uri": "http://127.0.0.1/"}
		}
		owner.call(h, "POST", "/api/onboarding/"+step, body)
	}
	h.expected = []string{""} // whatever they say
}
