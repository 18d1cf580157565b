"""The chart page on recorded data: it keeps the peaks, shows points where they are few, and moves in time."""

import csv
import urllib.parse
from datetime import datetime, timezone

from points import CPU, TEMPERATURE
from reading import CELLS, DETAIL, FIGURES, NOTICES, SEARCH, SERIES, VALUES, of_app

# Values that spread over some hundred degrees are told to a tenth.
ROUNDED = 0.05001
ALL = "name=machine_temperature&from=all&tz=UTC"


def read(path):
    """The points of a file, as (epoch milliseconds, value)."""
    with path.open() as lines:
        rows = csv.DictReader(lines)
        return [(epoch_ms(row["timestamp"]), float(row["value"])) for row in rows]


def epoch_ms(text):
    return int(datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp() * 1000)


def number(text):
    return float(text.replace(",", "").replace("\u2212", "-"))


def windows_are_no_more_than_pixels_and_the_peaks_stay(page, url):
    points = read(TEMPERATURE)
    page.open(f"{url}/?{ALL}")
    page.until("all points", FIGURES, lambda rows: rows and rows[0][5] == f"{len(points):,}")
    drawn = page.run(
        "return "
        + of_app(
            f"(({{ time, values, min, max }}) => ({{ windows: time.length, pixels: app.panels[0].charts.width,"
            f" low: Math.min(...min), high: Math.max(...max), top: Math.max(...values) }}))({SERIES}[0])"
        )
    )
    values = [value for _, value in points]
    assert 200 < drawn["windows"] <= drawn["pixels"] / 2 + 1, drawn
    assert [drawn["low"], drawn["high"]] == [min(values), max(values)] and drawn["top"] < max(values), drawn
    _, average, least, greatest, last, _ = page.run("return " + FIGURES)[0]
    assert abs(number(average) - sum(values) / len(values)) <= ROUNDED, average
    told, true = [number(least), number(greatest), number(last)], [min(values), max(values), values[-1]]
    assert all(abs(a - b) <= ROUNDED for a, b in zip(told, true)), (told, true)


def few_points_are_drawn_as_they_are(page, url):
    span = "from=2014-02-24T20%3A00%3A00.000Z&to=2014-02-25T00%3A00%3A00.000Z"
    page.open(f"{url}/?name=ec2_cpu&{span}&tz=UTC")
    page.until("raw points", DETAIL, lambda text: text.startswith("raw points"))
    start, end = epoch_ms("2014-02-24 20:00:00"), epoch_ms("2014-02-25 00:00:00")
    expected = [[at, value] for at, value in read(CPU) if start <= at < end]
    drawn = page.run(
        "return " + of_app(f"(({{ time, values }}) => Array.from(time, (at, i) => [at, values[i]]))({SERIES}[0])")
    )
    assert drawn == expected, (drawn[:3], expected[:3])
    page.choose("#agg", "count")
    page.until("windows, where values are counted", DETAIL, lambda text: text.startswith("count per"))


def more_points_than_pixels_are_drawn_as_windows_with_their_band(page, url):
    page.open(f"{url}/?{ALL}&per=raw")
    page.until("the notice", NOTICES, lambda text: "More points than this chart has pixels" in text)
    page.until("windows", DETAIL, lambda text: text.startswith("avg per"))
    high = page.run("return " + of_app(f"Math.max(...{SERIES}[0].max)"))
    assert high == max(value for _, value in read(TEMPERATURE)), high
    page.open(
        f"{url}/?name=machine_temperature&from=2014-01-01T00%3A00%3A00Z&to=2014-01-02T00%3A00%3A00Z&per=raw&tz=UTC"
    )
    page.until("points", DETAIL, lambda text: text.startswith("raw points"))
    page.equal("no notice", NOTICES, "")


