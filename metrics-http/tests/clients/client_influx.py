"""`influxdb-client` (InfluxDB 2) and `influxdb` (InfluxDB 1) from PyPI write lines."""

import urllib.parse

import influxdb
import influxdb.exceptions
import influxdb_client
from influxdb_client.client.write_api import SYNCHRONOUS, WriteOptions
from influxdb_client.rest import ApiException

from reading import figure, points, values

AT_S = 1_706_874_180


def check_the_client_of_version_2_writes_points_lines_and_batches(url):
    with influxdb_client.InfluxDBClient(url=url, token="any", org="home", enable_gzip=True) as client:
        assert client.ping(), "no ping"
        assert client.version() == "1.8.0", client.version()
        with client.write_api(write_options=SYNCHRONOUS) as write:
            point = influxdb_client.Point("v2air").tag("room", "attic, left").field("humidity", 41.5).field("open", True)
            write.write(bucket="rooms", record=point.field("state", "ok").time(AT_S, "s"))
            write.write(bucket="rooms", record=f"v2air,room=cellar humidity=60i {AT_S}000", write_precision="ms")
            write.write(bucket="rooms", record={"measurement": "v2load", "fields": {"value": 0.5}, "time": AT_S * 10**9})
        with client.write_api(write_options=WriteOptions(batch_size=500, flush_interval=1_000)) as write:
            for second in range(2_000):
                write.write(bucket="rooms", record=f"v2batch value={second} {AT_S + second}", write_precision="s")
    at = AT_S * 1_000_000
    assert points(url, "v2air_humidity") == {
        (("room", "attic, left"),): [(at, 41.5)],
        (("room", "cellar"),): [(at, 60)],
    }, points(url, "v2air_humidity")
    assert values(url, "v2air_open") == {(("room", "attic, left"),): [1]}
    assert points(url, "v2load") == {(): [(at, 0.5)]}
    assert values(url, "v2batch") == {(): list(range(2_000))}


def check_the_client_of_version_2_is_told_of_bad_lines(url):
    with influxdb_client.InfluxDBClient(url=url, token="any", org="home") as client:
        with client.write_api(write_options=SYNCHRONOUS) as write:
            try:
                write.write(bucket="rooms", record="v2partial value=1 1000\nv2partial value=x 2000")
                raise AssertionError("a bad line was not told")
            except ApiException as error:
                assert error.status == 400 and "partial write" in error.message, error
    assert values(url, "v2partial") == {(): [1]}


def check_the_client_of_version_1_pings_and_writes_in_every_precision(url):
    address = urllib.parse.urlsplit(url)
    for gzip in (False, True):
        name = f"v1gzip{gzip}"
        client = influxdb.InfluxDBClient(address.hostname, address.port, "u", "p", "db", gzip=gzip)
        assert client.ping() == "1.8.0", client.ping()
        client.create_database("db")
        for precision, seconds in [("s", 1), ("m", 60), ("h", 3_600), ("ms", 1e-3), ("u", 1e-6), ("n", 1e-9)]:
            record = {"measurement": name, "tags": {"unit": precision}, "fields": {"value": 1.5}}
            # 2024-02-02T11:00:00Z, a whole number in each of them.
            record["time"] = int(1_706_871_600 / seconds + 0.5)
            assert client.write_points([record], time_precision=precision), precision
        found = points(url, name)
        assert len(found) == 6, found
        assert all(series == [(1_706_871_600_000_000, 1.5)] for series in found.values()), found
        try:
            client.write([f"{name}bad value=1 1000", f"{name}bad value=x 1000"], {"db": "db"}, 204, "line")
            raise AssertionError("a bad line was not told")
        except influxdb.exceptions.InfluxDBClientError as error:
            assert error.code == 400 and "partial write" in str(error), error
        client.close()
    assert figure(url, "metrics_http_lines_rejected_total") >= 2
