"""The Python SDK of espcam-bridge's plugins: one file, for Python 3.9 and newer.

It stands on grpcio and protobuf only. A plugin declares its settings as data, marks
its functions with @notifier, @detector or @sink, and calls run() at its end:

    from espcam_plugin import http, notifier, run

    SETTINGS = {"url": {"required": True, "help": "Where to post."}}

    @notifier
    def notify(alert, config):
        http("POST", config["url"], json={"title": alert.title, "text": alert.text})

    run("example", "1.0.0", settings=SETTINGS, summary="Posts alerts as JSON.")

What functions are handed (alert, picture, event) are the messages of plugin.proto:
alert.title, alert.event.jpeg, alert.event.camera.name. README.md beside this file
tells the rest.
"""

import base64
import contextlib
import difflib
import email.utils
import gzip
import json as _json
import logging
import math
import os
import re
import signal
import stat
import sys
import tempfile
import threading
import time
import traceback
import urllib.error
import urllib.parse
import urllib.request
from concurrent import futures
from http.client import HTTPException

# Read when grpc is imported. Children that are started are programs, which need no gRPC.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")

import grpc  # noqa: E402
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory  # noqa: E402

SDK_VERSION = "1.0.0"
API_MAJOR, API_MINOR = 1, 0  # of plugin.proto
COOKIE, COOKIE_VALUE = "ESPCAM_PLUGIN", "bridge.plugin.v1"
LIMIT = 16 << 20  # bytes of one message; a picture is at most 8 MiB
HANDLE = 1024  # bytes
DRAIN = 3.0  # seconds that calls under way get after SIGTERM
HIDDEN = "***"  # what is written in place of a secret

_CHANNEL = [
    ("grpc.max_receive_message_length", LIMIT),
    ("grpc.max_send_message_length", LIMIT),
    ("grpc.enable_http_proxy", 0),
]


# ---- What an author raises ----


class Retry(Exception):
    """It may work later: the bridge tries again, `after` seconds from now or when it likes.

    `status` is that of the HTTP answer which http() found wrong; 0: there was none.
    """

    status = 0

    def __init__(self, message, after=0.0):
        super().__init__(message)
        self.after = after


class Reject(Exception):
    """It never will work: wrong token, unknown chat. Not tried again. `status` as that of Retry."""

    status = 0


class Busy(Exception):
    """Of a detector: not now. The bridge goes on with a newer picture."""


class Invalid(Exception):
    """Of @configured: what is wrong with a setting, as a sentence after its name. `field` "" is the whole."""

    def __init__(self, field, message):
        super().__init__(message)
        self.field = field


class HostError(Exception):
    """The bridge refused a call or could not answer; `code` is gRPC's name, such as PERMISSION_DENIED."""

    def __init__(self, code, message):
        super().__init__(f"{code}: {message}")
        self.code = code


# ---- Standard error is the log, and holds no secret ----


class _Redactor:
    """Replaces the secrets of the settings, also as they look in a URL or in JSON."""

    def __init__(self):
        self.forms = []

    def add(self, secrets):
        forms = set(self.forms)
        for secret in secrets:
            for part in _parts(secret):
                quoted = urllib.parse.quote(part, safe=""), urllib.parse.quote(part), urllib.parse.quote_plus(part)
                escaped = _json.dumps(part), _json.dumps(part, ensure_ascii=False), repr(part)
                forms |= {part, urllib.parse.unquote(part), *quoted, *(e[1:-1] for e in escaped)}
        self.forms = sorted((f for f in forms if len(f) >= 4), key=len, reverse=True)

    def __call__(self, text):
        for form in self.forms:
            text = text.replace(form, HIDDEN)
        return text


def _parts(secret):
    """A secret, its words, and what may be secret by itself in those that are addresses."""
    yield secret
    for word in re.split(r"[\s,]+", secret):
        if len(word) >= 8:
            yield word
        scheme, _, rest = word.rpartition("://")
        if scheme:
            user, _, place = rest.rpartition("@")
            path = place.partition("/")[2]
            yield from (p for p in re.split(r"[:/?&=]", f"{user}/{path}") if len(p) >= 6)


