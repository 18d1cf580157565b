"""What the checks share: reading back what a client wrote, and waiting for it."""

import json
import time
import urllib.parse
import urllib.request

PATIENCE_S = 90


def get(url, path, **parameters):
    """The answer of the server, read from JSON where it is that."""
    query = urllib.parse.urlencode(parameters, doseq=True)
    with urllib.request.urlopen(f"{url}{path}?{query}", timeout=30) as answer:
        text = answer.read().decode()
        return json.loads(text) if answer.headers["content-type"] == "application/json" else text


def points(url, name, **parameters):
    """The points of each series of a metric, in order of time: {labels: [(microseconds, value), ...]}."""
    parameters = {"from": "1970-01-01", "to": "2100-01-01", "epoch": "us"} | parameters
    answer = get(url, "/v1/query", name=name, per="raw", group_by="*", **parameters)
    series = {}
    for found in answer["series"]:
        labels = tuple(sorted(found["labels"].items()))
        series[labels] = list(zip(found["time"], found["value"], strict=True))
    return series


def values(url, name):
    """The values alone: {labels: [value, ...]}."""
    return {labels: [value for _, value in found] for labels, found in points(url, name).items()}


def figure(url, name):
    """A figure of the server about itself."""
    lines = get(url, "/metrics").splitlines()
    found = [float(line.split()[-1]) for line in lines if line.startswith(f"{name} ")]
    assert len(found) == 1, f"{name} stands {len(found)} times in /metrics"
    return found[0]


def eventually(what, condition):
    """The first true answer of the condition; fails when none comes."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError(f"not within {PATIENCE_S} s: {what}")
