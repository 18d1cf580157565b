"""Arrow and Parquet as pyarrow, pandas, polars and DuckDB have them (all from PyPI)."""

import datetime
import io
import json
import urllib.error
import urllib.request

import duckdb
import fsspec
import pandas
import polars
import pyarrow
import pyarrow.ipc
import pyarrow.parquet

STREAM = "application/vnd.apache.arrow.stream"
START = datetime.datetime(2024, 2, 2, tzinfo=datetime.timezone.utc)
ROWS = 5_000
SPAN = "from=2024-02-02&to=2024-02-03"
UTC = datetime.timezone.utc


def post(url, body, path="/v1/metrics"):
    request = urllib.request.Request(url + path, data=body, headers={"Content-Type": STREAM})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def get(url, path, accept):
    request = urllib.request.Request(url + path, headers={"Accept": accept})
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.headers["Content-Type"].startswith(accept), answer.headers["Content-Type"]
        return answer.read()


def table(metric, **changes):
    columns = {
        "timestamp": pyarrow.array([START + datetime.timedelta(seconds=row) for row in range(ROWS)], pyarrow.timestamp("us", tz="UTC")),
        "name": pyarrow.array([metric] * ROWS),
        "host": pyarrow.array([None if row % 3 == 0 else "ab"[row % 2] for row in range(ROWS)]),
        "value": pyarrow.array([row / 4 for row in range(ROWS)]),
    }
    return pyarrow.table(columns | changes)


def stream(table, **options):
    sink = io.BytesIO()
    with pyarrow.ipc.new_stream(sink, table.schema, options=pyarrow.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table, max_chunksize=1_000)
    return sink.getvalue()


def stored(url, name):
    return pyarrow.ipc.open_stream(get(url, f"/v1/query?name={name}&{SPAN}&per=raw", STREAM)).read_all()


def expect(url, name, rows=ROWS):
    got = stored(url, name)
    assert got.num_rows == rows, f"{name}: {got.num_rows} of {rows}"
    total = sum(got["value"].to_pylist())
    assert abs(total - sum(row / 4 for row in range(rows))) < 1e-6, f"{name}: {total}"
    return got


def check_pyarrow_writes_streams_of_every_kind(url):
    for name, options in [("pa_plain", {}), ("pa_lz4", {"compression": "lz4"}), ("pa_zstd", {"compression": "zstd"})]:
        status, answer = post(url, stream(table(name), **options))
        assert (status, answer.get("points")) == (201, ROWS), (status, answer)
        expect(url, name)
    words = pyarrow.array(["pa_words"] * ROWS).dictionary_encode()
    hosts = table("x")["host"].dictionary_encode()
    millis = table("x")["timestamp"].cast(pyarrow.timestamp("ms"))
    status, answer = post(url, stream(table("x", name=words, host=hosts, timestamp=millis)))
    assert status == 201, answer
    got = expect(url, "pa_words").to_pylist()
    assert {row["host"] for row in got} == {None, "a", "b"}, "labels are columns"
    labels = pyarrow.array([[("host", "x"), ("dc", "eu")]] * ROWS, pyarrow.map_(pyarrow.string(), pyarrow.string()))
    mapped = table("pa_map").drop_columns(["host"]).append_column("labels", labels)
    assert post(url, stream(mapped))[0] == 201
    assert expect(url, "pa_map").slice(0, 1).to_pylist()[0] | {"time": 0} == {
        "time": 0, "name": "pa_map", "dc": "eu", "host": "x", "value": 0.0,
    }


def check_a_bad_row_of_a_stream_is_named_and_nothing_is_stored(url):
    values = [1.0] * (ROWS - 1) + [None]
    status, answer = post(url, stream(table("pa_bad", value=pyarrow.array(values))))
    assert status == 400 and answer["errors"][0]["index"] == ROWS - 1, answer
    status, answer = post(url, stream(table("pa_bad").drop_columns(["value"])))
    assert status == 400 and 'no column "value"' in answer["message"], answer
    assert stored(url, "pa_bad").num_rows == 0


