"""The server's own figures, read by Prometheus' tool (Debian's package `prometheus`)."""

import subprocess
import urllib.request


def check_promtool_finds_nothing_wrong_with_the_figures(url):
    for path in ("/ping", "/v1/metrics", "/nowhere"):
        try:
            urllib.request.urlopen(url + path, timeout=10).read()
        except urllib.error.HTTPError as error:
            assert error.code == 404, f"{path} was answered {error.code}"
    figures = urllib.request.urlopen(url + "/metrics", timeout=10).read()
    done = subprocess.run(["promtool", "check", "metrics"], input=figures, capture_output=True, timeout=30)
    told = (done.stdout + done.stderr).decode()
    assert done.returncode == 0 and not told.strip(), f"promtool: {told}"
    families = [line.split()[2] for line in figures.decode().splitlines() if line.startswith("# TYPE ")]
    assert len(families) == len(set(families)) and len(families) > 25, families
