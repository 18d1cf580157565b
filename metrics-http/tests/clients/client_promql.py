"""Asks this server and Debian's `prometheus` the same questions of the same data, and compares the answers.

Debian's is version 2.42, whose ranges hold their left end; this server's do not, as in version 3. No question here is
asked at an instant at which a sample lies on a left end: a unit test pins what happens there.
"""

import contextlib
import csv
import datetime
import json
import math
import pathlib
import random
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

DATA = pathlib.Path(__file__).parents[3] / "examples" / "data"
DAY = datetime.datetime(2014, 2, 15, tzinfo=datetime.timezone.utc).timestamp()
HOURS = 6
TOLERANCE = 1e-9
START_SECONDS = 30
FORM = "application/x-www-form-urlencoded"


def factory():
    """Machines of real data: a point each five minutes, two hosts, three days."""
    for host in ("ec2", "rds"):
        name = {"ec2": "ec2_cpu_utilization_5f5533.csv", "rds": "rds_cpu_utilization_cc0c53.csv"}[host]
        with open(DATA / name, newline="") as file:
            for row in csv.DictReader(file):
                at = datetime.datetime.fromisoformat(row["timestamp"]).replace(tzinfo=datetime.timezone.utc)
                if DAY - 86400 <= at.timestamp() < DAY + 2 * 86400:
                    yield "pq_cpu", {"host": host}, at.timestamp(), row["value"]


def generated():
    """Counters that restart and pause, histograms, gauges that come and go. Their milliseconds are multiples of five;
    those of the instants that are asked for are none."""
    chance = random.Random(17)
    for instance in "abc":
        for path in ("/", "/api"):
            for code in ("200", "500"):
                labels = {"instance": instance, "path": path, "code": code}
                count = 1000 * chance.random() if code == "200" else 0
                for tick in range(HOURS * 240):
                    count += chance.randrange(40) if code == "200" else chance.random() < 0.2
                    if instance == "b" and chance.random() < 0.004:
                        count = chance.randrange(3)
                    if instance == "c" and 400 <= tick < 520:
                        continue
                    yield "pq_requests_total", labels, DAY + 15 * tick + chance.randrange(1, 80) / 200, f"{count:.3f}"
    for instance in "ab":
        counts = [0] * 5
        for tick in range(HOURS * 120):
            for _ in range(chance.randrange(12)):
                seen = chance.lognormvariate(-1, 1)
                for at, bound in enumerate((0.1, 0.5, 1, 2.5, math.inf)):
                    counts[at] += seen <= bound
            for count, bound in zip(counts, ("0.1", "0.5", "1", "2.5", "+Inf")):
                yield "pq_latency_bucket", {"instance": instance, "le": bound}, DAY + 30 * tick + 0.25, str(count)
    for room in ("cellar", "kitchen", "roof"):
        degrees = 15.0
        for tick in range(HOURS * 60):
            degrees += chance.gauss(0, 0.7)
            if room != "roof" or tick % 40 < 25:
                yield "pq_degrees", {"room": room, "floor": str(len(room))}, DAY + 60 * tick + 7.5, f"{degrees:.2f}"
    for instance in "abc":
        for tick in range(HOURS * 60):
            labels = {"instance": instance, "version": "2" if instance == "b" else "1"}
            yield "pq_build_info", labels, DAY + 60 * tick + 3.3, "1"


def points():
    """All points in the order of their series: name, labels, seconds, value as text."""
    return [*factory(), *generated()]