class _Stderr:
    """A text stream that writes whole lines, without secrets, to file descriptor 2."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self):
        self.lock, self.rest = threading.RLock(), ""
        self.file = open(2, "wb", closefd=False)

    def write(self, text):
        with self.lock:
            *lines, self.rest = (self.rest + text).split("\n")
            if lines:
                self._put("".join(line + "\n" for line in lines))
        return len(text)

    def _put(self, text):
        with contextlib.suppress(BrokenPipeError):  # nobody reads it any more
            self.file.write(redact(text).encode(errors=self.errors))
            self.file.flush()

    def flush(self):
        """Lines go out by themselves; half a line waits, it may be half a secret."""

    def close(self):
        with self.lock:
            if self.rest:
                self._put(self.rest + "\n")
                self.rest = ""

    def fileno(self):
        return 2

    def isatty(self):
        return False

    def writable(self):
        return True


class _JSONLines(logging.Formatter):
    """One JSON object per record, as the bridge reads it."""

    LEVELS = {"WARNING": "warn", "CRITICAL": "error"}

    def format(self, record):
        level = self.LEVELS.get(record.levelname, record.levelname.lower())
        entry = {"level": level, "msg": record.getMessage()}
        if record.name != log.name:
            entry["logger"] = record.name
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return _json.dumps(entry, ensure_ascii=False)


redact = _Redactor()
log = logging.getLogger("plugin")  # log.info("..."), log.warning("...") and so on
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}


def _log_to_stderr(stderr):
    sys.stdout.flush()
    sys.stdout = sys.stderr = stderr
    handler = logging.StreamHandler(stderr)
    handler.setFormatter(_JSONLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


def _take_stdout():
    """Keeps standard output for the handshake; what else is printed goes to standard error."""
    if os.environ.get(COOKIE) != COOKIE_VALUE:
        return None
    handshake = os.dup(1)
    os.dup2(2, 1)
    return handshake


_HANDSHAKE = _take_stdout()  # now, before a library that is imported later prints something


# ---- HTTP with the rules of notifiers ----

_call = threading.local()  # .until: when the call that this thread works on ends


class _SameHost(urllib.request.HTTPRedirectHandler):
    """Follows a redirection of a GET on the same host only: headers may hold a token."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        if req.get_method() == "GET" and urllib.parse.urlsplit(newurl)[:2] == urllib.parse.urlsplit(req.full_url)[:2]:
            return super().redirect_request(req, fp, code, msg, headers, newurl)
        return None


def http(method, url, body=None, json=None, headers=None, timeout=10.0):
    """Sends a request and returns the body of the answer (bytes).

    `json` is sent as JSON instead of `body`. Headers are UTF-8; empty ones are left out.
    `timeout` is in seconds and never longer than the call under way has left.
    Raises Retry when there is no answer or a 408, 425, 429 or 5xx (with its Retry-After),
    Reject at every other status but 2xx. The message never holds the URL's path or query.
    """
    given = {"User-Agent": "espcam-bridge-plugin", **(headers or {})}
    if json is not None:
        body, given["Content-Type"] = _json.dumps(json).encode(), "application/json"
    if not url.startswith(("http://", "https://")):
        raise Reject("the address must begin with http:// or https://")
    where = f"{method} {_host_of(url)}"
    try:
        request = urllib.request.Request(url, body, _wire_headers(given), method=method)
        timeout = max(0.1, min(timeout, getattr(_call, "until", time.monotonic() + timeout) - time.monotonic()))
        with urllib.request.build_opener(_SameHost).open(request, timeout=timeout) as answer:
            got = answer.read(LIMIT)
            if answer.length and len(got) < LIMIT:
                raise Retry(f"{where}: the answer broke off")
            return got
    except urllib.error.HTTPError as err:
        raise _refusal(where, err) from None
    except (OSError, HTTPException) as err:
        raise Retry(redact(f"{where}: {getattr(err, 'reason', err)}")) from None
    except ValueError as err:
        raise Reject(redact(f"{where}: {err}")) from None


def _host_of(url):
    try:
        parts = urllib.parse.urlsplit(url)
        return f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")
    except ValueError:
        return "a URL that is none"


def _wire_headers(headers):
    """UTF-8 as urllib takes it, on one line."""
    return {k: re.sub(r"[\r\n]+", " ", str(v)).encode().decode("latin-1") for k, v in headers.items() if v not in ("", None)}


def _refusal(where, err):
    with err:
        line = err.read(4096).decode(errors="replace").strip().split("\n")[0][:200]
    message = redact(f"{where}: {err.code} {err.reason}" + (f": {line}" if line else ""))
    if err.code in (408, 425, 429) or err.code >= 500:
        made = Retry(message, _retry_after(err.headers.get("Retry-After", "")))
    else:
        made = Reject(message)
    made.status = err.code
    return made


def _retry_after(text):
    """Seconds out of a Retry-After header: a number or a date; 0 when it is neither."""
    with contextlib.suppress(ValueError):
        return max(0.0, float(text))
    with contextlib.suppress(ValueError, TypeError):
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    return 0.0


# ---- Messages ----

