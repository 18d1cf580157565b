"""What must hold of the chart page: each check opens a view and compares what it reads with what was written."""

import urllib.parse
from datetime import datetime, timezone

from points import HOSTILE, HOSTILE_LABEL, fill, post
from reading import (
    CAPTION,
    CHIPS,
    DAY,
    DETAIL,
    FIGURES,
    MESSAGE,
    NOTICES,
    OPTIONS,
    SEARCH,
    TOOLTIP,
    VALUES,
    of_app,
)


def an_empty_store_tells_how_to_post_and_opens_the_first_metric(page, url):
    page.open(url + "/")
    told = page.until("the empty store's text", "document.querySelector('#empty:not([hidden])')?.textContent")
    assert f"curl -X POST {url}/v1/metrics" in told and all(
        f"serve --{option}" in told for option in ("collect", "simulate")
    ), told
    post(url, [{"name": "first", "value": 7.25}])
    page.equal("the caption", CAPTION, "first")
    page.equal("the figures", FIGURES, [["first", "7.25", "7.25", "7.25", "7.25", "1"]])
    fill(url)


def figures_and_values_are_those_of_the_points(page, url):
    page.open(f"{url}/?name=ramp&{DAY}&per=hour&group_by=host&tz=UTC")
    expected = [["host=a", "116.5", "0", "233", "233", "96"], ["host=b", "1,116.5", "1,000", "1,233", "1,233", "96"]]
    page.equal("the figures", FIGURES, expected)
    page.click(".values-fold summary")
    rows = page.until("the values", VALUES, lambda rows: len(rows) == 24)
    assert rows[0] == ["2024-02-02 23:00", "231.5", "1,231.5"], rows[0]
    assert rows[23] == ["2024-02-02 00:00", "1.5", "1,001.5"], rows[23]
    page.choose("#agg", "max")
    page.until("maxima", VALUES, lambda rows: rows[:1] == [["2024-02-02 23:00", "233", "1,233"]])
    page.choose("#per", "raw")
    page.until(
        "raw points", VALUES, lambda rows: len(rows) == 96 and rows[0] == ["2024-02-02 23:45:00", "233", "1,233"]
    )


def the_search_box_finds_one_of_two_thousand_names(page, url):
    page.open(f"{url}/?name=ramp&{DAY}&per=hour&tz=UTC")
    page.equal("the chips", CHIPS, ["ramp"])
    page.click("#metric")
    page.keys(*"1234 serv")
    page.equal("the options", OPTIONS, ["service_1234"])
    page.keys("Enter", "Escape")
    page.equal("the chips", CHIPS, ["ramp", "service_1234"])
    page.until("the link", SEARCH, lambda search: "name=ramp&name=service_1234" in search)
    page.until("its value", FIGURES, lambda rows: ["service_1234", "1,234", "1,234", "1,234", "1,234", "1"] in rows)
    page.click("#metric-picker .chip-remove")
    page.equal("the chips", CHIPS, ["service_1234"])