@contextlib.contextmanager
def prometheus(all_points):
    """A Prometheus that holds the points, made of blocks that its own tool writes."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        lines, last = [], None
        for name, labels, at, value in all_points:
            if name != last:
                lines.append(f"# TYPE {name} unknown")
                last = name
            pairs = ",".join(f'{label}="{text}"' for label, text in labels.items())
            lines.append(f"{name}{{{pairs}}} {value} {at:.3f}")
        (folder / "points.txt").write_text("\n".join([*lines, "# EOF", ""]))
        (folder / "prometheus.yml").write_text("global: {}\n")
        make = ["promtool", "tsdb", "create-blocks-from", "openmetrics", folder / "points.txt", folder / "tsdb"]
        subprocess.run(make, check=True, timeout=120, stdout=subprocess.DEVNULL)
        with socket.create_server(("127.0.0.1", 0)) as free:
            address = f"127.0.0.1:{free.getsockname()[1]}"
        run = [
            "prometheus", f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'tsdb'}",
            f"--web.listen-address={address}", "--storage.tsdb.retention.time=100y", "--log.level=error",
        ]
        process = subprocess.Popen(run)
        try:
            deadline = time.monotonic() + START_SECONDS
            while True:
                with contextlib.suppress(OSError), urllib.request.urlopen(f"http://{address}/-/ready") as ready:
                    if ready.status == 200:
                        break
                assert process.poll() is None, "prometheus ended"
                assert time.monotonic() < deadline, f"prometheus is not ready after {START_SECONDS} s"
                time.sleep(0.05)
            yield f"http://{address}"
        finally:
            process.terminate()
            process.wait(timeout=30)


def load(url, all_points):
    """The same points into this server."""
    rows = [
        {"name": name, "labels": labels, "timestamp": round(at * 1e6), "value": float(value)}
        for name, labels, at, value in all_points
    ]
    body = "\n".join(map(json.dumps, rows)).encode()
    half = body.index(b"\n", len(body) // 2)
    for part in (body[:half], body[half + 1 :]):
        status, answer = ask(f"{url}/v1/metrics", part, "application/x-ndjson")
        assert status == 201, f"the points were answered {status}: {answer}"


def ask(address, body=None, kind=FORM):
    """Status and JSON of an answer."""
    headers = {} if body is None else {"Content-Type": kind}
    try:
        with urllib.request.urlopen(urllib.request.Request(address, body, headers), timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refusal:
        return refusal.code, json.load(refusal)


def call(url, path, **parameters):
    pairs = [(k.rstrip("_"), v) for k, vs in parameters.items() for v in (vs if isinstance(vs, list) else [vs])]
    pairs = [("match[]" if key == "match" else key, value) for key, value in pairs]
    return ask(f"{url}/api/v1/{path}?{urllib.parse.urlencode(pairs)}")


def same_number(a, b):
    a, b = float(a), float(b)
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    return a == b or math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=0)


def samples(data):
    """An answer's samples, by labels: what is compared."""
    result = data["result"]
    if data["resultType"] in ("scalar", "string"):
        return {(): [result]}
    found = {}
    for series in result:
        key = tuple(sorted(series["metric"].items()))
        assert key not in found, f"{key} is there twice"
        found[key] = series["values"] if "values" in series else [series["value"]]
    return found


def compare(question, ours, theirs, in_order=False):
    """Labels, times and values; raises where they differ."""
    assert ours["resultType"] == theirs["resultType"], f"{question}: {ours['resultType']}, not {theirs['resultType']}"
    mine, other = samples(ours), samples(theirs)
    missing, more = other.keys() - mine.keys(), mine.keys() - other.keys()
    assert not missing and not more, f"{question}: without {missing or 'nothing'}, with {more or 'nothing'} more"
    if in_order:
        assert [*mine] == [*other], f"{question}: in another order"
    count = 0
    for key, expected in other.items():
        got = mine[key]
        assert [at for at, _ in got] == [at for at, _ in expected], f"{question}: other times of {key}"
        for (at, a), (_, b) in zip(got, expected):
            same = a == b if ours["resultType"] == "string" else same_number(a, b)
            assert same, f"{question}: {key} at {at} is {a}, not {b}"
            count += 1
    return count


REQUESTS = "pq_requests_total"
ALL = '{__name__=~"pq_.*"}'