# plugin.proto, compiled: written by `make proto`.
_DESCRIPTORS = """
H4sIAAAAAAACA51YT3MjRxVH/+UnWZabrKN4gfVOQiXlEDs4RUGygSrb0u5qY8vOSLtby0WMpLY08WhmMjPyWsCBT8E34EAVxWfg
zJ07X4EqTpx4r/+MR/JYDpym369fd79+/3vgP/tQ9Z3Z2Hb3/MCLPFYfBPZozPcUePVTYxM2mjwcBvaAm/zbGQ8j4w85qEjMj2zP
ZQzyrjXljcxO5qM1U4xZA0pXPAhxupEVsCZZHXLh6LKREygN2UNYs3y7P7VdL2jkEV83ywicEs1+AoXAc3jYKOzkPqodbO0tS7hn
4rQpmdg+FC9s7ozCRhHZKwfv3mZ/SvOmYmM7UPF5MLVDki1slHDVmpmE2BMoj3jEhxEKV0bhKgePbm/aVBwdzkehGS9gX0LZ9SIb
Dwsaa2Lxzu3FHcXRCyw7wtV6BSkxnE2nVjBvgFSiIo2/ZKEgLpKq/H3IR3OfC83XDh7eoYMespiCkW1DOUDj2gEfCcOUzZhmW1AM
+TDgkTBN2VQUewzVEb+wZk7U/yZEMxeEABWFvUCI5B9OPHvIpTlQfkWS1BPu+KhvITWNiZtfW1Pf4ULPyK1IcpAL2+F9z3XmQo0o
HwFnSJM/oecIBWVMGgrEum5UFGJdG3NYX7AQexdKiPcv/FAoLmMWkXzqh3QUTby1R9FE6A99EYHXRJMqHGvAnRCVRNdRFKkvjKyI
X8wcpaSYNn4PtUX7svdh/a3lRmHft4fRLJCmK5tVAZ5LjO3CJsmhWPqDeYRKJHny5gZOKLYjgtl7UB5abp+P7EhZr4R0C0njX1mo
H3vuhT1GbhW/JK7tooDuULtNTJNwIY8i2x2H0qx0ZtWsalDYtY1+KZxAKqJysH/bxZZP3evKFS03CuamXs8O0EXQZQMrRM3RVo2U
rQSDqRnpviMrsvojO1BeVyK6aQfsA6hNvDDqDwLvkgd9e4SORzasEnokwPbo/qDf/gKqSXnJpS75XGmLhuwdKFxZzoyr9CaJL7K/
yBhNKEqJWQ2yKIFchKM4VrOJWEWfQre2Xa5MpyjjW9hMqDD0USrOfgZlzNMDh0/Jb0ld791W17nkMGNW9mOoBWgCK4j6Lro/BnlW
nLWu0I4Ajc+hpNbS7USCVMJLgiJ0ysPQGusraNL4AKrHEz681C6G6y3HvtK+LQmjBeuKS91nm3LrOLBIJMkZ0ysO+xiqTQwlVx+G
MfvWjia225/KcMaYlcBpaGxg6EtmeabxzxwUWlfcjW6Z5xMo+BMr1HkzpXac07QpudinUJQeKSy3ynMVn8jn3iygfJiX+VCR7LM4
sxSEWR/eVWLQO+O0g0r+refGyVUS7GMoDLxrLt26cvDg9k5H3rUpeWiLcOgFMuNmTElQgA34WOqT0m3OLAn6VCROx8IAwxkQM0Ui
ceIBFLk7Irwi8AJSCG8JGDNHoyr0rCgKhW98Pm6si/QixnRsZF1ycWxNHivoUyGnTMkbwrySoM0n3B5PokZdwIoyfgk5vCOrQuZa
pfeMoObCskjNiXor7IbUW6ImInMjNTF+B2uxsulkoW4dCYK40Vs2qbcPIYdqVe5wh+KJQ9w0sIaXlKDy0rkF3R4Z/85A4dDhQUTu
yMlPxcmprYxwY1NykUiRHTlxQhIE6Tni15Fqt8SYos4PbC+wo7lutzRNiW4WOCqt0pCc1ooiPvUjlUs1KdRvuSM8UpZxRVFOt4Ty
QnSrO3L6oXRlzWhgMB2uUriSKxvLZfwxAyWTDzk2oRg+JW8WDT3VB9XS0uKZZDA1J9UKTPDBvG9dRFgrpqGq91WBHhIoHVhdMrdw
yUR6yi+mp39kdLehE9RWnCnknXQ+oL6BWKgQy9oe0+wRVIaWT0VeBFVOxANo6DSMIyifiKA4TArpYVJMhgk6WHHqkc5XpwrFZFhQ
09dS6fsJwEgHii5IKzNXgp3kH8zCuSpFYowFAo+gUhFo1WFiFO69Yvuu7V7KSFCsxgTWYnBByZklJcchlv1OIYZOOLZ8YYu8SUPj
Q3odKYGVUqj0DS9VQcubkjBqUH1tRcOJfkP9CZ1EAWpdohPKfNdOCI9Xw/4Q/XIcV/aago8lSiXS8cZ9B+/hKEcuI3BCtGxfPd+n
LB23r5I26lCTh4Za8hZsxMj/L7rxDDa6ruWHE+/eMPkBAPXCGFs3QUpN+eGYY4H/M+YB3TXrmMgkYuKeIAsohVwtBJmGMMiWojB/
Kwr/p4gzXsH60wAvFd535cT7JLvwPnlHeCw+CGW3KAmjDzW9rzIJZsTk8yK9UZQMpuaknDYK0PDKjfKmJo036AYePj3d0X2Sp/W4
9MAP9INCeR8B9JgwnqA/6a2V8NiYeZeqIcTRilbwV1A7nw0cO9SBddfPCN+aO541Us8ZTdLfjXi96g9Rni6PuvR+W7Vnav9vMKjf
LJYb7n4NefpFgSvq5tlJq/+y0z1vHbeftlvN+vfYJqwLtHPWI8isZ2Ko2eq1jntnZj3L1mFNQN1256t6bvfvGViL3/Do4Vu48qTZ
7705X97+AWwm5ro9s915hkdsAUvA7U6v9axF5yyyd16eHiGcW2I/OkNRDjv1/BIud+/WC6iwWgI/PTyvF9Glv5/Ami/Nw177rFMv
7f4GCqKvpsPPnx92l6+wARUJH7WetTsofB2qiu+8edhrSfVIpNVporg1AEn2Wt1ePb87gJKq/iTF2cve8dlpiqL0RLN10n7VMhEW
ttCw2eqZb/AwtOMN9AIthIy5g79loXguQoudQFn/MmOP08rhwu+07R/exSL/rvVgLX4IMuP+h/b2+yt5VIg9h4J4irEfpXAnXnLb
j+6cv9lJPLDSdko+09J2WniZHTyHsv5Vwr6EohjPWUpRFv3xdkpGU/3gwWuygPoF9xUU5Zjd+d9OS7hzN4MS8RXkqbNgHSipus9S
FyV7mO3HKzjUvn/NQ/65h6nmBRREW5CmzWQDkabNhX7i0wwJqSp1mpCLZT1NyOUyj/bRJTvNr5fK+fbdFYedQlHWqzSbLFTINJss
ljp1UVlCUi+6ULhSL7pUf3A/VRXS9lssOGn7LZUU9jUqTlWFVMUtlpttYxWL3PLo81//fGxHk9lgD9PaPqJYfj+Ry5YouUmovv5g
UBS/+j/7Lwe70Mb9FwAA
"""  # end of the descriptors