def check_pandas_and_polars_write_what_they_have(url):
    frame = pandas.DataFrame(
        {
            "timestamp": pandas.date_range("2024-02-02", periods=ROWS, freq="s"),
            "name": "pd_frame",
            "host": pandas.Categorical(["a", "b"] * (ROWS // 2)),
            "value": [row / 4 for row in range(ROWS)],
        }
    )
    assert post(url, stream(pyarrow.Table.from_pandas(frame)))[0] == 201
    expect(url, "pd_frame")
    data = polars.DataFrame(
        {
            "timestamp": polars.datetime_range(START, START + datetime.timedelta(seconds=ROWS - 1), "1s", eager=True),
            "value": [row / 4 for row in range(ROWS)],
            "host": ["a host whose name is longer than twelve bytes"] * ROWS,
        }
    )
    sink = io.BytesIO()
    data.write_ipc_stream(sink, compression="zstd")
    assert post(url, sink.getvalue(), "/v1/metrics?name=pl_frame")[0] == 201
    expect(url, "pl_frame")
    feather = io.BytesIO()
    frame.assign(name="pd_file").to_feather(feather)
    status, answer = post(url, feather.getvalue())
    assert status == 201, answer
    expect(url, "pd_file")
    feather = io.BytesIO()
    data.write_ipc(feather)
    status, answer = post(url, feather.getvalue(), "/v1/metrics?name=pl_file")
    assert status == 400 and "write_ipc_stream" in answer["message"], answer


def check_pandas_and_polars_read_answers(url):
    path = f"/v1/query?name=pa_plain&{SPAN}&per=hour&agg=avg,count,p95&group_by=host"
    body = get(url, path, STREAM)
    frame = pyarrow.ipc.open_stream(body).read_pandas()
    assert list(frame.columns) == ["time", "name", "host", "avg", "count", "p95"], frame.columns
    assert str(frame["time"].dtype) == "datetime64[us, UTC]" and frame["count"].sum() == ROWS, frame.dtypes
    data = polars.read_ipc_stream(io.BytesIO(body))
    assert data["count"].sum() == ROWS and data["time"][0] == START, data
    assert set(data["host"].cast(polars.String).to_list()) == {None, "a", "b"}, data


def check_an_answer_may_be_posted_again(url):
    path = f"/v1/query?name=pa_lz4&{SPAN}&per=raw"
    assert post(url, get(url, path, STREAM))[0] == 201
    assert stored(url, "pa_lz4").num_rows == 2 * ROWS


def check_the_export_is_read_by_url(url):
    address = f"{url}/v1/export.parquet?name=pa_plain&from=2024-02-02&to=2024-02-03"
    want = sum(row / 4 for row in range(ROWS))
    with fsspec.open(address) as file:
        metadata = pyarrow.parquet.ParquetFile(file).metadata
        assert metadata.num_rows == ROWS, metadata
        file.seek(0)
        columns = pyarrow.parquet.read_table(file, columns=["value"])
    assert columns.num_rows == ROWS and abs(sum(columns["value"].to_pylist()) - want) < 1e-6
    frame = pandas.read_parquet(address)
    assert list(frame.columns) == ["timestamp", "name", "labels", "value"] and len(frame) == ROWS, frame
    data = polars.scan_parquet(address).select(polars.col("value").sum()).collect()
    assert abs(data.item() - want) < 1e-6, data


def check_duckdb_reads_the_export(url):
    address = f"{url}/v1/export.parquet?name=pa_plain"
    connection = duckdb.connect()
    # httpfs would do this by itself, but is an extension that is not on PyPI; fsspec asks for the same ranges.
    http = fsspec.filesystem("http")
    http.modified = lambda path: START  # DuckDB asks for it, and fsspec does not know it of a URL
    connection.register_filesystem(http)
    row = connection.execute(
        "SELECT count(*), sum(value), min(timestamp), max(labels->>'host') FROM read_parquet(?)", [address]
    ).fetchone()
    assert row[:2] == (ROWS, sum(row / 4 for row in range(ROWS))) and row[3] == "b", row
    reader = pyarrow.ipc.open_stream(get(url, f"/v1/query?name=pa_plain&{SPAN}&per=raw", STREAM)).read_all()
    assert connection.execute("SELECT count(DISTINCT host) FROM reader").fetchone() == (2,)
    assert reader.num_rows == ROWS


def check_parts_of_an_export_are_of_the_same_bytes(url):
    address = f"{url}/v1/export.parquet?name=pa_zstd"

    def part(headers):
        try:
            with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=60) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    with urllib.request.urlopen(urllib.request.Request(address, method="HEAD"), timeout=60) as head:
        length, tag = int(head.headers["Content-Length"]), head.headers["ETag"]
    assert post(url, stream(table("pa_zstd")))[0] == 201, "written between two parts"
    first, second = part({"Range": f"bytes=0-{length // 2}"}), part({"Range": f"bytes={length // 2 + 1}-"})
    assert first[0] == second[0] == 206 and first[1]["ETag"] == second[1]["ETag"] == tag, (first[1], second[1])
    whole = pyarrow.parquet.read_table(io.BytesIO(first[2] + second[2]))
    assert whole.num_rows == ROWS, whole.num_rows
    beyond = part({"Range": f"bytes={length}-"})
    assert beyond[0] == 416 and beyond[1]["Content-Range"] == f"bytes */{length}", beyond[1]
