"""Photographs every state of the chart page, light and dark, 1280 and 400 px wide, for looking at: not a check.

Usage: states.py FOLDER COMMAND...  (starts a server, such as: states.py shots cargo run --release -- serve)
"""

import base64
import contextlib
import pathlib
import shlex
import subprocess
import sys
import tempfile
import urllib.parse

from pictures import POINT, SIMULATE
from points import HOSTILE, fill, post
from reading import DAY
from server import Server
from webdriver import started

WIDTHS = {"wide": (1280, 900, False), "phone": (400, 800, True)}
DRAWN = "document.querySelectorAll('.stage[aria-label]').length > 0"
TOLD = "document.querySelector('.message:not([hidden])') !== null"
OPEN_LIST = "document.querySelector('.picker [role=listbox]:not([hidden])') !== null"
LONG = urllib.parse.quote(HOSTILE)


def nothing(_page, _name):
    pass


def point_at(page, _name):
    page.run(POINT, 0.55)
    page.until("the tooltip", "document.querySelector('.tooltip:not([hidden])') !== null")


def search(page, _name):
    page.click("#metric")
    page.keys(*"serv 12")
    page.until("the list", OPEN_LIST)


def options(page, name):
    if name == "phone":
        page.click("#more")
    page.click("#filter")
    page.until("the list", OPEN_LIST)


def values(page, _name):
    page.click(".values-fold summary")
    page.until("the values", "document.querySelectorAll('.values tbody tr').length > 0")


# name: (query, until what holds, what is done then)
STATES = {
    "first": ("", DRAWN, nothing),
    "simulated": ("name=temperature&name=humidity&name=cpu&from=now-24h&tz=UTC", DRAWN, point_at),
    "band": (f"name=ramp&{DAY}&per=hour&tz=UTC", DRAWN, point_at),
    "gaps": (f"name=holed&name=ramp&{DAY}&per=15m&tz=UTC", DRAWN, values),
    "hostile": (f"name={LONG}&{DAY}&group_by=*&tz=UTC", DRAWN, point_at),
    "crowd": (f"name=crowd&{DAY}&group_by=*&tz=UTC", DRAWN, point_at),
    "panels": (f"name=machine_temperature&from=all&tz=UTC&panel={urllib.parse.quote('name=ec2_cpu')}", DRAWN, point_at),
    "split": ("name=temperature&name=humidity&from=now-24h&tz=UTC&split=1", DRAWN, point_at),
    "search": (f"name=ramp&{DAY}&tz=UTC", DRAWN, search),
    "filter": (f"name=ramp&{DAY}&group_by=host&tz=UTC", DRAWN, options),
    "one_point": (f"name=service_0007&{DAY}&per=raw&tz=UTC", DRAWN, point_at),
    "unknown": (f"name=rampp&{DAY}&tz=UTC", "document.querySelector('.panel-card .notices button') !== null", nothing),
    "no_points": ("name=ramp&from=now-1h&tz=UTC", TOLD, nothing),
}


def take(page, path, whole=True):
    height = page.run("return Math.ceil(document.documentElement.scrollHeight)") if whole else 900
    width = page.run("return document.documentElement.clientWidth")
    clip = {"x": 0, "y": 0, "width": width, "height": min(height, 2400), "scale": 1}
    shot = page.devtools("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
    path.write_bytes(base64.b64decode(shot["data"]))


def combinations(page):
    """Sets each width and colour scheme in turn and names it."""
    for name, (width, height, mobile) in WIDTHS.items():
        page.devtools(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile
        )
        for scheme in ("light", "dark"):
            page.devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
            yield name, scheme


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    command = sys.argv[2:]
    with contextlib.ExitStack() as ends:
        folder = pathlib.Path(ends.enter_context(tempfile.TemporaryDirectory()))
        server = Server(shlex.join(command), folder / "states.duckdb")
        ends.callback(server.kill)
        page = ends.enter_context(started(folder))
        page.devtools("Emulation.setScrollbarsHidden", hidden=True)
        for name, scheme in combinations(page):
            page.open(server.url)
            page.until("the empty store's text", "document.querySelector('#empty:not([hidden])') !== null")
            take(page, out / f"empty-{name}-{scheme}.png")
        fill(server.url)
        program = command[: command.index("serve")]
        subprocess.run([*program, *SIMULATE.split(), server.url], check=True, stdout=subprocess.DEVNULL)
        post(server.url, [{"name": "temperature", "value": 21.5}])
        for name, scheme in combinations(page):
            for state, (query, ready, then) in STATES.items():
                page.open(f"{server.url}/?{query}")
                page.until(f"{state}: ready", ready)
                then(page, name)
                take(page, out / f"{state}-{name}-{scheme}.png")
            page.open(f"{server.url}/docs")
            take(page, out / f"docs-{name}-{scheme}.png")
        page.open(f"{server.url}/?name=temperature&from=now-24h&tz=UTC")
        page.until("a chart", DRAWN)
        server.stop()
        page.until("the server's absence", "document.querySelector('#status').dataset.state === 'gone'")
        for name, scheme in combinations(page):
            take(page, out / f"gone-{name}-{scheme}.png")


if __name__ == "__main__":
    main()
