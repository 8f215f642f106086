"""Sends alerts through the apprise package, which knows more than 100 services."""

import re
import tempfile

import apprise

from espcam_plugin import Invalid, Reject, Retry, configured, notifier, run

URLS = {"required": True, "secret": True, "help": "Apprise addresses, separated by spaces or commas.", "example": "ntfy://garden"}


@configured
def configured(config):
    if not apprise.Apprise().add(config["urls"]):
        raise Invalid("urls", "must be addresses of apprise, one of which it does not know: see github.com/caronc/apprise/wiki")


@notifier
def notify(alert, config):
    text = f"{alert.text}\n{alert.url}".strip()
    with tempfile.NamedTemporaryFile(suffix=".jpg") as file:  # apprise loses attachments in memory
        file.write(alert.event.jpeg)
        file.flush()
        picture = file.name if alert.event.jpeg else None
        result = apprise.Apprise(config["urls"]).notify(text or " ", title=alert.title, attach=picture)
    if not result:
        codes = [int(code) for entry in result.logs() for code in re.findall(r"error=(\d+)", entry.message)]
        final = codes and all(400 <= code < 500 and code not in (408, 425, 429) for code in codes)
        raise (Reject if final else Retry)(f"not delivered: {', '.join(map(str, codes)) or 'no answer'}")


run("apprise", "1.0.0", settings={"urls": URLS}, summary="Tells people through any of the 100+ services that apprise knows.")
