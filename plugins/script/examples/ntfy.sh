#!/bin/bash
# An alert to a phone through ntfy, with its picture; one run for each alert (mode: event).
[ -z "$ESPCAM_PICTURE" ] || picture=(-T "$ESPCAM_PICTURE" -H "Filename: $ESPCAM_CAMERA.jpg")
curl -sS --fail --max-time 10 -o /dev/null -X PUT "${picture[@]}" -H "Click: $ESPCAM_URL" \
  -H "Title: ${ESPCAM_TITLE//$'\n'/ }" -H "Message: ${ESPCAM_TEXT//$'\n'/ }" "${NTFY_URL:-https://ntfy.sh/porch-7hq2kx}"