def granularities_change_the_windows(page, url):
    span = "from=2014-02-01T00%3A00%3A00.000Z&to=2014-02-03T00%3A00%3A00.000Z"
    page.open(f"{url}/?name=machine_temperature&{span}&tz=UTC")
    page.click(".values-fold summary")
    points = [point for point in read(TEMPERATURE) if epoch_ms("2014-02-01") <= point[0] < epoch_ms("2014-02-03")]
    for per, width_ms, head in (("hour", 3_600_000, "avg per hour"), ("day", 86_400_000, "avg per day")):
        page.choose("#per", per)
        page.until("the width", DETAIL, lambda text, head=head: text.startswith(head))
        count = len({at // width_ms for at, _ in points})
        rows = page.until("the windows", VALUES, lambda rows, count=count: len(rows) == count)
        newest = [value for at, value in points if at // width_ms == points[-1][0] // width_ms]
        assert abs(number(rows[0][1]) - sum(newest) / len(newest)) <= ROUNDED, (rows[0], sum(newest) / len(newest))


def the_wheel_zooms_and_pans_in_one_step_of_history(page, url):
    span = "from=2014-01-10T00%3A00%3A00.000Z&to=2014-01-20T00%3A00%3A00.000Z"
    page.open(f"{url}/?name=machine_temperature&{span}&tz=UTC")
    page.until("a chart", FIGURES, lambda rows: len(rows) == 1)
    before, entries = page.run("return [location.search, history.length]")
    left, top, right, bottom = page.plot()
    for _ in range(4):
        page.wheel((left + right) / 2, (top + bottom) / 2, 0, -60, ctrl=True)
    zoomed = page.until("a zoomed link", SEARCH, lambda search: search != before)
    start, end = span_of(zoomed)
    days = (end - start).total_seconds() / 86400
    assert 4.5 < days < 5.5, f"240 pixels of the wheel halve ten days: {days}"
    assert page.run("return history.length") == entries + 1
    page.wheel((left + right) / 2, (top + bottom) / 2, 300, 0)
    panned = page.until("a panned link", SEARCH, lambda search: search != zoomed)
    moved, later_end = span_of(panned)
    assert moved > start and abs((later_end - moved) - (end - start)).total_seconds() < 1, (start, moved)
    page.click("#back")
    page.equal("the link", SEARCH, zoomed)


def shift_and_drag_pan(page, url):
    span = "from=2014-01-10T00%3A00%3A00.000Z&to=2014-01-20T00%3A00%3A00.000Z"
    page.open(f"{url}/?name=machine_temperature&{span}&tz=UTC")
    page.until("a chart", FIGURES, lambda rows: len(rows) == 1)
    before = page.run("return location.search")
    left, top, right, bottom = page.plot()
    middle, width = (top + bottom) / 2, right - left
    page.hold("Shift")
    page.pointer(
        ("move", left + width / 2, middle),
        ("down",),
        ("move", left + width / 2 + 50, middle),
        ("move", left + width / 2 + 240, middle),
        ("up",),
    )
    page.release("Shift")
    start, end = span_of(page.until("a panned link", SEARCH, lambda search: search != before))
    hours = (datetime(2014, 1, 10, tzinfo=timezone.utc) - start).total_seconds() / 3600
    assert abs((end - start).total_seconds() - 10 * 86400) < 1, (start, end)
    assert 42 < hours < 55, f"240 of some 1,180 pixels are a fifth of ten days: {hours}"
    page.run("document.querySelector('.stage').focus()")
    page.hold("Shift")
    page.keys("ArrowRight")
    page.release("Shift")
    later, _ = span_of(page.until("a later link", SEARCH, lambda search: span_of(search)[0] > start))
    assert abs((later - start).total_seconds() - 2.5 * 86400) < 1, (start, later)


def span_of(search):
    asked = urllib.parse.parse_qs(search[1:])
    return tuple(datetime.fromisoformat(asked[key][0].replace("Z", "+00:00")) for key in ("from", "to"))


def the_figures_are_sorted_by_a_click(page, url):
    page.open(f"{url}/?name=machine_temperature&name=ec2_cpu&from=all&tz=UTC")
    names = f"{FIGURES}.map((row) => row[0])"
    page.equal("the names", names, ["ec2_cpu", "machine_temperature"])
    page.click(".figures th.count .sort")
    page.equal("the most points first", names, ["machine_temperature", "ec2_cpu"])
    page.click(".figures th.count .sort")
    page.equal("the fewest points first", names, ["ec2_cpu", "machine_temperature"])
    assert page.run("return " + CELLS % ".figures thead tr")[0][0] == "series"


CHECKS = [
    windows_are_no_more_than_pixels_and_the_peaks_stay,
    few_points_are_drawn_as_they_are,
    more_points_than_pixels_are_drawn_as_windows_with_their_band,
    granularities_change_the_windows,
    the_wheel_zooms_and_pans_in_one_step_of_history,
    shift_and_drag_pan,
    the_figures_are_sorted_by_a_click,
]
