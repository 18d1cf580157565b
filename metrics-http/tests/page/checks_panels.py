"""Several panels on the chart page: kept in the address, moved, removed, and pointed at together."""

import urllib.parse

from reading import CAPTIONS, CHIPS, DAY, FIGURES, MESSAGE, SEARCH

CROSSHAIRS = (
    "[...document.querySelectorAll('.overlay')].map((canvas) => canvas.getContext('2d')"
    ".getImageData(0, 0, canvas.width, canvas.height).data.some((byte) => byte > 0))"
)
PANELS = urllib.parse.quote("name=hourly&per=6h&agg=count"), urllib.parse.quote("name=holed&zero=1")


def a_panel_is_added_and_the_link_keeps_it(page, url):
    page.open(f"{url}/?name=ramp&{DAY}&tz=UTC")
    page.equal("the captions", CAPTIONS, ["ramp"])
    page.click("#add-panel")
    page.until("what to do", MESSAGE, lambda text: text.startswith("Choose a metric: the store has "))
    page.equal("the chips of the new panel", CHIPS, [])
    page.keys(*"hole", "Enter", "Escape")
    page.equal("the captions", CAPTIONS, ["ramp", "holed"])
    search = page.until("the link", SEARCH, lambda search: "panel=name%3Dholed" in search)
    page.choose("#agg", "max")
    page.until("the panel's own choice", SEARCH, lambda search: "panel=name%3Dholed%26agg%3Dmax" in search)
    rows = page.until("figures of both", FIGURES, lambda rows: len(rows) == 2)
    assert [rows[0][0], rows[0][5], rows[1][0], rows[1][5]] == ["ramp", "192", "holed", "88"], rows
    page.run("history.back()")
    page.equal("the link", SEARCH, search)
    page.open(f"{url}/{search}")
    page.equal("the captions of the link", CAPTIONS, ["ramp", "holed"])
    page.until("figures of both", FIGURES, lambda rows: len(rows) == 2)


def panels_are_moved_and_removed(page, url):
    page.open(f"{url}/?name=ramp&{DAY}&tz=UTC&panel={PANELS[0]}&panel={PANELS[1]}")
    page.equal("the captions", CAPTIONS, ["ramp", "hourly", "holed"])
    page.click(".panel-card:nth-child(3) .panel-up")
    page.equal("the captions", CAPTIONS, ["ramp", "holed", "hourly"])
    page.equal("the chips are still the first panel's", CHIPS, ["ramp"])
    page.click(".panel-card:nth-child(1) .panel-remove")
    page.equal("the captions", CAPTIONS, ["holed", "hourly"])
    page.equal("the chips are the next panel's", CHIPS, ["holed"])
    expected = f"?name=holed&{DAY}&tz=UTC&zero=1&panel=name%3Dhourly%26per%3D6h%26agg%3Dcount"
    page.equal("the link", SEARCH, expected)
    page.click(".panel-card:nth-child(2) .panel-edit")
    page.equal("the chips are the edited panel's", CHIPS, ["hourly"])
    fields = "['per', 'agg'].map((id) => document.getElementById(id).value)"
    page.equal("its fields", fields, ["6h", "count"])
    page.run("history.back()")
    page.equal("the captions", CAPTIONS, ["ramp", "holed", "hourly"])


def one_time_for_all_panels(page, url):
    page.open(f"{url}/?name=ramp&{DAY}&tz=UTC&panel={PANELS[1]}")
    page.until("figures of both", FIGURES, lambda rows: [row[5] for row in rows] == ["192", "88"])
    page.run("document.querySelector('.panel-card:nth-child(2) .stage').focus()")
    page.keys("+")
    inside = [str(2 * 48), "40"]
    page.until("half the day in both", FIGURES, lambda rows: [row[5] for row in rows] == inside)
    page.keys("End")
    page.equal("a crosshair in each", CROSSHAIRS, [True, True])
    page.equal("one tooltip", "document.querySelectorAll('.tooltip:not([hidden])').length", 1)
    page.keys("Backspace")
    page.until("the day again", FIGURES, lambda rows: [row[5] for row in rows] == ["192", "88"])


def a_time_that_a_panel_does_not_show_is_not_marked_in_it(page, url):
    page.open(f"{url}/?name=hourly&from=all&tz=UTC&panel={PANELS[1]}")
    page.until("figures of both", FIGURES, lambda rows: [row[5] for row in rows] == ["96", "88"])
    page.run("document.querySelector('.panel-card:nth-child(1) .stage').focus()")
    page.keys("End")
    page.equal("a crosshair in the first alone", CROSSHAIRS, [True, False])


def no_more_than_twelve_panels(page, url):
    many = "".join(f"&panel={PANELS[1]}" for _ in range(20))
    page.open(f"{url}/?name=ramp&{DAY}&tz=UTC{many}")
    page.until("figures of all", FIGURES, lambda rows: len(rows) == 12)
    page.equal("the captions", f"{CAPTIONS}.length", 12)
    page.equal("no thirteenth", "document.querySelector('#add-panel').disabled", True)


CHECKS = [
    a_panel_is_added_and_the_link_keeps_it,
    panels_are_moved_and_removed,
    one_time_for_all_panels,
    a_time_that_a_panel_does_not_show_is_not_marked_in_it,
    no_more_than_twelve_panels,
]
