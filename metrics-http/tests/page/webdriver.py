"""A WebDriver client in a hundred lines: as much as driving the chart page takes."""

import contextlib
import http.client
import json
import os
import re
import subprocess
import time

WAIT_SECONDS = 15
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
KEYS = {
    "Enter": "\ue007",
    "Escape": "\ue00c",
    "Backspace": "\ue003",
    "End": "\ue010",
    "Shift": "\ue008",
    "ArrowRight": "\ue014",
}


@contextlib.contextmanager
def started(downloads):
    """A browser of its own process, ended with the block. Files that it downloads land in `downloads`."""
    command = [os.environ.get("CHROMEDRIVER", "chromedriver"), "--port=0"]
    driver = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    browser = None
    try:
        port = next(
            (found[1] for line in driver.stdout if (found := re.search(r"started successfully on port (\d+)", line))),
            None,
        )
        assert port, "chromedriver did not start"
        browser = Browser(int(port), downloads)
        yield browser
    finally:
        if browser:
            browser.call("DELETE", "")
        driver.terminate()
        driver.wait()


class Browser:
    """A WebDriver session."""

    def __init__(self, port, downloads):
        self.port = port
        self.downloads = downloads
        arguments = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1280,900"]
        options = {"args": arguments, "prefs": {"download.default_directory": str(downloads)}}
        if os.environ.get("CHROMIUM"):
            options["binary"] = os.environ["CHROMIUM"]
        wanted = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        self.session = ""
        self.session = (
            "/session/" + self.call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]
        )

    def call(self, method, path, body=None):
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        link.request(method, self.session + path, json.dumps(body) if body is not None else None)
        answer = json.loads(link.getresponse().read())["value"]
        if isinstance(answer, dict) and "error" in answer:
            raise AssertionError(f"{path}: {answer['error']}: {answer['message'].splitlines()[0]}")
        return answer

    def run(self, script, *args):
        return self.call("POST", "/execute/sync", {"script": script, "args": list(args)})

    def devtools(self, command, **params):
        return self.call("POST", "/goog/cdp/execute", {"cmd": command, "params": params})

    def open(self, url):
        self.call("POST", "/url", {"url": url})

    def until(self, what, script, accept=bool):
        """The value of a script, once it is accepted."""
        end, value = time.monotonic() + WAIT_SECONDS, None
        while time.monotonic() < end:
            value = self.run("return " + script)
            if accept(value):
                return value
            time.sleep(0.05)
        raise AssertionError(f"{what}: still {value!r} after {WAIT_SECONDS} s")

    def until_there(self, pattern):
        """The path of a file among the downloads, once the browser has written it."""
        end = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < end:
            for path in self.downloads.glob(pattern):
                return path
            time.sleep(0.05)
        raise AssertionError(f"{pattern} is not among {sorted(file.name for file in self.downloads.iterdir())}")

    def equal(self, what, script, expected):
        self.until(f"{what} should be {expected!r}", script, lambda value: value == expected)

    def click(self, selector):
        self.until(
            f"{selector} to click on", f"document.querySelector({json.dumps(selector)})?.checkVisibility() ?? false"
        )
        element = self.call("POST", "/element", {"using": "css selector", "value": selector})[ELEMENT]
        self.call("POST", f"/element/{element}/click", {})

    def choose(self, selector, value):
        self.run(
            "const field = document.querySelector(arguments[0]); field.value = arguments[1];"
            "field.dispatchEvent(new Event('change'))",
            selector,
            value,
        )

    def fill_in(self, selector, value):
        self.run(
            "const field = document.querySelector(arguments[0]); field.value = arguments[1];"
            "field.dispatchEvent(new Event('input', { bubbles: true }))",
            selector,
            value,
        )

    def keys(self, *keys):
        steps = [{"type": kind, "value": KEYS.get(key, key)} for key in keys for kind in ("keyDown", "keyUp")]
        self.call("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": steps}]})

    def hold(self, key):
        self.call("POST", "/actions", {"actions": [self.one_key("keyDown", key)]})

    def release(self, key):
        self.call("POST", "/actions", {"actions": [self.one_key("keyUp", key)]})

    def one_key(self, kind, key):
        return {"type": "key", "id": "keys", "actions": [{"type": kind, "value": KEYS[key]}]}

    def wheel(self, x, y, across, down, ctrl=False):
        self.devtools(
            "Input.dispatchMouseEvent", type="mouseWheel", x=x, y=y, deltaX=across, deltaY=down, modifiers=2 * ctrl
        )

    def pointer(self, *steps):
        def step(name, *place):
            at = {"x": round(place[0]), "y": round(place[1]), "duration": 0} if place else {"button": 0}
            return {"type": {"move": "pointerMove", "down": "pointerDown", "up": "pointerUp"}[name], **at}

        self.call(
            "POST", "/actions", {"actions": [{"type": "pointer", "id": "mouse", "actions": [step(*s) for s in steps]}]}
        )

    def plot(self):
        """The chart's box on the screen: (left, top, right, bottom)."""
        return self.run(
            "const box = document.querySelector('.stage').getBoundingClientRect();"
            "return [box.left, box.top, box.right, box.bottom]"
        )
