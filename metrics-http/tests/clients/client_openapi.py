"""The description of the interface, by two tools from PyPI: one checks the document, the other that the server keeps it."""

import json
import pathlib
import subprocess
import sys
import tempfile
import urllib.request

from openapi_spec_validator import OpenAPIV31SpecValidator

# Streams have no end, which a tool that waits for whole answers cannot know; of many different exports at once some are
# refused with 503, as they should be; snappy is no coding that the tool knows.
LEFT_OUT = ["/v1/stream", "/v1/export.parquet", "/api/v1/write"]
# Texts of parameters and bodies have forms of their own (durations, filters, line protocol), which JSON Schema does not
# tell: a wrong one is refused although its schema takes it.
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
SECONDS = 25


def check_the_document_is_valid(url):
    document = json.load(urllib.request.urlopen(url + "/openapi.json", timeout=10))
    errors = [str(error) for error in OpenAPIV31SpecValidator(document).iter_errors()]
    assert not errors, errors
    assert {"/v1/metrics", "/v1/query", "/v1/stream", "/write"} <= set(document["paths"]), list(document["paths"])


def check_the_server_answers_as_the_document_says(url):
    tool = pathlib.Path(sys.executable).parent / "schemathesis"
    command = [
        str(tool), "run", url + "/openapi.json", *(word for path in LEFT_OUT for word in ("--exclude-path", path)), "--checks", CHECKS,
        "--max-examples", "20", "--max-time", str(SECONDS), "--seed", "1", "--request-timeout", "10",
        "--phases", "examples,coverage,fuzzing", "--generation-database", "none", "--no-color",
    ]
    # The tool keeps notes where it is started.
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(command, capture_output=True, text=True, timeout=4 * SECONDS, cwd=folder)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