_CONN_INFO = descriptor_pb2.FileDescriptorProto(
    name="go-plugin.proto",  # of go-plugin's broker: where a service listens
    package="plugin",
    message_type=[
        {
            "name": "ConnInfo",
            "field": [
                {"name": "service_id", "number": 1, "type": 13, "label": 1},
                {"name": "network", "number": 2, "type": 9, "label": 1},
                {"name": "address", "number": 3, "type": 9, "label": 1},
            ],
        }
    ],
)


class _Messages:
    """The message classes by name, made when they are first used."""

    def __init__(self):
        self.pool = descriptor_pool.DescriptorPool()
        files = descriptor_pb2.FileDescriptorSet.FromString(gzip.decompress(base64.b64decode(_DESCRIPTORS)))
        for file in [*files.file, _CONN_INFO]:
            self.pool.AddSerializedFile(file.SerializeToString())

    def __getattr__(self, name):
        package = "plugin." if name == "ConnInfo" else "bridge.plugin.v1."
        made = message_factory.GetMessageClass(self.pool.FindMessageTypeByName(package + name))
        setattr(self, name, made)
        return made


pb = _Messages()
BEGIN, UPDATE, END, TEST = 1, 2, 3, 4  # event.phase
_PERMISSIONS = ("snapshot", "frames", "command", "publish")
_ROLES = {"notifier": 1, "detector": 2, "sink": 3}
_DELIVERED, _RETRY, _REJECTED = 1, 2, 3


def detection(label, score, box, track_id=""):
    """One thing that a detector found; box is (x, y, w, h) in parts of the picture, 0 to 1."""
    if not all(map(math.isfinite, (score, *box))):
        raise ValueError(f"{label}: a score or box that is no number")
    x, y = (min(max(float(v), 0.0), 1.0) for v in box[:2])
    w, h = min(max(box[0] + box[2] - x, 0.0), 1 - x), min(max(box[1] + box[3] - y, 0.0), 1 - y)
    score = min(max(float(score), 0.0), 1.0)
    return pb.Detection(label=label, score=score, box=pb.Box(x=x, y=y, w=w, h=h), track_id=track_id)


# ---- Settings ----

_TYPES = {"string": 1, "integer": 2, "number": 3, "boolean": 4, "strings": 5, "map": 6, "duration": 7}
_EMPTY = {"string": "", "integer": 0, "number": 0.0, "boolean": False, "strings": [], "map": {}, "duration": 0.0}
_OF_PYTHON = {str: "string", bool: "boolean", int: "integer", float: "number", list: "strings", dict: "map"}
_KEYS = ("type", "required", "secret", "default", "choices", "help", "example", "file_only", "min", "max")
_UNITS = {"h": 3600, "m": 60, "s": 1, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}


class Config(dict):
    """The settings by name, each there: one that was not set has its default, or else "", 0, False, [], {}.

    A duration is a number of seconds. `instance` is the plugin's name in the bridge's
    file, `data_dir` its own directory, `cameras` those that it may see.
    """

    instance, data_dir, cameras = "", ".", ()