# Asked at one instant and over a range.
EXPRESSIONS = f"""
1+1
-2 ^ 2 % 3
1 > bool 2
time()
pq_cpu
pq_cpu{{host="ec2"}}
pq_cpu{{host!="ec2"}}
pq_cpu{{host=~"e.*|x"}}
pq_cpu{{host!~"e.*"}}
{REQUESTS}{{rack="",code="500"}}
{{__name__=~"pq_(cpu|degrees)"}}
{{__name__="pq_degrees", room=~"c.+"}}
pq_degrees offset 17m
pq_degrees offset -17m
pq_degrees @ {DAY + 4000}
pq_degrees @ end() - pq_degrees @ start()
rate({REQUESTS}[5m])
rate({REQUESTS}[2m30s] offset 10m)
increase({REQUESTS}[1h])
irate({REQUESTS}[3m])
idelta(pq_degrees[7m])
delta(pq_degrees[30m])
deriv(pq_degrees[20m])
predict_linear(pq_degrees[30m], 600)
changes({REQUESTS}{{code="500"}}[10m])
resets({REQUESTS}{{instance="b"}}[2h])
avg_over_time(pq_cpu[1h])
min_over_time(pq_cpu[3h])
max_over_time(pq_cpu[3h])
sum_over_time(pq_cpu[6h])
count_over_time({REQUESTS}[20m])
last_over_time(pq_degrees[11m])
present_over_time(pq_degrees{{room="roof"}}[2m])
stddev_over_time(pq_degrees[1h])
stdvar_over_time(pq_cpu[1h])
quantile_over_time(0.9, pq_degrees[1h])
quantile_over_time(0.5, pq_cpu[2h])
quantile_over_time(-1, pq_cpu[2h])
absent_over_time(pq_degrees{{room="roof"}}[5m])
absent_over_time(pq_nothing{{a="b",c=~"d"}}[5m])
absent(pq_degrees{{room="attic"}})
absent(pq_degrees)
sum({REQUESTS})
sum by (instance) ({REQUESTS})
sum without (code, path) (rate({REQUESTS}[5m]))
sum by (nothing) (pq_degrees)
avg by (path, code) (rate({REQUESTS}[5m]))
min(pq_degrees) by (floor)
max(pq_degrees)
count({REQUESTS}) by (instance)
count by (__name__) ({ALL})
group by (code) ({REQUESTS})
stddev(pq_degrees)
stdvar by (code) ({REQUESTS})
quantile(0.75, {REQUESTS})
quantile by (instance) (0.3, rate({REQUESTS}[5m]))
topk(3, {REQUESTS})
topk by (instance) (1, {REQUESTS})
bottomk(2, pq_degrees)
count_values("version", pq_build_info)
pq_cpu * 2 - 1
100 / pq_degrees
-pq_degrees
pq_degrees > 15
15 < pq_degrees
pq_degrees >= bool 15
pq_degrees == pq_degrees
pq_degrees != bool 15
{REQUESTS}{{code="500"}} / ignoring(code) {REQUESTS}{{code="200"}}
rate({REQUESTS}{{code="500"}}[5m]) / on(instance, path) rate({REQUESTS}{{code="200"}}[5m])
sum by (instance) (rate({REQUESTS}[5m])) * on(instance) group_left(version) pq_build_info
pq_build_info * on(instance) group_right(version) {REQUESTS}
{REQUESTS} > on(instance, path, code) {REQUESTS} offset 5m
{REQUESTS} and on(instance) pq_build_info{{version="1"}}
{REQUESTS} unless on(instance) pq_build_info{{version="1"}}
pq_cpu or pq_degrees
pq_degrees{{room="roof"}} or on(room) pq_degrees
(pq_degrees + 0) atan2 (1 - pq_degrees)
abs(pq_degrees - 16)
ceil(pq_degrees)
floor(-pq_degrees)
round(pq_degrees)
round(pq_degrees, 0.25)
clamp(pq_degrees, 14, 16)
clamp(pq_degrees, 16, 14)
clamp_min(pq_degrees, 15)
clamp_max(pq_degrees, 15)
sqrt(pq_degrees - 15)
exp(pq_degrees / 10)
ln(pq_cpu)
log2(pq_cpu)
log10(pq_cpu)
sgn(pq_degrees - 15)
scalar(pq_cpu{{host="rds"}})
scalar(pq_cpu)
vector(17)
timestamp(pq_degrees)
timestamp(pq_degrees * 1)
hour()
day_of_week(vector(time() - 86400 * 3))
days_in_month()
label_replace(pq_degrees, "place", "$1-$2", "room", "(.)(.*)")
label_replace(pq_degrees, "room", "", "floor", "4")
label_join(pq_degrees, "both", "/", "room", "floor", "none")
sort(pq_degrees)
sort_desc({REQUESTS})
histogram_quantile(0.9, rate(pq_latency_bucket[5m]))
histogram_quantile(0.5, sum by (le) (rate(pq_latency_bucket[10m])))
histogram_quantile(0.99, pq_latency_bucket)
max_over_time(rate({REQUESTS}[5m])[30m:1m])
avg_over_time(pq_degrees[20m:45s])
sum_over_time((pq_degrees > 15)[1h:5m] offset 3m)
deriv(sum(pq_degrees)[30m:1m])
max_over_time(pq_degrees[10m:1m] @ {DAY + 7000})
sum(rate({REQUESTS}[5m])) by (path) / ignoring(path) group_left sum(rate({REQUESTS}[5m]))
0 / (pq_degrees > 1000 or vector(0))
pq_degrees % 4 ^ 2
avg(pq_nothing)
""".strip().splitlines()

