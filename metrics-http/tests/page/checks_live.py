"""The chart page as points arrive, as the server goes and as it comes back."""

import time

from points import post
from reading import DETAIL, FIGURES, NOTICES, STATUS, of_app


def new_points_appear_by_themselves(page, url):
    post(url, [{"name": "pulse", "value": 1}])
    page.open(f"{url}/?name=pulse&from=now-15m&tz=UTC")
    page.until("its point", FIGURES, lambda rows: rows and rows[0][5] == "1")
    page.until("told of changes", of_app("app.isTold"))
    loads = page.run("performance.clearResourceTimings(); return 0")
    time.sleep(3)
    asked = "performance.getEntriesByType('resource').filter(({ name }) => name.includes('/v1/query')).length"
    loads = page.run("return " + asked)
    assert loads <= 2, f"nothing changed, and yet the page asked {loads} times in 3 s"
    for value in (2, 3):
        post(url, [{"name": "other", "value": 5}, {"name": "pulse", "value": value}])
        began = time.monotonic()
        page.until(f"point {value}", FIGURES, lambda rows, value=value: rows and rows[0][5] == str(value))
        assert time.monotonic() - began < 3, f"point {value} took {time.monotonic() - began:.1f} s"
    page.equal("the last value", f"{FIGURES}[0].slice(2, 5)", ["1", "3", "3"])


def without_the_stream_the_page_asks_by_the_clock(page, url):
    post(url, [{"name": "pulse", "value": 1}])
    page.devtools("Network.enable")
    page.devtools("Network.setBlockedURLs", urls=["*/v1/stream*"])
    page.open(f"{url}/?name=pulse&from=now-15m&tz=UTC")
    before = page.until("its points", FIGURES)[0][5]
    page.equal("told of changes", of_app("app.isTold"), False)
    post(url, [{"name": "pulse", "value": 4}])
    page.until("the new point", FIGURES, lambda rows: rows and rows[0][5] == str(int(before) + 1))
    page.devtools("Network.setBlockedURLs", urls=[])


def the_picture_moves_on_with_the_time(page, url):
    post(url, [{"name": "pulse", "value": 1}])
    page.open(f"{url}/?name=pulse&from=now-15m&tz=UTC")
    first = page.until("a chart", of_app("app.selected.bounds?.to"))
    later = page.until("a later end", of_app("app.selected.bounds?.to"), lambda to: to >= first + 3000)
    assert later < first + 8000, (first, later)


def what_is_not_live_stays(page, url):
    post(url, [{"name": "pulse", "value": 1}])
    page.open(f"{url}/?name=pulse&from=now-15m&tz=UTC&live=0")
    before = page.until("its points", FIGURES)
    page.equal("the state", STATUS, "still")
    post(url, [{"name": "pulse", "value": 4}])
    time.sleep(3)
    page.equal("the figures", FIGURES, before)
    page.click("#live")
    page.until("the new point", FIGURES, lambda rows: rows and int(rows[0][5]) == int(before[0][5]) + 1)


def a_connection_that_breaks_leaves_the_chart_and_comes_back(page, url):
    post(url, [{"name": "broken", "value": 7.25}])
    page.open(f"{url}/?name=broken&from=now-15m&tz=UTC")
    page.until("its point", FIGURES, lambda rows: len(rows) == 1)
    offline = {"offline": True, "latency": 0, "throughput": 0}
    page.call("POST", "/chromium/network_conditions", {"network_conditions": offline})
    page.click("#zoom-in")
    page.until("the notice", NOTICES, lambda text: "has not answered since" in text and "what came last" in text)
    page.until("the figures", FIGURES, lambda rows: len(rows) == 1)
    page.call("DELETE", "/chromium/network_conditions")
    page.equal("the notice", NOTICES, "")
    page.click("#back")
    post(url, [{"name": "broken", "value": 9.25}])
    page.equal("the new point, by itself", FIGURES, [["broken", "8.250", "7.250", "9.250", "9.250", "2"]])


CHECKS = [
    new_points_appear_by_themselves,
    without_the_stream_the_page_asks_by_the_clock,
    the_picture_moves_on_with_the_time,
    what_is_not_live_stays,
    a_connection_that_breaks_leaves_the_chart_and_comes_back,
]


def a_server_that_starts_again_is_found_again(page, server):
    post(server.url, [{"name": "kept", "value": 1}])
    page.open(f"{server.url}/?name=kept&from=now-15m&tz=UTC")
    page.until("its point", FIGURES, lambda rows: rows and rows[0][5] == "1")
    server.stop()
    page.until("the notice", NOTICES, lambda text: "has not answered since" in text and "comes by itself" in text)
    page.equal("the state", STATUS, "gone")
    page.equal("the chart that came last", f"{FIGURES}.length", 1)
    server.start()
    post(server.url, [{"name": "kept", "value": 3}])
    page.equal("both points, by themselves", f"{FIGURES}.map((row) => [row[1], row[5]])", [["2.000", "2"]])
    page.equal("the notice", NOTICES, "")
    page.equal("the state", STATUS, "live")


def simulated_metrics_move(page, server):
    page.open(f"{server.url}/?name=temperature&name=cpu&from=now-15m&per=10s&tz=UTC")
    count = f"{FIGURES}.map((row) => Number(row[5].replace(',', '')))"
    first = page.until("two metrics", count, lambda counts: len(counts) == 2)
    page.until("more points", count, lambda counts: all(now >= then + 10 for now, then in zip(counts, first)))
    page.until("the detail", DETAIL, lambda text: text.startswith("avg per 10 seconds \u00b7 2 series"))
    page.equal("twenty names", of_app("app.catalog.names.length"), 20)


OWN_SERVER_CHECKS = [a_server_that_starts_again_is_found_again]
SIMULATED_CHECKS = [simulated_metrics_move]