def dragging_zooms_and_a_double_click_goes_back(page, url):
    page.open(f"{url}/?name=ramp&{DAY}&tz=UTC")
    page.until("all points", FIGURES, lambda rows: rows and rows[0][5] == "192")
    before = page.run("return " + SEARCH)
    left, top, right, bottom = page.plot()
    middle, third = (top + bottom) / 2, (right - left) / 3
    page.pointer(
        ("move", left + third, middle),
        ("down",),
        ("move", left + third + 40, middle),
        ("move", right - third, middle),
        ("up",),
    )
    search = page.until("a zoomed link", SEARCH, lambda search: search != before)
    asked = urllib.parse.parse_qs(search[1:])
    start, end = (datetime.fromisoformat(asked[key][0].replace("Z", "+00:00")) for key in ("from", "to"))
    assert start.date() == end.date() and 6 <= start.hour <= 9 and 7 <= (end - start).total_seconds() / 3600 <= 9, (
        start,
        end,
    )
    inside = 2 * sum(start <= datetime(2024, 2, 2, q // 4, q % 4 * 15, tzinfo=timezone.utc) < end for q in range(96))
    page.until(f"{inside} points", FIGURES, lambda rows: rows and rows[0][5] == str(inside))
    page.pointer(*[("move", left + third, middle), ("down",), ("up",), ("down",), ("up",)])
    page.equal("the link", SEARCH, before)
    page.run("history.back()")
    page.equal("the link", SEARCH, search)
    page.run("document.querySelector('.stage').focus()")
    page.keys("Backspace")
    page.equal("the link", SEARCH, before)


def the_crosshair_lists_every_series(page, url):
    page.open(f"{url}/?name=ramp&name=holed&{DAY}&per=hour&group_by=host&tz=UTC")
    page.until("three series", FIGURES, lambda rows: len(rows) == 3)
    page.run("document.querySelector('.stage').focus()")
    page.keys("End")
    page.equal("the tooltip", TOOLTIP, ["1,231.5", "231.5", "5"])
    runs = page.run(
        "return import('/page/draw.js').then(({ runsOf }) => "
        + of_app("app.panels[0].shown.frame.series.filter((s) => s.name === 'holed').map(runsOf)")
        + ")"
    )
    assert runs == [[[0, 9], [10, 21]]], f"the hole of two hours splits the line: {runs}"


def presets_lead_to_all_data(page, url):
    page.open(f"{url}/?name=ramp&from=now-1h&tz=UTC")
    page.until(
        "no points",
        MESSAGE,
        lambda text: "No points between" in text and "2024-02-02 00:00:00 to 2024-02-02 23:45:00" in text,
    )
    page.click(".message button")
    page.until("all points", FIGURES, lambda rows: rows and rows[0][5] == "192")
    page.until("the link", SEARCH, lambda search: "from=all" in search)
    page.click("[data-preset='24h']")
    page.until("the link", SEARCH, lambda search: "from=now-24h" in search)
    page.equal("the preset", "document.querySelector('[data-preset=\"24h\"]').getAttribute('aria-pressed')", "true")


def days_follow_the_zone(page, url):
    span = "from=2024-03-29T23%3A00%3A00.000Z&to=2024-04-01T22%3A00%3A00.000Z"
    page.open(f"{url}/?name=hourly&{span}&per=day&agg=count&tz=Europe%2FBerlin")
    page.click(".values-fold summary")
    page.equal("the days", VALUES, [["Mon 2024-04-01", "24"], ["Sun 2024-03-31", "23"], ["Sat 2024-03-30", "24"]])
    page.equal("the start", "document.querySelector('#from').value", "2024-03-30T00:00")
    page.choose("#zone", "UTC")
    page.until("the days of UTC", VALUES, lambda rows: [row[1] for row in rows] == ["22", "24", "24", "1"])
    page.equal("the start", "document.querySelector('#from').value", "2024-03-29T23:00")


def the_two_time_fields_are_read_in_the_zone(page, url):
    page.open(f"{url}/?name=ramp&{DAY}&group_by=host&tz=Asia%2FTokyo")
    page.equal("the start", "document.querySelector('#from').value", "2024-02-02T09:00")
    page.equal("nothing to apply", "document.querySelector('#apply').disabled", True)
    page.fill_in("#from", "2024-02-02T15:00")
    page.fill_in("#to", "2024-02-02T12:00")
    page.click("#apply")
    page.equal("no end before the start", "document.querySelector('#to').matches(':invalid')", True)
    page.fill_in("#to", "2024-02-02T18:00")
    page.click("#apply")
    span = "from=2024-02-02T06%3A00%3A00.000Z&to=2024-02-02T09%3A00%3A00.000Z"
    page.equal("the link", SEARCH, f"?name=ramp&{span}&group_by=host&tz=Asia%2FTokyo")
    page.equal(
        "three hours",
        f"{FIGURES}.map((row) => [row[2], row[3], row[5]])",
        [["60", "83", "12"], ["1,060", "1,083", "12"]],
    )


def the_legend_hides_and_isolates_and_the_link_keeps_it(page, url):
    page.open(f"{url}/?name=ramp&{DAY}&group_by=host&tz=UTC")
    names = f"{FIGURES}.map((row) => row[0])"
    page.equal("the series", names, ["host=a", "host=b"])
    page.click(".legend-item:nth-child(1) .legend-toggle")
    page.equal("the series", names, ["host=b"])
    page.run("document.querySelector('.legend-item:nth-child(1) .legend-only').click()")
    page.equal("the series", names, ["host=a"])
    link = page.run("return location.href")
    assert "only=ramp%7Bhost%3Da%7D" in link, link
    page.open(link)
    page.equal("the series", names, ["host=a"])
    page.click(".legend-note button")
    page.equal("the series", names, ["host=a", "host=b"])


def a_link_brings_the_whole_view(page, url):
    search = (
        f"?name=ramp&name=hourly&{DAY}&per=2h&agg=p95&group_by=host&where=host%21%3Db&tz=Asia%2FKolkata"
        "&hide=hourly&zero=1&band=0&split=1&live=0"
    )
    page.open(f"{url}/{search}")
    page.equal("the caption", CAPTION, "ramp, hourly")
    page.until("the detail", DETAIL, lambda text: text.startswith("p95 per 2 hours") and "2024-02-02 05:30:00" in text)
    fields = "['per', 'agg', 'group', 'zone'].map((id) => document.getElementById(id).value)"
    page.equal("the fields", fields, ["2h", "p95", "host", "Asia/Kolkata"])
    page.equal(
        "the boxes",
        "['.box-zero', '.box-band', '.box-split', '#live'].map((box) => document.querySelector(box).checked)",
        [True, False, True, False],
    )
    page.equal("the link", SEARCH, search)
    page.until("one series", FIGURES, lambda rows: [row[0] for row in rows] == ["host=a"])


def of_two_thousand_series_the_first_are_drawn_and_any_is_found(page, url):
    page.open(f"{url}/?name=crowd&{DAY}&group_by=*&tz=UTC")
    rows = page.until("sixty series", FIGURES, lambda rows: len(rows) == 60)
    assert [rows[0][:2], rows[59][:2]] == [["host=h0000", "0"], ["host=h0059", "59"]], rows
    page.until(
        "the note", "document.querySelector('.legend').textContent", lambda text: "The first 60 of 2,000 series" in text
    )
    page.click("#filter")
    page.keys(*"h1999", "Enter", "Escape")
    page.equal("the one", FIGURES, [["host=h1999", "1,999", "1,999", "1,999", "1,999", "1"]])
    page.open(f"{url}/?name=crowd&{DAY}&group_by=*&tz=UTC&only=crowd%7Bhost%3Dh1998%7D")
    page.equal("the one of the link", f"{FIGURES}.map((row) => row[0])", ["host=h1998"])


def hostile_names_stay_text(page, url):
    page.open(f"{url}/?name={urllib.parse.quote(HOSTILE)}&{DAY}&group_by=*&tz=UTC")
    page.equal("the caption", CAPTION, HOSTILE)
    page.equal("the series", f"{FIGURES}.map((row) => row[0])", [f"{HOSTILE_LABEL}={HOSTILE_LABEL}"])
    page.equal("no element of theirs", "document.querySelectorAll('body img, body script').length", 0)
    page.equal("no script of theirs", "window.hit ?? null", None)


def an_unknown_metric_is_named_and_a_near_one_offered(page, url):
    page.open(f"{url}/?name=rampp&{DAY}&tz=UTC")
    page.until("the notice", NOTICES, lambda text: "There is no metric \u201crampp\u201d. Did you mean:" in text)
    page.equal("the start", "document.querySelector('#from').value", "2024-02-02T00:00")
    page.click(".panel-card .notices button")
    page.equal("the chips", CHIPS, ["ramp"])
    page.until("its points", FIGURES, lambda rows: rows and rows[0][5] == "192")


def dark_mode_changes_page_and_canvas(page, url):
    page.open(f"{url}/?name=ramp&{DAY}&tz=UTC")
    page.until("a chart", FIGURES, lambda rows: len(rows) == 1)
    light = page.run(
        "return [getComputedStyle(document.body).backgroundColor, document.querySelector('.stage canvas').toDataURL()]"
    )
    page.devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    page.equal("the background", "getComputedStyle(document.body).backgroundColor", "rgb(15, 19, 23)")
    page.until(
        "another picture", "document.querySelector('.stage canvas').toDataURL()", lambda picture: picture != light[1]
    )
    page.devtools("Emulation.setEmulatedMedia", features=[])
    assert light[0] == "rgb(244, 245, 247)", light[0]


def a_theme_that_was_chosen_stays(page, url):
    background = "getComputedStyle(document.body).backgroundColor"
    page.open(f"{url}/?name=ramp&{DAY}&tz=UTC")
    page.until("a chart", FIGURES, lambda rows: len(rows) == 1)
    for label, colour in (("light", "rgb(244, 245, 247)"), ("dark", "rgb(15, 19, 23)")):
        page.click("#theme")
        page.equal("the button", "document.querySelector('#theme').title", f"Colours: {label}")
        page.equal("the background", background, colour)
    page.open(f"{url}/?name=ramp&{DAY}&tz=UTC")
    page.equal("the background", background, "rgb(15, 19, 23)")
    page.click("#theme")
    page.equal("the background", background, "rgb(244, 245, 247)")


def a_phone_needs_no_sideways_scroll(page, url):
    page.devtools("Emulation.setDeviceMetricsOverride", width=400, height=800, deviceScaleFactor=2, mobile=True)
    long = urllib.parse.quote(HOSTILE * 5)
    page.open(f"{url}/?name=ramp&name={long}&{DAY}&group_by=*&tz=UTC&panel=name%3Dholed")
    page.until("the figures", FIGURES, lambda rows: len(rows) == 3)
    page.equal("the width", "document.documentElement.scrollWidth", 400)
    page.devtools("Emulation.clearDeviceMetricsOverride")


CHECKS = [
    an_empty_store_tells_how_to_post_and_opens_the_first_metric,
    figures_and_values_are_those_of_the_points,
    the_search_box_finds_one_of_two_thousand_names,
    dragging_zooms_and_a_double_click_goes_back,
    the_crosshair_lists_every_series,
    presets_lead_to_all_data,
    days_follow_the_zone,
    the_two_time_fields_are_read_in_the_zone,
    the_legend_hides_and_isolates_and_the_link_keeps_it,
    a_link_brings_the_whole_view,
    of_two_thousand_series_the_first_are_drawn_and_any_is_found,
    hostile_names_stay_text,
    an_unknown_metric_is_named_and_a_near_one_offered,
    dark_mode_changes_page_and_canvas,
    a_theme_that_was_chosen_stays,
    a_phone_needs_no_sideways_scroll,
]
