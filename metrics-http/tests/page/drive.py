"""Drives the chart page in a headless Chromium over WebDriver and compares what it shows with what was written.

Usage: drive.py URL        (a server with an empty store that takes writes)

Needs `chromium` and `chromedriver` (Debian: chromium, chromium-driver; other paths by the environment variables
CHROMIUM and CHROMEDRIVER) and nothing but Python's own library. Exit status 0 when every check held; else it names
the first that did not.
"""

import pathlib
import sys
import tempfile
import time

from checks import CHECKS
from webdriver import started


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    url = sys.argv[1].rstrip("/")
    with tempfile.TemporaryDirectory() as folder, started(pathlib.Path(folder)) as page:
        for check in CHECKS:
            began = time.monotonic()
            try:
                check(page, url)
            except AssertionError as error:
                sys.exit(f"FAILED {check.__name__}: {error}")
            print(f"ok {check.__name__.replace('_', ' ')} ({time.monotonic() - began:.1f} s)", flush=True)


if __name__ == "__main__":
    main()
