"""Clients that people use against a server that asks for tokens and speaks TLS, each set up as README says.

Usage: guarded.py COMMAND...   (starts a server of its own, such as: guarded.py cargo run --release -- serve)

Needs `curl`, `openssl`, Debian's `prometheus` and `vmagent`, and the packages of `requirements.txt`. Exit status 0 when
every check held; else the first that did not is named.
"""

import os
import pathlib
import re
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.parse

import influxdb
import influxdb.exceptions
import influxdb_client
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

from run import run
from scraped import exporter, free_port, running

PATIENCE_S = 90
# `requests` takes these in place of what its callers name.
for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
    os.environ.pop(variable, None)
SCOPES = ("read", "write", "admin")


class Guarded:
    """The server, its tokens by scope, and the certificate that it is known by."""

    def __init__(self, command, folder):
        self.program, self.folder = command[:-1], folder
        self.certificate = folder / "cert.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
            + ["-days", "2", "-subj", "/CN=metrics", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
            + ["-addext", "basicConstraints=critical,CA:FALSE"]
            + ["-keyout", str(folder / "key.pem"), "-out", str(self.certificate)],
            check=True,
            capture_output=True,
        )
        os.chmod(folder / "key.pem", 0o600)
        made = ("token", "create", "--token-file", str(folder / "tokens"))
        self.tokens = {scope: self.run(*made, "--name", scope, "--scope", scope) for scope in SCOPES}
        for scope, token in self.tokens.items():
            (folder / f"{scope}.token").write_text(token + "\n")
        serve = [*command, "--listen", "127.0.0.1:0", "--db", str(folder / "guarded.duckdb")]
        serve += ["--token-file", str(folder / "tokens")]
        serve += ["--tls-cert", str(self.certificate), "--tls-key", str(folder / "key.pem")]
        self.process = subprocess.Popen(serve, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        found = re.match(r"listening on (https://\S+)", line)
        assert found, f"the server's first line is {line!r}"
        self.url = found[1]

    def run(self, *words):
        done = subprocess.run([*self.program, *words], capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, f"{words}: {done.stderr}"
        return done.stdout.strip()

    def latest(self, name):
        """The latest value of a metric, as the command line reads it with its token in a file; None before the first."""
        done = subprocess.run(
            [*self.program, "latest", name, "--format", "ndjson", "--url", self.url]
            + ["--ca-cert", str(self.certificate), "--token-from", str(self.folder / "read.token")],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        found = re.search(r'"value":([-\d.]+)', done.stdout)
        self.told = done.stderr
        return float(found[1]) if done.returncode == 0 and found else None

    def until(self, name, accept):
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            value = self.latest(name)
            if value is not None and accept(value):
                return
            time.sleep(0.5)
        raise AssertionError(f"{name} is {self.latest(name)} after {PATIENCE_S} s: {self.told}")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout=30) == 0, "the server failed"


def curl(server, *words):
    command = ["curl", "-sS", "--max-time", "30", "--cacert", str(server.certificate), "-w", "\n%{http_code}", *words]
    body, status = subprocess.run(command, check=True, capture_output=True, text=True).stdout.rsplit("\n", 1)
    return int(status), body


def check_curl_with_and_without_a_token(server):
    point = ["-H", "Content-Type: application/json", "-d", '{"name":"curl_value","value":4}', f"{server.url}/v1/metrics"]
    bearer = {scope: ["-H", f"Authorization: Bearer {token}"] for scope, token in server.tokens.items()}
    status, body = curl(server, *point)
    assert status == 401 and "a token is required" in body, (status, body)
    status, body = curl(server, *bearer["read"], *point)
    assert status == 403 and "this needs write" in body, (status, body)
    assert curl(server, *bearer["write"], *point)[0] == 201
    assert curl(server, "-u", f"anyone:{server.tokens['read']}", f"{server.url}/v1/latest")[0] == 200
    assert curl(server, f"{server.url}/health")[0] == 200
    assert server.latest("curl_value") == 4, server.told


def check_prometheus_scrapes_and_writes_with_a_token(server):
    configuration = f"""
global: {{scrape_interval: 500ms}}
scrape_configs:
  - job_name: probe
    static_configs: [{{targets: ['TARGET']}}]
  - job_name: metrics
    scheme: https
    static_configs: [{{targets: ['{urllib.parse.urlsplit(server.url).netloc}']}}]
    authorization: {{credentials_file: '{server.folder}/read.token'}}
    tls_config: {{ca_file: '{server.certificate}'}}
remote_write:
  - url: {server.url}/api/v1/write
    authorization: {{credentials_file: '{server.folder}/write.token'}}
    tls_config: {{ca_file: '{server.certificate}'}}
    queue_config: {{batch_send_deadline: 500ms}}
"""
    command = ["prometheus", "--config.file={folder}/prometheus.yml", "--storage.tsdb.path={folder}/data"]
    command.append(f"--web.listen-address=127.0.0.1:{free_port()}")
    with exporter("guarded") as target:
        with running({"prometheus.yml": configuration.replace("TARGET", target)}, command):
            server.until("guarded_requests_total", lambda value: value >= 4)
            server.until("metrics_store_points", lambda value: value > 0)


def check_vmagent_writes_with_a_token(server):
    scraped = "scrape_configs:\n  - job_name: probe\n    scrape_interval: 1s\n    static_configs: [{targets: ['TARGET']}]\n"
    command = ["vmagent", "-promscrape.config={folder}/scrape.yml", f"-httpListenAddr=127.0.0.1:{free_port()}"]
    command += [f"-remoteWrite.url={server.url}/api/v1/write", "-remoteWrite.tmpDataPath={folder}/data"]
    command += [f"-remoteWrite.bearerTokenFile={server.folder}/write.token", f"-remoteWrite.tlsCAFile={server.certificate}"]
    with exporter("agent") as target, running({"scrape.yml": scraped.replace("TARGET", target)}, command):
        server.until("agent_requests_total", lambda value: value >= 2)


def check_the_influx_clients_write_with_a_token(server):
    good, wrong = server.tokens["write"], "mtk_wrong"
    for token, stored in ((good, True), (wrong, False)):
        with influxdb_client.InfluxDBClient(
            url=server.url, token=token, org="any", ssl_ca_cert=str(server.certificate)
        ) as client:
            try:
                client.write_api(write_options=SYNCHRONOUS).write(bucket="any", record="v2guarded value=2")
                assert stored, "a wrong token was taken"
            except ApiException as error:
                assert not stored and error.status == 401 and "unauthorized" in error.body, error
    assert server.latest("v2guarded") == 2
    at = urllib.parse.urlsplit(server.url)
    for password, stored in ((good, True), (wrong, False)):
        client = influxdb.InfluxDBClient(
            at.hostname, at.port, "anyone", password, "any", ssl=True, verify_ssl=str(server.certificate)
        )
        try:
            client.create_database("any")
            client.write_points(["v1guarded value=3"], protocol="line")
            assert stored, "a wrong password was taken"
        except influxdb.exceptions.InfluxDBClientError as error:
            assert not stored and error.code == 401, error
    assert server.latest("v1guarded") == 3


def check_opentelemetry_exports_with_a_token(server):
    exporter_ = OTLPMetricExporter(
        endpoint=f"{server.url}/v1/metrics",
        certificate_file=str(server.certificate),
        headers={"Authorization": f"Bearer {server.tokens['write']}"},
    )
    provider = MeterProvider([PeriodicExportingMetricReader(exporter_, 60_000)])
    provider.get_meter("guarded").create_gauge("otlp_guarded").set(6)
    provider.shutdown()
    assert server.latest("otlp_guarded") == 6


def check_old_versions_of_tls_are_refused(server):
    at = urllib.parse.urlsplit(server.url)
    offered = ["openssl", "s_client", "-connect", at.netloc, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"]
    done = subprocess.run(offered, input="", capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode != 0, done.stdout
    context = ssl.create_default_context(cafile=str(server.certificate))
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection((at.hostname, at.port)) as tcp,
        context.wrap_socket(tcp, server_hostname="127.0.0.1") as tls,
    ):
        assert tls.version() == "TLSv1.3" and tls.selected_alpn_protocol() == "http/1.1", tls.version()


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as name:
        server = Guarded(sys.argv[1:], pathlib.Path(name))
        try:
            run("", [value for key, value in globals().items() if key.startswith("check_")], server)
            server.stop()
        finally:
            if server.process.poll() is None:
                server.process.kill()
                server.process.wait()


if __name__ == "__main__":
    main()
