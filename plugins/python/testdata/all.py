"""A plugin with every role, which does what its test says."""

import os
import subprocess
import time

import espcam_plugin as sdk

print("printed while it starts")

SETTINGS = {
    "topic": {"required": True, "help": "Where to.", "example": "garden"},
    "token": {"secret": True, "help": "Its password."},
    "level": {"default": 3, "min": 1, "max": 5},
    "mode": {"default": "plain", "choices": ["plain", "loud"]},
    "tags": {"type": "strings"},
    "headers": {"type": "map"},
    "wait": {"type": "duration", "default": "1m30s"},
    "loud": {"default": False},
    "scale": {"default": 0.5},
    "command": {"file_only": True},
}


@sdk.configured
def configured(config):
    if config["topic"] == "refused":
        raise sdk.Invalid("topic", "this topic is taken; choose another")


@sdk.check
def check(config):
    return "the mast leans" if config["mode"] == "loud" else None


@sdk.notifier(can_edit=True, max_picture_bytes=1000)
def notify(alert, config):
    return getattr(Cases, alert.title)(alert, config)


class Cases:
    """What notify does, by the title."""

    def config(alert, config):
        print(f"settings: {sorted(config.items())} {config.instance} {[c.id for c in config.cameras]}")

    def again(alert, config):
        return "edited " + alert.handle

    def retry(alert, config):
        raise sdk.Retry("the server sleeps", after=7)

    def reject(alert, config):
        raise sdk.Reject("the token " + config["token"] + " is wrong")

    def boom(alert, config):
        raise RuntimeError("no such luck: " + config["token"])

    def leave(alert, config):
        raise SystemExit(3)

    def leak(alert, config):
        print("half a line of", config["token"], end="")
        print(" and the rest")
        sdk.log.warning("token %s", config["token"], extra={"a": 1})
        sdk.log.debug("quiet")
        os.system("echo from a child")
        subprocess.run(["sh", "-c", "echo from another >&2"], check=True)

    def http(alert, config):
        answer = sdk.http("POST", alert.url, json={"text": alert.text}, headers={"Title": "Gärten\r\nX: y", "Empty": ""})
        return answer.decode()

    def status(alert, config):
        try:
            sdk.http("GET", alert.url)
        except (sdk.Retry, sdk.Reject) as err:
            return str(err.status)

    def fetch(alert, config):
        return sdk.http("GET", alert.url).decode()

    def slow(alert, config):
        wait(alert.url)
        return "done"

    def host(alert, config):
        cameras = [camera.id for camera in sdk.host.cameras()]
        picture = sdk.host.snapshot("door", max_age=2)
        frames = [(frame.sequence, dropped) for frame, dropped in sdk.host.frames("door", max_fps=3, every=True)]
        sdk.host.publish("seen", {"n": 1})
        sdk.host.set_state("mood", "calm")
        try:
            sdk.host.command("door", "led", 1)
        except sdk.HostError as err:
            refused = err.code
        return f"{cameras} {len(picture.jpeg)} {frames} {refused}"


def wait(path):
    print("waiting")
    while not os.path.exists(path):
        time.sleep(0.01)


@sdk.detector(labels=["person", "cat"], max_fps=2, max_width=320, stateful=True)
def detect(picture, config):
    if picture.camera == "slow":
        wait(picture.jpeg.decode())
    if picture.camera == "busy":
        raise sdk.Busy
    if picture.camera == "dog":
        return [sdk.detection("dog", 1, (0, 0, 1, 1))]
    if picture.camera == "nan":
        return [sdk.detection("cat", float("nan"), (0, 0, 1, 1))]
    return [sdk.detection("person", 1.2, (-0.5, 0.25, 1, 2), track_id="7")]


@sdk.sink
def deliver(event, config):
    if event.id == "bad":
        raise OSError("the disk is full")
    if event.id == "odd":
        raise sdk.Reject("no such event")
    with open("events", "a") as file:
        file.write(event.id + "\n")


sdk.run("all", "0.1.0", settings=SETTINGS, summary="Does what its test says.", permissions=["snapshot", "publish"])
