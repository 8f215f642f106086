#!/usr/bin/env python3
"""Posts alerts as JSON with Python's own library, and stays between them (mode: lines, reply: true)."""

import base64
import json
import sys
import urllib.error
import urllib.request

URL = sys.argv[1]


def post(alert):
    body = {"title": alert["title"], "text": alert["text"], "camera": alert["camera"]}
    if alert.get("picture"):
        with open(alert["picture"], "rb") as file:
            body["picture"] = base64.b64encode(file.read()).decode()
    request = urllib.request.Request(URL, json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        urllib.request.urlopen(request, timeout=8).close()
        return {"message": "posted"}
    except urllib.error.HTTPError as err:
        return {"reject": str(err)} if err.code < 500 and err.code != 429 else {"retry": 30, "message": str(err)}
    except OSError as err:
        return {"retry": 30, "message": str(err)}


for line in sys.stdin:
    print(json.dumps(post(json.loads(line))), flush=True)
