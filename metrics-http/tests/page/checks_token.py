"""The chart page of a server that asks for a token."""

import json
import pathlib
import shlex
import subprocess
import urllib.request

from reading import FIGURES, STATUS, of_app

SHUT = "!document.getElementById('lock').hidden"
MESSAGE = "document.querySelector('.lock-message')?.textContent ?? ''"
KEPT = "[sessionStorage.getItem('token'), localStorage.getItem('token')]"


class Tokens:
    """A token file, filled by the program that `command` (one that ends with "serve") runs."""

    def __init__(self, command, path: pathlib.Path):
        self.program, self.path = shlex.split(command)[:-1], path
        self.secrets = {name: self.create(name, name) for name in ("read", "write", "admin")}

    def run(self, *words):
        command = [*self.program, "token", *words, "--token-file", str(self.path)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def create(self, name, scope):
        return self.run("create", "--name", name, "--scope", scope)

    def revoke(self, name):
        self.run("revoke", name)


def post(server, value):
    body = json.dumps({"name": "guarded", "value": value}).encode()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {server.tokens.secrets['write']}"}
    request = urllib.request.Request(f"{server.url}/v1/metrics", body, headers)
    assert urllib.request.urlopen(request, timeout=30).status == 201


def enter(page, secret, remember=False):
    page.fill_in("#token", secret)
    if remember:
        page.click("#token-remember")
    page.click("#lock button[type=submit]")


def without_a_token_the_page_asks_for_one(page, server):
    post(server, 5)
    page.open(f"{server.url}/?name=guarded&from=now-15m&tz=UTC")
    page.until("the form", SHUT)
    page.equal("the state", STATUS, "locked")
    page.equal("no word against a token that nobody gave", MESSAGE, "")
    page.equal("nothing else is shown", "document.getElementById('workspace').hidden", True)


def a_wrong_token_is_told_and_not_kept(page, server):
    for secret, word in [
        ("mtk_mistyped", "not known here"),
        (server.tokens.secrets["write"], "has the scope write"),
        ("with a blank", "no token"),
    ]:
        enter(page, secret)
        page.until(f"a word about {word}", MESSAGE, lambda text, word=word: word in text)
        page.equal("what is kept", KEPT, [None, None])
        page.equal("the form", SHUT, True)


def a_good_token_opens_the_page_and_follows_what_is_written(page, server):
    enter(page, server.tokens.secrets["read"])
    page.until("the point", FIGURES, lambda rows: rows and rows[0][5] == "1")
    page.equal("the form", SHUT, False)
    page.until("told of changes", of_app("app.isTold"))
    post(server, 7)
    page.until("the next point, by itself", FIGURES, lambda rows: rows and rows[0][5] == "2")
    page.equal("the state", STATUS, "live")


def the_token_is_in_no_address_and_ends_with_the_tab(page, server):
    secret = server.tokens.secrets["read"]
    page.equal("what is kept", KEPT, [secret, None])
    asked = "[location.href, document.referrer, ...performance.getEntriesByType('resource').map(({ name }) => name)]"
    addresses = page.run(f"return {asked}")
    assert len(addresses) > 10 and not any(secret in address for address in addresses), addresses
    shown = page.run("return document.documentElement.outerHTML")
    assert secret not in shown, "the token stands in the page"
    history = page.devtools("Page.getNavigationHistory")["entries"]
    assert not any(secret in entry["url"] for entry in history), history
    page.open(f"{server.url}/?name=guarded&from=now-15m&tz=UTC")
    page.until("open after a load in the same tab", FIGURES, lambda rows: rows and rows[0][5] == "2")
    first = page.call("GET", "/window")
    tab = page.call("POST", "/window/new", {"type": "tab"})["handle"]
    page.call("POST", "/window", {"handle": tab})
    page.open(f"{server.url}/?name=guarded&from=now-15m&tz=UTC")
    page.until("the form in another tab", SHUT)
    page.call("DELETE", "/window")
    page.call("POST", "/window", {"handle": first})


def values_are_saved_with_the_token(page, _server):
    page.click(".save-csv")
    saved = page.until_there("guarded_*.csv")
    lines = saved.read_text().splitlines()
    # One window or two points, as the clock had it.
    assert lines[0].startswith("time,name,") and lines[1].split(",")[1] == "guarded", lines


def a_revoked_token_shuts_the_page(page, server):
    server.tokens.revoke("read")
    server.reload()
    page.click("#zoom-out")
    page.until("the form", SHUT)
    page.until("why", MESSAGE, lambda text: "not known here" in text)
    page.equal("what is kept", KEPT, [None, None])


def a_token_may_be_remembered_and_is_forgotten_when_told(page, server):
    secret = server.tokens.secrets["admin"]
    enter(page, secret, remember=True)
    page.until("the chart", FIGURES, lambda rows: rows and rows[0][5] == "2")
    page.equal("what is kept", KEPT, [None, secret])
    page.click("#forget")
    page.until("the form", SHUT)
    page.equal("what is kept", KEPT, [None, None])


TOKEN_CHECKS = [
    without_a_token_the_page_asks_for_one,
    a_wrong_token_is_told_and_not_kept,
    a_good_token_opens_the_page_and_follows_what_is_written,
    the_token_is_in_no_address_and_ends_with_the_tab,
    values_are_saved_with_the_token,
    a_revoked_token_shuts_the_page,
    a_token_may_be_remembered_and_is_forgotten_when_told,
]