class _Setting:
    """One declared setting."""

    def __init__(self, name, spec):
        for key in spec:
            if key not in _KEYS:
                raise ValueError(f"setting {name}: there is no {key!r}{_meant(key, _KEYS)}")
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,31}", name):
            raise ValueError(f"setting {name!r}: a name is a-z, 0-9 and _, at most 32 of them")
        self.name, self.spec = name, spec
        self.type = spec.get("type") or _OF_PYTHON.get(type(spec.get("default", "")), "")
        if self.type not in _TYPES:
            raise ValueError(f"setting {name}: its type is one of {', '.join(_TYPES)}")
        try:
            if "default" in spec:
                self.value(spec["default"])
        except ValueError as err:
            raise ValueError(f"setting {name}: its default {err}") from None

    def field(self):
        spec, default = self.spec, self.spec.get("default")
        return pb.Field(
            name=self.name,
            type=_TYPES[self.type],
            default_json="" if default is None else _json.dumps(default),
            **{key: spec[key] for key in _KEYS if key in spec and key not in ("type", "default")},
        )

    def value(self, given):
        """The value for the author; raises ValueError with what follows the setting's name."""
        if given is None or given == "":
            given = self.spec.get("default")
        if given is None or given in ("", [], {}) and self.spec.get("required"):
            if self.spec.get("required"):
                raise ValueError("is required" + self._such())
            return _EMPTY[self.type].copy() if self.type in ("strings", "map") else _EMPTY[self.type]
        value = getattr(self, "_" + self.type)(given)
        low, high = self.spec.get("min", 0), self.spec.get("max", 0)
        if self.type in ("integer", "number", "duration") and (low or high) and not low <= value <= high:
            raise ValueError(f"must be between {low} and {high}")
        return value

    def secret(self, given):
        """The value of a secret, which comes as text; of other types than string as JSON."""
        if given and self.type != "string":
            try:
                given = _json.loads(given)
            except ValueError:
                raise ValueError("must be JSON") from None
        return self.value(given)

    def _such(self):
        example = self.spec.get("example")
        return f", such as {example}" if example else ""

    def _need(self, holds, kind):
        if not holds:
            raise ValueError(f"must be {kind}{self._such()}")

    def _string(self, given):
        self._need(isinstance(given, str), "a text")
        choices = self.spec.get("choices", ())
        if choices and given and given not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}{_meant(given, choices)}")
        return given

    def _integer(self, given):
        self._need(self._number(given) == int(given), "a whole number")
        return int(given)

    def _number(self, given):
        self._need(isinstance(given, (int, float)) and not isinstance(given, bool), "a number")
        return float(given)

    def _boolean(self, given):
        self._need(isinstance(given, bool), "true or false")
        return given

    def _strings(self, given):
        self._need(isinstance(given, list) and all(isinstance(v, str) for v in given), "a list of texts")
        return list(given)

    def _map(self, given):
        self._need(isinstance(given, dict) and all(isinstance(v, str) for v in given.values()), "texts by name")
        return dict(given)

    def _duration(self, given):
        text = given if isinstance(given, str) else ""
        parts = re.findall(r"([0-9]+\.?[0-9]*)(h|ms|m|s|us|ns)", text)
        self._need(parts and "".join(n + u for n, u in parts) == text, "a duration like 30s or 1h30m")
        return sum(float(n) * _UNITS[u] for n, u in parts)


def _meant(name, known):
    near = difflib.get_close_matches(name, list(known), 1, 0.5)
    return f'; did you mean "{near[0]}"?' if near else ""


def _decode(settings, given, secrets):
    """Returns what Configure brought as values, and its problems as (field, sentence)."""
    problems = [(name, "is not a setting of this plugin" + _meant(name, settings)) for name in sorted({*given, *secrets} - set(settings))]
    values = {}
    for name, setting in settings.items():
        try:
            if setting.spec.get("secret"):
                if name in given:
                    raise ValueError("is a secret and must come as one")
                values[name] = setting.secret(secrets.get(name))
            else:
                values[name] = setting.value(given.get(name))
        except ValueError as err:
            problems.append((name, str(err)))
    return values, problems


# ---- The bridge, as a plugin may use it ----


