package hatest_test

import (
	"os"
	"os/exec"
)

// devicePage opens the page of a camera's device in Home Assistant's frontend, and
// leaves a picture of it where HATEST_SCREENSHOT says.
func (h *house) devicePage() {
	id := text(h.ha.device(h, "espcam_porch")["id"])
	cmd := exec.CommandContext(h.Context(), "node", "devicepage.mjs", h.ha.base, h.ha.token, id, os.Getenv("HATEST_SCREENSHOT"),
		"Front porch", "Motion", "Flash", "Take snapshot", "Resolution", "Signal strength", "Firmware")
	if text, err := cmd.CombinedOutput(); err != nil {
		h.Errorf("the page of the device: %v\n%s", err, text)
	}
}
