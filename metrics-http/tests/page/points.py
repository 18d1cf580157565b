"""The points that the checks of the chart page write, and how."""

import json
import pathlib
import urllib.parse
import urllib.request
from datetime import datetime, timedelta, timezone

DATA = pathlib.Path(__file__).resolve().parents[3] / "examples" / "data"
TEMPERATURE = DATA / "machine_temperature_system_failure.csv"
CPU = DATA / "ec2_cpu_utilization_5f5533.csv"
HOSTILE = '<img src=x onerror="window.hit=1">'
HOSTILE_LABEL = '"><script>window.hit=2</script>'


def post(url, points):
    send(url + "/v1/metrics", json.dumps(points).encode(), "application/json")


def post_csv(url, name, path):
    """A file with the columns timestamp and value, as points of one metric."""
    send(f"{url}/v1/metrics?{urllib.parse.urlencode({'name': name})}", path.read_bytes(), "text/csv")


def send(address, body, content_type):
    request = urllib.request.Request(address, body, {"Content-Type": content_type})
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.status == 201, answer.status


def fill(url):
    """Quarter hours of a day, hours over a change of clocks, hostile text, many names and series, recorded data."""
    midnight = datetime(2024, 2, 2, tzinfo=timezone.utc)
    points = []
    for quarter in range(96):
        at = (midnight + timedelta(minutes=15 * quarter)).isoformat()
        value = 10 * (quarter // 4) + quarter % 4
        points += [
            {"timestamp": at, "name": "ramp", "value": value + more, "labels": {"host": host}}
            for host, more in (("a", 0), ("b", 1000))
        ]
        points.append({"timestamp": at, "name": HOSTILE, "value": value, "labels": {HOSTILE_LABEL: HOSTILE_LABEL}})
        if not 40 <= quarter < 48:
            points.append({"timestamp": at, "name": "holed", "value": 5})
    spring = datetime(2024, 3, 29, tzinfo=timezone.utc)
    points += [
        {"timestamp": (spring + timedelta(hours=hour)).isoformat(), "name": "hourly", "value": 1} for hour in range(96)
    ]
    points += [{"timestamp": midnight.isoformat(), "name": f"service_{i:04}", "value": i} for i in range(2000)]
    at = midnight.isoformat()
    points += [{"timestamp": at, "name": "crowd", "value": i, "labels": {"host": f"h{i:04}"}} for i in range(2000)]
    post(url, points)
    post_csv(url, "machine_temperature", TEMPERATURE)
    post_csv(url, "ec2_cpu", CPU)