class _Host:
    """What the bridge does for a plugin, within what was granted; each raises HostError."""

    def __init__(self):
        self.channel, self.id = None, 0

    def _unary(self, method, request, answer):
        with self._errors():
            return self._method("unary_unary", method, answer)(request, timeout=5)

    def _method(self, kind, method, answer):
        if self.channel is None:
            raise HostError("UNAVAILABLE", "there is no bridge to ask")
        path = "/bridge.plugin.v1.Host/" + method
        make = getattr(self.channel, kind)
        return make(path, request_serializer=lambda m: m.SerializeToString(), response_deserializer=answer.FromString)

    @contextlib.contextmanager
    def _errors(self):
        try:
            yield
        except grpc.RpcError as err:
            raise HostError(err.code().name, err.details()) from None

    def cameras(self):
        """The cameras that the plugin may see: id, name, online."""
        return list(self._unary("Cameras", pb.CamerasRequest(), pb.CamerasResponse).cameras)

    def snapshot(self, camera, max_age=0.0):
        """The newest frame that the bridge holds, not older than max_age seconds. Needs "snapshot"."""
        return self._unary("Snapshot", pb.SnapshotRequest(camera=camera, max_age_ms=int(max_age * 1000)), pb.Picture)

    def frames(self, camera, max_fps=0.0, every=False):
        """Yields picture, dropped: the newest frames, or a queue of every one. Needs "frames"."""
        request = pb.FramesRequest(camera=camera, max_fps=max_fps, every=every)
        with self._errors():
            for answer in self._method("unary_stream", "Frames", pb.FramesResponse)(request):
                yield answer.picture, answer.dropped

    def command(self, camera, name, args=None):
        """Sets or does something on a camera. Needs "command"; once a second at most."""
        request = pb.CommandRequest(camera=camera, name=name, args_json="" if args is None else _json.dumps(args))
        answer = self._unary("Command", request, pb.CommandResponse)
        if not answer.ok:
            raise HostError("FAILED", answer.message)
        return answer.message

    def publish(self, name, payload):
        """Publishes bytes, text or something for JSON on <base>/plugin/<instance>/event/<name>. Needs "publish"."""
        if not isinstance(payload, (bytes, str)):
            payload = _json.dumps(payload)
        payload = payload.encode() if isinstance(payload, str) else payload
        self._unary("Publish", pb.PublishRequest(name=name, payload=payload), pb.PublishResponse)

    def set_state(self, name, value):
        """Publishes a value on <base>/plugin/<instance>/<name>, retained. Needs "publish"."""
        self._unary("SetState", pb.SetStateRequest(name=name, value=str(value)), pb.SetStateResponse)

    def connect(self, broker, broker_id):
        """Dials the host that the broker announced under the id, and watches it."""
        if broker_id in (0, self.id):
            return
        old, self.channel = self.channel, grpc.insecure_channel(broker.address(broker_id), options=_CHANNEL)
        self.id = broker_id
        watch = self._method("unary_stream", "Watch", pb.WatchResponse)(pb.WatchRequest())
        threading.Thread(target=self._watch, args=(watch, self.channel), daemon=True).start()
        if old is not None:
            old.close()

    def _watch(self, watch, channel):
        try:
            for news in watch:
                if news.log_level in _LEVELS:
                    logging.getLogger().setLevel(_LEVELS[news.log_level])
        except grpc.RpcError as err:
            log.debug("the watch on the bridge ended: %s", err.code().name)
        if channel is self.channel:
            _plugin.exit()  # the bridge is gone


class _Broker:
    """go-plugin's broker: the bridge tells where each service it brokers listens."""

    def __init__(self):
        self.addresses, self.changed = {}, threading.Condition()

    def stream(self, infos, context):
        with contextlib.suppress(Exception):  # gRPC's word for: the bridge has hung up
            for info in infos:
                with self.changed:
                    self.addresses[info.service_id] = info.network, info.address
                    self.changed.notify_all()
        yield from ()

    def address(self, service_id):
        with self.changed:
            if not self.changed.wait_for(lambda: service_id in self.addresses, 5):
                raise TimeoutError(f"the bridge announced no service {service_id} within 5 s")
            network, address = self.addresses[service_id]
        return "unix:" + address if network == "unix" else address


host = _Host()


# ---- The plugin ----


_END = b"\0"


