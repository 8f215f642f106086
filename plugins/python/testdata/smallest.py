from espcam_plugin import http, notifier, run

SETTINGS = {
    "url": {"required": True, "help": "Where to post.", "example": "http://server/hook"},
    "token": {"secret": True, "help": "What the server wants to know."},
}


@notifier
def notify(alert, config):
    headers = {"Authorization": "Bearer " + config["token"], "Title": alert.title, "Text": alert.text}
    http("POST", config["url"], body=alert.event.jpeg, headers=headers)


run("smallest", "1.0.0", settings=SETTINGS, summary="Posts the picture.")
