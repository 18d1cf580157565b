"""Debian's `vmagent` (package `victoria-metrics`) scrapes an exporter and sends it here by remote write."""

from reading import eventually, points, values
from scraped import exporter, free_port, running

SCRAPES = """
scrape_configs:
  - job_name: probe
    scrape_interval: 1s
    static_configs: [{targets: ['TARGET']}]
"""


def check_what_vmagent_scrapes_is_here(url):
    with exporter("vm") as target:
        command = [
            "vmagent",
            "-promscrape.config={folder}/scrape.yml",
            f"-remoteWrite.url={url}/api/v1/write",
            "-remoteWrite.tmpDataPath={folder}/data",
            f"-httpListenAddr=127.0.0.1:{free_port()}",
        ]
        with running({"scrape.yml": SCRAPES.replace("TARGET", target)}, command):
            eventually("five scrapes", lambda: sum(map(len, values(url, "vm_requests_total").values())) >= 5)
    (labels, found), = points(url, "vm_requests_total").items()
    assert dict(labels) == {"instance": target, "job": "probe"}, labels
    counts = [value for _, value in found]
    assert counts == list(range(1, len(counts) + 1)), counts
    rooms = {dict(labels)["room"]: set(found) for labels, found in values(url, "vm_temperature").items()}
    assert rooms == {"attic": {21.5}, "cellar": {-3}}, rooms
