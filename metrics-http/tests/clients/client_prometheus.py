"""Debian's `prometheus` scrapes an exporter, evaluates a rule and sends all of it here by `remote_write`."""

import csv
import urllib.request

from reading import eventually, figure, get, points, values
from scraped import exporter, free_port, running

CONFIGURATION = """
global:
  scrape_interval: 500ms
  evaluation_interval: 500ms
  external_labels: {site: test}
rule_files: ['{folder}/rules.yml']
scrape_configs:
  - job_name: probe
    static_configs: [{targets: ['TARGET']}]
remote_write:
  - url: URL/api/v1/write
    queue_config: {batch_send_deadline: 500ms}
"""
RULES = """
groups:
  - name: probe
    rules:
      - record: prom:requests:double
        expr: 2 * prom_requests_total
"""


def check_what_prometheus_scrapes_and_computes_is_here(url):
    stale = figure(url, "metrics_http_stale_markers_dropped_total")
    with exporter("prom") as target:
        files = {
            "prometheus.yml": CONFIGURATION.replace("TARGET", target).replace("URL", url),
            "rules.yml": RULES,
        }
        port = free_port()
        command = [
            "prometheus",
            "--config.file={folder}/prometheus.yml",
            "--storage.tsdb.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        with running(files, command):
            here = lambda name: [value for found in values(url, name).values() for value in found]
            eventually("eight scrapes and a rule over them", lambda: max(here("prom:requests:double"), default=0) >= 16)
            eventually(
                "the end of a series",
                lambda: figure(url, "metrics_http_stale_markers_dropped_total") > stale,
            )
            theirs = get(f"http://127.0.0.1:{port}", "/api/v1/query", query='{__name__=~"prom[_:].*"}[10m]')
            theirs = {
                (series["metric"].pop("__name__"), tuple(sorted((series["metric"] | {"site": "test"}).items()))): [
                    (round(float(at) * 1e6), float(value)) for at, value in series["values"]
                ]
                for series in theirs["data"]["result"]
            }
    # After its end, for it sends what waits first.
    assert len(theirs) == 11, sorted(theirs)
    for (name, labels), expected in theirs.items():
        found = points(url, name)
        assert labels in found, f"{name} {labels} is not among {list(found)}"
        found = found[labels][: len(expected)]
        assert [at for at, _ in found] == [at for at, _ in expected], f"other times of {name} {labels}"
        if not name.endswith("_odd"):
            assert found == expected, f"{name} {labels}: {found} is not {expected}"
    requests = [value for _, value in next(iter(points(url, "prom_requests_total").values()))]
    assert requests == list(range(1, len(requests) + 1)), f"scrapes are missing or double: {requests}"


def check_what_is_no_number_is_kept(url):
    query = "/v1/query?name=prom_odd&per=raw&group_by=*&from=now-1h&to=now"
    request = urllib.request.Request(url + query, headers={"accept": "text/csv"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        rows = list(csv.DictReader(answer.read().decode().splitlines()))
    kinds = {(row["kind"], row["value"]) for row in rows}
    assert kinds == {("inf", "+Inf"), ("nan", "NaN")}, kinds
