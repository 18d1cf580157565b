"""Something to scrape, and programs that scrape it."""

import contextlib
import http.server
import itertools
import pathlib
import signal
import socket
import subprocess
import tempfile
import threading

# Scrapes after which `probe_gone` is not there any more, which is how a series ends.
GONE_AFTER = 4


@contextlib.contextmanager
def exporter(name):
    """An exporter of metrics that begin with `name`, at the address that it gives."""
    scrapes = itertools.count(1)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            count = next(scrapes)
            lines = [
                f"# TYPE {name}_requests_total counter",
                f"{name}_requests_total {count}",
                f"# TYPE {name}_temperature gauge",
                f'{name}_temperature{{room="attic"}} 21.5',
                f'{name}_temperature{{room="cellar"}} -3',
                f'{name}_odd{{kind="nan"}} NaN',
                f'{name}_odd{{kind="inf"}} +Inf',
                f"# TYPE {name}_latency histogram",
                f'{name}_latency_bucket{{le="0.5"}} {count}',
                f'{name}_latency_bucket{{le="+Inf"}} {2 * count}',
                f"{name}_latency_sum {0.75 * count}",
                f"{name}_latency_count {2 * count}",
            ]
            if count <= GONE_AFTER:
                lines.append(f"{name}_gone 1")
            body = ("\n".join(lines) + "\n").encode()
            self.send_response(200)
            self.send_header("content-type", "text/plain; version=0.0.4")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextlib.contextmanager
def running(files, command):
    """A program with these files in a folder of its own; `{folder}` in its arguments and files is that folder."""
    with tempfile.TemporaryDirectory() as folder:
        for file, text in files.items():
            (pathlib.Path(folder) / file).write_text(text.replace("{folder}", folder))
        with open(f"{folder}/log", "w+") as log:
            arguments = [argument.replace("{folder}", folder) for argument in command]
            process = subprocess.Popen(arguments, stdout=log, stderr=subprocess.STDOUT)
            try:
                yield process
                assert process.poll() is None, f"{command[0]} ended by itself"
                process.send_signal(signal.SIGTERM)
                assert process.wait(timeout=60) == 0, f"{command[0]} failed"
            except BaseException:
                log.seek(0)
                print(log.read()[-4000:])
                raise
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()
