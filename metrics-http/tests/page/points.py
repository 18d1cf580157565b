"""The points that the checks of the chart page write, and how."""

import json
import urllib.request
from datetime import datetime, timedelta, timezone

HOSTILE = '<img src=x onerror="window.hit=1">'
HOSTILE_LABEL = '"><script>window.hit=2</script>'


def post(url, points):
    body = json.dumps(points).encode()
    request = urllib.request.Request(url + "/v1/metrics", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.status == 201, answer.status


def fill(url):
    """Quarter hours of a day, hours over a change of clocks, hostile text, 2,000 names, a metric of 2,000 series."""
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