class _Plugin:
    """What the author declared, and the calls under way."""

    def __init__(self):
        self.functions, self.needs, self.traits = {}, None, None
        self.config, self.health = None, ""
        self.configuring, self.lock, self.broker = threading.Lock(), threading.Lock(), _Broker()
        self.idle, self.count, self.closed = threading.Condition(), 0, False
        self.detecting, self.socket = set(), ""
        self.sinking, self.delivered = threading.Lock(), 0
        self.ends, self.end = os.pipe()  # _END in it ends the process, and so does the number of SIGTERM
        os.set_blocking(self.end, False)

    def describe(self, name, version, settings, summary, permissions):
        self.settings = {key: _Setting(key, spec) for key, spec in settings.items()}
        for permission in permissions:
            if permission not in _PERMISSIONS:
                raise ValueError(f"there is no permission {permission!r}{_meant(permission, _PERMISSIONS)}")
        roles = [_ROLES[role] for role in _ROLES if role in self.functions]
        if not roles:
            raise ValueError("mark at least one function with @notifier, @detector or @sink")
        self.description = pb.Description(
            name=name,
            version=version,
            sdk="python/" + SDK_VERSION,
            api_minor=API_MINOR,
            roles=roles,
            fields=[setting.field() for setting in self.settings.values()],
            permissions=permissions,
            detector=self.needs,
            notifier=self.traits,
            summary=summary,
        )

    # Each method below answers one call of the protocol.

    def Describe(self, request, context):
        return self.description

    def Configure(self, request, context):
        redact.add(request.secrets.values())
        given = _json.loads(request.settings_json or "{}") or {}
        if not isinstance(given, dict):
            return pb.ConfigureResponse(problems=[pb.Problem(message="the settings are no JSON object")])
        values, problems = _decode(self.settings, given, dict(request.secrets))
        config = Config(values)
        config.instance, config.data_dir = request.instance, request.data_dir
        config.cameras = tuple(request.cameras)
        with self.configuring:
            if not problems:
                host.connect(self.broker, request.host_broker_id)
                problems = self._configured(config)
            if not problems:
                self.config = config
        return pb.ConfigureResponse(problems=[pb.Problem(field=f, message=redact(m)) for f, m in problems])

    def _configured(self, config):
        try:
            self.functions.get("configured", lambda config: None)(config)
        except Invalid as err:
            return [(err.field, str(err))]
        return []

    def Check(self, request, context):
        if self.config is None:
            return pb.CheckResponse(degraded=True, message="not configured")
        if not request.alive and "check" in self.functions:
            try:
                self.health = self.functions["check"](self.config) or ""
            except (Retry, Reject, HostError) as err:
                self.health = str(err)
        message = redact(self.health)
        return pb.CheckResponse(degraded=bool(message), message=message)

    def Drain(self, request, context):
        self.drain(request.within_ms / 1000)
        self.stop()
        return pb.DrainResponse()

    def Notify(self, alert, context):
        try:
            handle = self.functions["notifier"](alert, self.ready())
        except Retry as err:
            after = int(min(max(err.after, 0), 3600) * 1000)
            return pb.Receipt(outcome=_RETRY, retry_after_ms=after, message=redact(str(err)))
        except Reject as err:
            return pb.Receipt(outcome=_REJECTED, message=redact(str(err)))
        handle = "" if handle is None else redact(str(handle))
        if len(handle.encode()) > HANDLE:
            log.warning("the handle has more than %d bytes and is left out", HANDLE)
            handle = ""
        return pb.Receipt(outcome=_DELIVERED, handle=handle)

    def Detect(self, picture, context):
        with self.lock:
            if picture.camera in self.detecting:
                return pb.DetectResponse(busy=True)
            self.detecting.add(picture.camera)
        try:
            found = list(self.functions["detector"](picture, self.ready()) or ())
        except Busy:
            return pb.DetectResponse(busy=True)
        finally:
            self.detecting.discard(picture.camera)
        for one in found:
            if self.needs.labels and one.label not in self.needs.labels:
                log.warning("the label %r is left out: it is not among those of @detector", one.label)
        return pb.DetectResponse(detections=[f for f in found if not self.needs.labels or f.label in self.needs.labels])

    def Deliver(self, request, context):
        acked = 0
        with self.sinking:
            for one in request.events:
                try:
                    self._deliver(one)
                except Exception:
                    if not acked:
                        raise
                    _report()
                    break
                acked = one.sequence
        return pb.DeliverResponse(acked=acked)

    def _deliver(self, one):
        """Hands one event over, unless that was done and the bridge does not know."""
        if one.sequence <= self.delivered:
            return
        if one.gap:
            log.warning("%d events were dropped before this one", one.gap)
        try:
            self.functions["sink"](one.event, self.ready())
        except Reject as err:
            log.error("an event is left out: %s", err)
        self.delivered = one.sequence

    def ready(self):
        if self.config is None:
            raise _Refused(grpc.StatusCode.FAILED_PRECONDITION, "it is not configured yet")
        return self.config

    # How it begins and ends.

    @contextlib.contextmanager
    def under_way(self):
        with self.idle:
            if self.closed:
                raise _Refused(grpc.StatusCode.UNAVAILABLE, "it is ending")
            self.count += 1
        try:
            yield
        finally:
            with self.idle:
                self.count -= 1
                self.idle.notify_all()

    def drain(self, within):
        """Takes nothing new and waits for what is under way."""
        with self.idle:
            self.closed = True
            self.idle.wait_for(lambda: self.count == 0, within)

    def stop(self):
        """Lets run() come to its end."""
        os.write(self.end, _END)

    def exit(self):
        """Ends the process at once, whatever the author's threads do."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.socket)
        sys.stderr.close()
        os._exit(0)

    def serve(self):
        server = grpc.server(futures.ThreadPoolExecutor(64, "call"), options=_CHANNEL)
        server.add_generic_rpc_handlers(_handlers(self))
        if os.name == "nt":
            address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        else:
            folder = os.environ.get("PLUGIN_UNIX_SOCKET_DIR") or tempfile.gettempdir()
            address = self.socket = os.path.join(folder, f"plugin-{os.getpid()}.sock")
            server.add_insecure_port("unix:" + address)
        server.start()
        network = "tcp" if os.name == "nt" else "unix"
        os.write(_HANDSHAKE, f"1|{API_MAJOR}|{network}|{address}|grpc\n".encode())
        os.close(_HANDSHAKE)
        return server


class _Refused(Exception):
    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


_plugin = _Plugin()


def _report():
    """An author's exception, for the log."""
    sys.stderr.write(traceback.format_exc())


def _handler(method, request_class, guard=True):
    """One call of the protocol: counted, and an author's exception is an error of that call."""

    def handle(request, context):
        left = context.time_remaining()
        _call.until = time.monotonic() + (3600 if left is None else left)
        try:
            with _plugin.under_way() if guard else contextlib.nullcontext():
                return method(request, context)
        except _Refused as err:
            code, message = err.code, str(err)
        except (Exception, SystemExit) as err:
            _report()
            code, message = grpc.StatusCode.UNKNOWN, f"{type(err).__name__}: {err}"
        context.abort(code, redact(message))

    return _rpc(handle, request_class.FromString)


