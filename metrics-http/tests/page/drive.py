"""Drives the chart page in a headless Chromium over WebDriver and compares what it shows with what was written.

Usage: drive.py COMMAND...  (starts servers, such as: drive.py cargo run --release -- serve)
       drive.py URL         (a server with an empty store that takes writes; what needs a server of its own is left out)

Needs `chromium` and `chromedriver` (Debian: chromium, chromium-driver; other paths by the environment variables
CHROMIUM and CHROMEDRIVER) and nothing but Python's own library. ONLY=words runs the checks with one of these words,
separated by blanks, in their names (the first one fills the store and always runs). Exit status 0 when every check
held; else it names the first that did not.
"""

import contextlib
import os
import pathlib
import shlex
import sys
import tempfile
import time

import checks_data
import checks_files
import checks_live
import checks_panels
import checks_token
import checks_view
from server import Server
from webdriver import started

ONLY = os.environ.get("ONLY", "").split()


def nothing_was_refused_by_the_content_security_policy(page, _url):
    log = page.call("POST", "/se/log", {"type": "browser"})
    # What a check blocked, or took the server away from, is no fault of the page.
    meant = ("ERR_INTERNET_DISCONNECTED", "ERR_BLOCKED_BY_CLIENT", "ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED", "status of 401", "status of 403")
    severe = [entry["message"] for entry in log if entry["level"] == "SEVERE"]
    bad = [message for message in severe if not any(word in message for word in meant)]
    assert bad == [], bad


CHECKS = [
    *checks_view.CHECKS,
    *checks_data.CHECKS,
    *checks_panels.CHECKS,
    *checks_files.CHECKS,
    *checks_live.CHECKS,
    nothing_was_refused_by_the_content_security_policy,
]


def run(checks, page, target):
    for check in checks:
        if ONLY and check is not CHECKS[0] and not any(word in check.__name__ for word in ONLY):
            continue
        began = time.monotonic()
        try:
            check(page, target)
        except AssertionError as error:
            sys.exit(f"FAILED {check.__name__}: {error}")
        print(f"ok {check.__name__.replace('_', ' ')} ({time.monotonic() - began:.1f} s)", flush=True)


@contextlib.contextmanager
def serving(command, store, *options):
    server = Server(command, store, *options)
    try:
        yield server
        server.stop()
    finally:
        server.kill()


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as name, started(pathlib.Path(name)) as page:
        folder = pathlib.Path(name)
        if sys.argv[1].startswith("http"):
            run(CHECKS, page, sys.argv[1].rstrip("/"))
            return
        command = shlex.join(sys.argv[1:])
        with serving(command, folder / "checks.duckdb") as server:
            run([check for check in CHECKS if check is not CHECKS[-1]], page, server.url)
            run(checks_live.OWN_SERVER_CHECKS, page, server)
        with serving(command, folder / "simulated.duckdb", "--simulate") as server:
            run(checks_live.SIMULATED_CHECKS, page, server)
        tokens = checks_token.Tokens(command, folder / "tokens")
        with serving(command, folder / "guarded.duckdb", "--token-file", str(tokens.path)) as server:
            server.tokens = tokens
            run(checks_token.TOKEN_CHECKS, page, server)
        run(CHECKS[-1:], page, None)


if __name__ == "__main__":
    main()
