"""Compares a server's hour averages with those computed here from the CSV file that it was given.

Usage: hour_averages.py FILE.csv ANSWER.json
"""

import csv
import json
import math
import sys
from collections import defaultdict
from datetime import datetime, timezone

TOLERANCE = 1e-9


def expected_hours(path):
    hours = defaultdict(list)
    with open(path, newline="") as rows:
        for row in csv.DictReader(rows):
            time = datetime.fromisoformat(row["timestamp"]).replace(tzinfo=timezone.utc)
            hours[time.replace(minute=0, second=0, microsecond=0)].append(float(row["value"]))
    return {hour: (math.fsum(values) / len(values), len(values)) for hour, values in hours.items()}


def answered_hours(path):
    with open(path) as text:
        series = json.load(text)["series"]
    assert len(series) == 1, f"one series was asked for, {len(series)} came"
    times = [datetime.fromisoformat(time.replace("Z", "+00:00")) for time in series[0]["time"]]
    assert times == sorted(set(times)), "hours are not ascending, or come twice"
    return dict(zip(times, zip(series[0]["avg"], series[0]["count"], strict=True), strict=True))


def main():
    expected, answered = expected_hours(sys.argv[1]), answered_hours(sys.argv[2])
    assert expected, "the file holds no point"
    missing, extra = expected.keys() - answered.keys(), answered.keys() - expected.keys()
    assert not missing and not extra, f"hours missing: {sorted(missing)}; hours too many: {sorted(extra)}"
    worst = 0.0
    for hour, (average, count) in expected.items():
        got_average, got_count = answered[hour]
        distance = abs(got_average - average)
        assert distance <= TOLERANCE, f"{hour}: average {got_average}, {average} is right"
        assert got_count == count, f"{hour}: {got_count} points, {count} is right"
        worst = max(worst, distance)
    points = sum(count for _, count in expected.values())
    print(f"{len(expected)} hour averages of {points} points are right; the largest difference is {worst:.1e}")


if __name__ == "__main__":
    main()