# Asked over ranges that begin and end on the clock, where rollups may answer. No sample lies on a left end of theirs.
ON_THE_CLOCK = [
    f"{function}_over_time({selector})"
    for function in ("avg", "min", "max", "sum", "count", "last", "present", "stddev", "stdvar")
    for selector in ('pq_cpu{host="ec2"}[6h]', f"{REQUESTS}[1h]", "pq_degrees[3h] offset 1h", "pq_latency_bucket[30m]")
]

# Asked at one instant only.
AT_INSTANTS = f"""
"a text"
pq_degrees[3m]
{REQUESTS}{{instance="c"}}[1m] offset 2h
pq_degrees[5m:1m]
""".strip().splitlines()

# Refused by both in the same way: status and type of error.
REFUSED = f"""
sum(
pq_degrees[5m
pq_degrees{{room=~"("}}
no_such_function(pq_degrees)
1 > 2
{{room=~".*"}}
{REQUESTS} * on(path) {REQUESTS}
{REQUESTS} + on(instance) pq_build_info
label_replace(label_replace(pq_degrees, "room", "same", "", ""), "floor", "same", "", "")
label_replace(pq_degrees, "a", "b", "room", "(")
""".strip().splitlines()


def check_answers_equal_those_of_prometheus(url):
    all_points = points()
    load(url, all_points)
    asked = compared = 0
    with prometheus(all_points) as theirs:
        for expression in [*EXPRESSIONS, *AT_INSTANTS]:
            for at in (DAY + 9033.421, DAY + 10811.102):
                in_order = expression.startswith(("sort", "topk(", "bottomk("))
                compared += both(url, theirs, expression, in_order, "query", time=f"{at:.3f}")
                asked += 1
        for expression in EXPRESSIONS:
            for start, end, step in ((1801.073, 12701.4, 61), (-7203.912, 30000, 1707.31)):
                span = {"start": f"{DAY + start:.3f}", "end": f"{DAY + end:.3f}", "step": step}
                compared += both(url, theirs, expression, False, "query_range", **span)
                asked += 1
        for expression in ON_THE_CLOCK:
            for step in (900, 3600):
                span = {"start": int(DAY), "end": int(DAY + 9 * 3600), "step": step}
                compared += both(url, theirs, expression, False, "query_range", **span)
                asked += 1
        for expression in REFUSED:
            (status, ours), (expected, other) = (call(a, "query", query=expression, time=DAY + 9033) for a in (url, theirs))
            assert (status, ours.get("errorType")) == (expected, other.get("errorType")), (
                f"{expression}: {status} {ours}, not {expected} {other}"
            )
            assert ours["status"] == "error" and ours["error"], f"{expression}: {ours}"
        lists(url, theirs)
    print(f"   {asked} queries, {compared} samples compared", flush=True)
    assert asked >= 500 and compared > 70_000, f"only {asked} queries with {compared} samples"


def both(url, theirs, expression, in_order, path, **parameters):
    question = f"{path} {expression} {parameters}"
    (status, ours), (expected, other) = (call(a, path, query=expression, **parameters) for a in (url, theirs))
    assert expected == 200, f"{question}: prometheus says {expected} {other}"
    assert status == 200, f"{question}: {status} {ours}"
    assert "warnings" not in ours, f"{question}: {ours['warnings']}"
    return compare(question, ours["data"], other["data"], in_order)


