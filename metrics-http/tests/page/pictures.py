"""Makes README's pictures of the chart page from a running program: docs/page.png and docs/page-dark.png.

Usage: pictures.py COMMAND...  (starts a server, such as: pictures.py cargo run --release -- serve)

Needs Pillow (pip install Pillow), which makes them small: few colours are in them.
"""

import base64
import contextlib
import io
import pathlib
import shlex
import subprocess
import sys
import tempfile
import urllib.parse

from PIL import Image
from points import CPU, DATA, TEMPERATURE, post_csv
from server import Server
from webdriver import started

COLOURS = 96
DOCS = DATA.parents[1] / "docs"
SIMULATE = "simulate --metrics 20 --interval 10s --backfill 24h --duration 0s --seed 1 --url"
# Moves the pointer over the first chart, to a share of its width.
POINT = """
const stage = document.querySelector('.stage'), box = stage.getBoundingClientRect();
const at = { clientX: box.left + box.width * arguments[0], clientY: box.top + 90 };
stage.dispatchEvent(new PointerEvent('pointermove', { ...at, pointerType: 'mouse', bubbles: true }));
"""


def take(page, address, scheme, height, at, path):
    page.devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    page.devtools("Emulation.setDeviceMetricsOverride", width=1280, height=height, deviceScaleFactor=1, mobile=False)
    page.devtools("Emulation.setScrollbarsHidden", hidden=True)
    page.open(address)
    cards = "document.querySelectorAll('.panel-card').length"
    page.until("every chart", f"document.querySelectorAll('.stage[aria-label]').length >= {cards}")
    page.until("every table", f"document.querySelectorAll('.figures tbody tr').length >= {cards}")
    page.run(POINT, at)
    page.until("the tooltip", "document.querySelector('.tooltip:not([hidden])') !== null")
    bottom = page.run("return document.querySelector('#add-panel').getBoundingClientRect().bottom") + 6
    clip = {"x": 0, "y": 0, "width": 1280, "height": bottom, "scale": 1}
    shot = page.devtools("Page.captureScreenshot", clip=clip)["data"]
    picture = Image.open(io.BytesIO(base64.b64decode(shot)))
    picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path.name}: {path.stat().st_size // 1024} KiB")


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    with contextlib.ExitStack() as ends:
        folder = pathlib.Path(ends.enter_context(tempfile.TemporaryDirectory()))
        server = Server(shlex.join(sys.argv[1:]), folder / "pictures.duckdb")
        ends.callback(server.kill)
        program = sys.argv[1 : sys.argv.index("serve")]
        subprocess.run([*program, *SIMULATE.split(), server.url], check=True, stdout=subprocess.DEVNULL)
        post_csv(server.url, "cpu_use", CPU)
        post_csv(server.url, "machine_temperature", TEMPERATURE)
        page = ends.enter_context(started(folder))
        simulated = "name=temperature&name=humidity&name=cpu&from=now-24h&tz=UTC"
        take(page, f"{server.url}/?{simulated}", "light", 900, 0.62, DOCS / "page.png")
        second = urllib.parse.quote("name=machine_temperature")
        recorded = f"name=cpu_use&from=2014-02-14T12:00:00Z&to=2014-02-20T00:00:00Z&tz=UTC&panel={second}"
        take(page, f"{server.url}/?{recorded}", "dark", 1300, 0.4, DOCS / "page-dark.png")
        server.stop()


if __name__ == "__main__":
    main()
