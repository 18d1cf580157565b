"""Measures the chart page: time to the first chart on a cold load, and frames while 20 series of 2,000 points move.

Usage: measure.py COMMAND...             (starts a server, such as: measure.py cargo run --release -- serve)
       measure.py --library plotly.min.js  (the same picture by that library, under the page's Content-Security-Policy)

Prints milliseconds: the median of several cold loads, each in a browser of its own, and median and 95th percentile of
the script's time a frame and of the time from one frame to the next.
"""

import contextlib
import functools
import http.server
import math
import pathlib
import shlex
import statistics
import sys
import tempfile
import threading
from datetime import datetime, timedelta, timezone

from points import post
from server import Server
from webdriver import started

SERIES, POINTS, LOADS, FRAMES = 20, 2_000, 5, 120
START = datetime(2024, 2, 2, tzinfo=timezone.utc)
WIDTH, HEIGHT = 2_200, 900
POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; "
    "img-src data:; frame-ancestors 'none'; base-uri 'none'"
)
# When the first chart stands: its label is written with its picture; the frame after that shows it.
WATCH = """
const look = () => {
  if (!document.querySelector('.stage[aria-label], .drawn')) requestAnimationFrame(look);
  else requestAnimationFrame(() => { window.firstChartMs = performance.now(); });
};
requestAnimationFrame(look);
"""
# Runs step(i) in so many frames; resolves to the script's times and the times between frames.
RUN = """
const frames = arguments[0], done = arguments[1];
const script = [], between = [];
let last = 0, i = 0;
const frame = async (now) => {
  if (last) between.push(now - last);
  last = now;
  if (i === frames) return done([script, between]);
  const began = performance.now();
  await step(i);
  script.push(performance.now() - began);
  i += 1;
  requestAnimationFrame(frame);
};
"""


def value(series, minute):
    return round(50 * series + 20 * math.sin(minute / 60 + series) + minute * 7919 % 13, 2)


def fill(url):
    for series in range(SERIES):
        label = {"host": f"h{series:02}"}
        at = [(START + timedelta(minutes=minute)).isoformat() for minute in range(POINTS)]
        rows = [{"name": "wide", "labels": label, "timestamp": t, "value": value(series, m)} for m, t in enumerate(at)]
        post(url, rows)


def cold_load(address, width):
    with tempfile.TemporaryDirectory() as folder, started(pathlib.Path(folder)) as page:
        page.devtools(
            "Emulation.setDeviceMetricsOverride", width=width, height=HEIGHT, deviceScaleFactor=1, mobile=False
        )
        page.devtools("Page.enable")
        page.devtools("Page.addScriptToEvaluateOnNewDocument", source=WATCH)
        page.open(address)
        return page.until("a first chart", "window.firstChartMs ?? 0")


def frames(page, step):
    page.call("POST", "/timeouts", {"script": 120_000})
    found = page.call(
        "POST", "/execute/async", {"script": f"{step}\n{RUN}\nrequestAnimationFrame(frame);", "args": [FRAMES]}
    )
    return [f"{statistics.median(times):.1f} (p95 {statistics.quantiles(times, n=20)[18]:.1f})" for times in found]


def report(what, address, steps):
    loads = [cold_load(address, WIDTH) for _ in range(LOADS)]
    print(f"{what}: first chart {statistics.median(loads):.0f} ms, cold; of {', '.join(f'{ms:.0f}' for ms in loads)}")
    with tempfile.TemporaryDirectory() as folder, started(pathlib.Path(folder)) as page:
        page.devtools(
            "Emulation.setDeviceMetricsOverride", width=WIDTH, height=HEIGHT, deviceScaleFactor=1, mobile=False
        )
        page.open(address)
        page.until("a chart", "document.querySelector('.stage[aria-label], .drawn') !== null")
        for name, step in steps.items():
            script, between = frames(page, step)
            print(f"{what}: {name}: script {script} ms a frame, {between} ms from frame to frame")
        log = page.call("POST", "/se/log", {"type": "browser"})
        for message in sorted({entry["message"][:240] for entry in log if entry["level"] == "SEVERE"})[:5]:
            print(f"{what}: {message}")


HOVER = """
const target = document.querySelector('.stage'), box = target.getBoundingClientRect();
const step = (i) => {
  const place = { clientX: box.left + 100 + i * 12, clientY: box.top + 200, bubbles: true, pointerType: 'mouse' };
  target.dispatchEvent(new PointerEvent('pointermove', place));
};
"""
PAGE_STEPS = {
    "panning": """
let pan;
const loaded = import('/page/main.js').then(({ app }) => { pan = app.gestures.pan; });
const step = async (i) => { await loaded; pan(i * 60_000, false); };
""",
    "hovering": HOVER,
}
LIBRARY_STEPS = {
    "panning": """
const chart = document.querySelector('.drawn'), { xaxis } = chart._fullLayout;
const start = xaxis.range.map((at) => xaxis.d2c(at));
const step = (i) => Plotly.relayout(chart, { 'xaxis.range': start.map((at) => at + i * 60_000) });
""",
}
LIBRARY_PAGE = """<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="size.css">
<div id="chart"></div><script src="library.js"></script><script src="draw.js"></script>"""
LIBRARY_DRAW = """
fetch('data.json').then((answer) => answer.json()).then(({ time, series }) => {
  const traces = series.map((y, i) => ({ x: time.map((at) => new Date(at)), y, name: `h${i}`, mode: 'lines' }));
  const range = [time[0], time.at(-1)].map((at) => new Date(at).toISOString());
  const layout = { hovermode: 'x unified', xaxis: { range } };
  return Plotly.newPlot('chart', traces, layout).then((chart) => chart.classList.add('drawn'));
});
"""


def library_files(path):
    start = int(START.timestamp() * 1000)
    series = [[value(one, minute) for minute in range(POINTS)] for one in range(SERIES)]
    data = f'{{"time":{[start + 60_000 * minute for minute in range(POINTS)]},"series":{series}}}'
    return {
        "/": ("text/html", LIBRARY_PAGE.encode()),
        "/size.css": ("text/css", b"#chart { height: 500px }"),
        "/library.js": ("text/javascript", path.read_bytes()),
        "/draw.js": ("text/javascript", LIBRARY_DRAW.encode()),
        "/data.json": ("application/json", data.encode()),
    }


class Files(http.server.BaseHTTPRequestHandler):
    def __init__(self, files, *args):
        self.files = files
        super().__init__(*args)

    def do_GET(self):
        kind, body = self.files.get(self.path, ("text/plain", b""))
        self.send_response(200)
        for name, text in (("Content-Type", kind), ("Content-Security-Policy", POLICY), ("Content-Length", len(body))):
            self.send_header(name, str(text))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    if sys.argv[1] == "--library":
        serve = functools.partial(Files, library_files(pathlib.Path(sys.argv[2])))
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        report("library", f"http://127.0.0.1:{server.server_port}/", LIBRARY_STEPS)
        return
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as ends:
        server = Server(shlex.join(sys.argv[1:]), pathlib.Path(folder) / "measure.duckdb")
        ends.callback(server.kill)
        fill(server.url)
        end = (START + timedelta(minutes=POINTS)).strftime("%Y-%m-%dT%H:%M:%SZ")
        span = f"from={START:%Y-%m-%dT%H:%M:%SZ}&to={end}"
        report("page", f"{server.url}/?name=wide&{span}&per=minute&group_by=*&tz=UTC", PAGE_STEPS)
        server.stop()


if __name__ == "__main__":
    main()
