"""What the chart page lets one take along: values as CSV, pictures as PNG and SVG."""

import time
import urllib.parse
import xml.etree.ElementTree as ElementTree
import zlib

from points import HOSTILE, HOSTILE_LABEL
from reading import DAY, FIGURES
from webdriver import WAIT_SECONDS

SVG = "{http://www.w3.org/2000/svg}"


def downloaded(page, name):
    """A file, once the browser has written it."""
    path, end = page.downloads / name, time.monotonic() + WAIT_SECONDS
    while not path.exists() and time.monotonic() < end:
        time.sleep(0.05)
    found = path.exists()
    assert found, f"{name} is not among {sorted(file.name for file in page.downloads.iterdir())}"
    return path.read_bytes()


def values_are_saved_as_csv(page, url):
    page.open(f"{url}/?name=ramp&{DAY}&per=hour&group_by=host&tz=UTC")
    page.until("the figures", FIGURES, lambda rows: len(rows) == 2)
    page.click(".save-csv")
    lines = downloaded(page, "ramp_avg-per-hour_20240202T0000_20240203T0000.csv").decode().splitlines()
    assert lines[0] == "time,name,host,avg,min,max" and len(lines) == 49, lines[:2]
    assert any(line.startswith("2024-02-02T23:00:00Z,ramp,b,1231.5,") for line in lines), lines[-1]
    page.open(f"{url}/?name=holed&{DAY}&tz=UTC")
    page.until("the figures", FIGURES, lambda rows: len(rows) == 1)
    page.click(".save-csv")
    lines = downloaded(page, "holed_raw_20240202T0000_20240203T0000.csv").decode().splitlines()
    assert lines[:2] == ["time,name,value", "2024-02-02T00:00:00Z,holed,5"] and len(lines) == 89, lines[:2]


def the_picture_is_saved_as_png(page, url):
    page.open(f"{url}/?name=ramp&{DAY}&per=hour&group_by=host&tz=UTC")
    page.until("the figures", FIGURES, lambda rows: len(rows) == 2)
    page.click(".save-png")
    data = downloaded(page, "ramp_avg-per-hour_20240202T0000_20240203T0000.png")
    width, height, pixels = read_png(data)
    assert width == 2400 and 800 < height < 1200, (width, height)
    lines = {bytes(pixel) for row in pixels for pixel in zip(row[0::4], row[1::4], row[2::4])}
    assert bytes((0x2F, 0x6F, 0xDE)) in lines and bytes((0xE0, 0x76, 0x0C)) in lines, "both lines, in their colours"


def read_png(data):
    """Width, height and rows of a PNG of 8 bits a channel with alpha, as browsers write them."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n", data[:8]
    at, packed = 8, b""
    while at < len(data):
        length, kind = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8]
        if kind == b"IHDR":
            width, height = (int.from_bytes(data[at + 8 + i : at + 12 + i]) for i in (0, 4))
            assert data[at + 16 : at + 18] == b"\x08\x06", "RGBA"
        if kind == b"IDAT":
            packed += data[at + 8 : at + 8 + length]
        at += length + 12
    raw, rows, above = zlib.decompress(packed), [], bytearray(4 * width)
    for y in range(height):
        start = y * (4 * width + 1)
        above = unfiltered(raw[start], bytearray(raw[start + 1 : start + 1 + 4 * width]), above)
        rows.append(above)
    return width, height, rows


def unfiltered(kind, row, above):
    """A row of a PNG with its filter undone (RFC 2083, section 6)."""
    if kind == 2:
        return bytearray((a + b) & 255 for a, b in zip(row, above))
    for i in range(len(row)) if kind else ():
        left, corner = (row[i - 4], above[i - 4]) if i >= 4 else (0, 0)
        if kind == 1:
            guess = left
        elif kind == 3:
            guess = (left + above[i]) // 2
        else:
            estimate = left + above[i] - corner
            guess = min((left, above[i], corner), key=lambda value: abs(estimate - value))
        row[i] = (row[i] + guess) & 255
    return row


def the_picture_is_saved_as_svg(page, url):
    page.open(f"{url}/?name=holed&{DAY}&per=hour&tz=UTC")
    page.until("the figures", FIGURES, lambda rows: len(rows) == 1)
    page.click(".save-svg")
    root = ElementTree.fromstring(downloaded(page, "holed_avg-per-hour_20240202T0000_20240203T0000.svg"))
    assert root.tag == f"{SVG}svg" and root.get("width") == "1200", root.attrib
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert texts[0] == "holed" and texts[1].startswith("avg per hour"), texts[:2]
    assert "12:00" in texts and texts[-1] == "holed", texts
    lines = [path for path in root.iter(f"{SVG}path") if path.get("stroke") == "rgb(47, 111, 222)"]
    runs = [
        path.get("d").count("L") + 1 for path in lines if "L" in path.get("d") and path.get("stroke-width") == "1.5"
    ]
    assert runs == [10, 12], f"a line of ten hours, a hole, a line of twelve: {runs}"


def hostile_names_stay_text_in_a_picture(page, url):
    page.open(f"{url}/?name={urllib.parse.quote(HOSTILE)}&{DAY}&group_by=*&per=hour&tz=UTC")
    page.until("the figures", FIGURES, lambda rows: len(rows) == 1)
    page.click(".save-svg")
    name = "-img-src-x-onerror-window.hit-1-_avg-per-hour_20240202T0000_20240203T0000.svg"
    root = ElementTree.fromstring(downloaded(page, name))
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
        "svg",
        "g",
        "path",
        "rect",
        "text",
        "clipPath",
    }
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert texts[0] == HOSTILE and texts[-1].startswith(f"{HOSTILE_LABEL}="), texts
    assert all(not name.startswith("on") for element in root.iter() for name in element.attrib)


CHECKS = [
    values_are_saved_as_csv,
    the_picture_is_saved_as_png,
    the_picture_is_saved_as_svg,
    hostile_names_stay_text_in_a_picture,
]
