"""Runs the clients that people use against a server, and compares what they read with what they wrote.

Usage: run.py URL [CLIENT ...]        (a server with an empty store that takes writes; all clients by default)

Each `client_*.py` beside this file has one function for each thing that it shows, called `check_...` and given the
server's address. The clients come from PyPI (`requirements.txt`) and Debian (named in the module that runs them).
Exit status 0 when every check held; else the first that did not is named.
"""

import importlib
import pathlib
import sys
import time


def modules(wanted):
    names = sorted(path.stem for path in pathlib.Path(__file__).parent.glob("client_*.py"))
    unknown = [name for name in wanted if f"client_{name}" not in names]
    if unknown or not names:
        sys.exit(f"no such client: {', '.join(unknown)}; there are {', '.join(name[7:] for name in names)}")
    return [importlib.import_module(name) for name in names if not wanted or name[7:] in wanted]


def run(client, checks, server):
    """Makes checks of a server, and ends the program with the first that fails."""
    for check in checks:
        began = time.monotonic()
        what = check.__name__.removeprefix("check_").replace("_", " ")
        try:
            check(server)
        except AssertionError as error:
            sys.exit(f"FAILED {client}{what}: {error}")
        print(f"ok {client}{what} ({time.monotonic() - began:.1f} s)", flush=True)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    url = sys.argv[1].rstrip("/")
    for module in modules(sys.argv[2:]):
        checks = [value for name, value in vars(module).items() if name.startswith("check_")]
        if not checks:
            sys.exit(f"{module.__name__} checks nothing")
        run(f"{module.__name__[7:]}: ", checks, url)


if __name__ == "__main__":
    main()