def lists(url, theirs):
    """Series, labels and values as both tell them."""
    span = {"start": DAY, "end": DAY + 3600}
    for path, parameters in (
        ("series", {"match": ALL}),
        ("series", {"match": ["pq_cpu", 'pq_degrees{room!="roof"}'], **span}),
        ("labels", {"match": ALL}),
        ("labels", {"match": "pq_degrees", **span}),
        ("label/__name__/values", {"match": ALL}),
        ("label/room/values", {"match": "pq_degrees"}),
        ("label/instance/values", {"match": 'pq_build_info{version="1"}'}),
        ("label/none/values", {}),
    ):
        (status, ours), (_, other) = (call(a, path, **parameters) for a in (url, theirs))
        assert status == 200 and ours["status"] == "success", f"{path} {parameters}: {status} {ours}"
        by_text = {"key": json.dumps} if path == "series" else {}
        normal = [json.loads(json.dumps(item, sort_keys=True)) for item in ours["data"]]
        expected = [json.loads(json.dumps(item, sort_keys=True)) for item in other["data"]]
        assert sorted(normal, **by_text) == sorted(expected, **by_text), f"{path} {parameters}: {normal}, not {expected}"


def form(url, path, **parameters):
    return ask(f"{url}/api/v1/{path}", urllib.parse.urlencode(parameters, doseq=True).encode())


def check_grafana_is_answered_on_save_and_test_in_the_label_browser_and_on_a_panel(url):
    """The requests of Grafana's Prometheus data source, as its source code makes them (pkg/promlib)."""
    status, answer = form(url, "query", query="1+1", time="4")
    assert (status, answer) == (200, {"status": "success", "data": {"resultType": "scalar", "result": [4, "2"]}}), answer
    status, answer = call(url, "status/buildinfo")
    assert status == 200 and answer["data"]["version"].startswith("3.") and "features" not in answer["data"], answer

    span = {"start": int(DAY), "end": int(DAY + 3600)}
    status, answer = form(url, "labels", **span, limit=40000)
    assert status == 200 and {"__name__", "room"} <= set(answer["data"]), answer
    status, answer = form(url, "labels", **{**span, "match[]": '{__name__="pq_degrees"}'})
    assert (status, answer["data"]) == (200, ["__name__", "floor", "room"]), answer
    status, answer = call(url, "label/__name__/values", **span)
    assert status == 200 and {"pq_cpu", "pq_requests_total"} <= set(answer["data"]), answer
    status, answer = call(url, "label/room/values", **span, match='{__name__="pq_degrees"}')
    assert (status, answer["data"]) == (200, ["cellar", "kitchen", "roof"]), answer
    status, answer = form(url, "series", **{**span, "match[]": 'pq_degrees{room="roof"}'})
    assert (status, answer["data"]) == (200, [{"__name__": "pq_degrees", "floor": "4", "room": "roof"}]), answer
    status, answer = call(url, "metadata", limit=10000)
    assert status == 200 and answer["data"]["pq_degrees"] == [{"type": "unknown", "help": "", "unit": ""}], answer
    status, answer = call(url, "rules")
    assert (status, answer["data"]) == (200, {"groups": []}), answer

    panel = {"query": 'sum by (instance) (rate(pq_requests_total{path=~".+"}[1m0s]))', "step": "15", "timeout": "60s"}
    status, answer = form(url, "query_range", **panel, start=DAY, end=DAY + 3600)
    result = answer["data"]["result"]
    assert status == 200 and [series["metric"]["instance"] for series in result] == ["a", "b", "c"], answer
    assert len(result[0]["values"]) > 230 and result[0]["values"][-1][0] == DAY + 3600, result[0]["values"][-3:]
    status, answer = form(url, "query_exemplars", query="pq_degrees", **span)
    assert (status, answer["data"]) == (200, []), answer
    status, answer = form(url, "query", query="pq_degrees{", time=DAY)
    assert status == 400 and answer["errorType"] == "bad_data" and answer["error"], answer
