"""The OpenTelemetry SDK exports by `opentelemetry-exporter-otlp-proto-http`, cumulative and delta, plain and packed."""

import json
import time
import urllib.request

from google.protobuf import json_format
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.metrics import Observation
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource

from reading import figure, values

RESOURCE = Resource.create({"service.name": "shop", "service.instance.id": "one", "process.owner": "nobody"})
LABELS = (("service_instance_id", "one"), ("service_name", "shop"))


def provider(url, views=(), **options):
    exporter = OTLPMetricExporter(endpoint=f"{url}/v1/metrics", **options)
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)
    return MeterProvider([reader], resource=RESOURCE, views=views, shutdown_on_exit=False)


def labels(*pairs):
    return tuple(sorted(LABELS + pairs))


def check_every_instrument_is_stored(url):
    for compression in (Compression.NoCompression, Compression.Gzip, Compression.Deflate):
        prefix = f"otel.{compression.value}"
        name = prefix.replace(".", "_")
        meters = provider(url, compression=compression)
        meter = meters.get_meter("check")
        orders = meter.create_counter(f"{prefix}.orders")
        open_orders = meter.create_up_down_counter(f"{prefix}.open")
        meter.create_observable_gauge(f"{prefix}.heat", [lambda _: [Observation(21.5, {"room": "attic"})]])
        latency = meter.create_histogram(f"{prefix}.latency", explicit_bucket_boundaries_advisory=[0.5, 1, 10])
        for amount in (3, 4):
            orders.add(amount, {"http.method": "GET"})
            open_orders.add(-amount)
            latency.record(amount / 4)
            latency.record(100)
            assert meters.force_flush(), "an export failed"
        meters.shutdown()
        # The shutdown exports once more.
        found = values(url, f"{name}_orders")
        assert found == {labels(("http_method", "GET")): [3, 7, 7]}, found
        assert values(url, f"{name}_open") == {labels(): [-3, -7, -7]}, values(url, f"{name}_open")
        assert values(url, f"{name}_heat") == {labels(("room", "attic")): [21.5] * 3}
        buckets = {dict(series)["le"]: found for series, found in values(url, f"{name}_latency_bucket").items()}
        assert buckets == {"0.5": [0, 0, 0], "1": [1, 2, 2], "10": [1, 2, 2], "+Inf": [2, 4, 4]}, buckets
        assert values(url, f"{name}_latency_sum") == {labels(): [100.75, 201.75, 201.75]}
        assert values(url, f"{name}_latency_count") == {labels(): [2, 4, 4]}


def check_deltas_are_stored_as_deltas_and_say_so(url):
    temporality = {Counter: AggregationTemporality.DELTA, Histogram: AggregationTemporality.DELTA}
    view = View(instrument_name="otel.sizes", aggregation=ExponentialBucketHistogramAggregation())
    before = figure(url, "metrics_http_exponential_buckets_skipped_total")
    meters = provider(url, [view], preferred_temporality=temporality)
    meter = meters.get_meter("check")
    counter = meter.create_counter("otel.delta")
    sizes = meter.create_histogram("otel.sizes")
    for amount in (3, 4):
        counter.add(amount)
        sizes.record(amount)
        assert meters.force_flush(), "an export failed"
    meters.shutdown()
    delta = labels(("temporality", "delta"))
    assert values(url, "otel_delta") == {delta: [3, 4]}, values(url, "otel_delta")
    assert values(url, "otel_sizes_sum") == {delta: [3, 4]}
    assert values(url, "otel_sizes_count") == {delta: [1, 1]}
    assert figure(url, "metrics_http_exponential_buckets_skipped_total") == before + 2


def check_points_over_a_bound_are_rejected_beside_good_ones(url):
    before = figure(url, "metrics_http_otlp_points_rejected_total")
    meters = provider(url)
    counter = meters.get_meter("check").create_counter("otel.wide")
    counter.add(1, {f"a{number}": "x" for number in range(40)})
    counter.add(2, {"a": "x"})
    assert meters.force_flush(), "a partial success is one"
    assert values(url, "otel_wide") == {labels(("a", "x")): [2]}
    assert figure(url, "metrics_http_otlp_points_rejected_total") == before + 1
    meters.shutdown()


def check_json_is_taken_and_answered_in_json(url):
    number = {"asInt": "7", "timeUnixNano": str(time.time_ns()), "attributes": [{"key": "a", "value": {"boolValue": True}}]}
    metric = {"name": "otel.json", "sum": {"dataPoints": [number, {}], "aggregationTemporality": 2, "isMonotonic": True}}
    request = json_format.ParseDict(
        {"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]},
        metrics_service_pb2.ExportMetricsServiceRequest(),
    )
    for enums_as_numbers in (True, False):
        body = json_format.MessageToJson(request, use_integers_for_enums=enums_as_numbers).encode()
        post = urllib.request.Request(f"{url}/v1/metrics", body, {"content-type": "application/json"})
        with urllib.request.urlopen(post, timeout=30) as answer:
            told = json.load(answer)
        response = json_format.ParseDict(told, metrics_service_pb2.ExportMetricsServiceResponse())
        assert response.partial_success.rejected_data_points == 1, told
        assert "without a value" in response.partial_success.error_message, told
    assert values(url, "otel_json") == {(("a", "true"),): [7, 7]}, values(url, "otel_json")