def _rpc(handle, parse):
    return grpc.unary_unary_rpc_method_handler(
        handle,
        request_deserializer=parse,
        response_serializer=lambda m: m if isinstance(m, bytes) else m.SerializeToString(),
    )


def _handlers(plugin):
    """The services of the protocol, and those that go-plugin wants."""

    def service(name, methods):
        return grpc.method_handlers_generic_handler(name, methods)

    def shutdown(request, context):
        plugin.stop()
        return b""

    def none(request, context):
        yield from ()

    broker = grpc.stream_stream_rpc_method_handler(
        plugin.broker.stream,
        request_deserializer=pb.ConnInfo.FromString,
        response_serializer=lambda m: m.SerializeToString(),
    )
    return (
        service(
            "bridge.plugin.v1.Plugin",
            {
                "Describe": _handler(plugin.Describe, pb.DescribeRequest, guard=False),
                "Configure": _handler(plugin.Configure, pb.ConfigureRequest),
                "Check": _handler(plugin.Check, pb.CheckRequest, guard=False),
                "Drain": _handler(plugin.Drain, pb.DrainRequest, guard=False),
            },
        ),
        *(
            service("bridge.plugin.v1." + role.title(), {method: _handler(getattr(plugin, method), request)})
            for role, method, request in (
                ("notifier", "Notify", pb.Alert),
                ("detector", "Detect", pb.DetectRequest),
                ("sink", "Deliver", pb.DeliverRequest),
            )
            if role in plugin.functions
        ),
        service("grpc.health.v1.Health", {"Check": _rpc(lambda request, context: b"\x08\x01", bytes)}),
        service("plugin.GRPCController", {"Shutdown": _rpc(shutdown, bytes)}),
        service("plugin.GRPCStdio", {"StreamStdio": grpc.unary_stream_rpc_method_handler(none)}),
        service("plugin.GRPCBroker", {"StartStream": broker}),
    )


# ---- What an author calls ----


def notifier(function=None, *, no_picture=False, max_picture_bytes=0, can_edit=False):
    """Marks notify(alert, config), which tells people. What it returns is the handle of the
    message: it comes back as alert.handle with the next alert of the event, to edit that
    (can_edit). Larger pictures than max_picture_bytes are made smaller; no_picture: it has no
    use for one."""
    traits = pb.NotifierTraits(wants_picture=not no_picture, max_picture_bytes=max_picture_bytes, can_edit=can_edit)
    _plugin.traits = traits
    return _mark("notifier", function)


def detector(function=None, *, labels=(), max_fps=0.0, max_width=0, stateful=False):
    """Marks detect(picture, config), which returns a list of detection(). `labels` are all that
    it may find; it is shown at most max_fps pictures per second and camera, of at most max_width."""
    _plugin.needs = pb.DetectorNeeds(labels=labels, max_fps=max_fps, max_width=max_width, stateful=stateful)
    return _mark("detector", function)


def sink(function):
    """Marks deliver(event, config), which takes every event; one that raises is delivered again."""
    return _mark("sink", function)


def check(function):
    """Marks check(config), which says in a sentence what is wrong, or None; it sends nothing visible."""
    return _mark("check", function)


def configured(function):
    """Marks configured(config), called with new settings before they are used; may raise Invalid."""
    return _mark("configured", function)


def _mark(role, function):
    def mark(function):
        _plugin.functions[role] = function
        return function

    return mark if function is None else mark(function)


def degraded(message):
    """Says that something is wrong until it is called with "": the bridge shows it to people."""
    _plugin.health = message


def run(name, version, settings=None, summary="", permissions=()):
    """Serves the plugin until the bridge ends it. `settings` maps a name to what is declared of it:
    type (string, integer, number, boolean, strings, map, duration), required, secret, default,
    choices, help, example, file_only, min, max. Call it last, below `if __name__ == "__main__":`
    when other code imports the file."""
    try:
        _plugin.describe(name, version, settings or {}, summary, permissions)
    except ValueError as err:
        sys.exit(str(err))
    if _HANDSHAKE is None:
        _tell_a_person()
    _log_to_stderr(_Stderr())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: None)
    signal.set_wakeup_fd(_plugin.end)  # not the function above: this thread may be about to wait, and not look at it
    server = _plugin.serve()
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    while os.read(_plugin.ends, 1) not in (_END, bytes([signal.SIGTERM])):
        pass  # a signal that the author handles
    _plugin.drain(DRAIN)
    server.stop(0.2).wait(0.5)
    _plugin.exit()


def _tell_a_person():
    """The plugin was started by hand."""
    if sys.argv[1:] == ["--describe"]:
        from google.protobuf import json_format

        print(json_format.MessageToJson(_plugin.description, preserving_proto_field_name=True))
        sys.exit()
    sys.exit(
        f"This is the plugin {_plugin.description.name!r} for espcam-bridge, which starts it by itself; --describe shows its"
        " settings. To try it: espcam-bridge plugin dev FOLDER"
    )


def _end_with_stdin():
    """The bridge holds the other end of standard input: when that closes, it is gone."""
    mode = os.fstat(0).st_mode
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        while os.read(0, 4096):
            pass
        _plugin.exit()
