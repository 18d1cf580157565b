"""A server of the checks' own: started by a command, ended by a signal, started again on the same store and port."""

import os
import pathlib
import queue
import re
import shlex
import signal
import subprocess
import threading
import time

START_SECONDS = 300  # another build may hold cargo's lock
STOP_SECONDS = 30


class Server:
    """`command` runs it, such as "cargo run --release -- serve"; `store` is its file."""

    def __init__(self, command, store, *options):
        self.command = [*shlex.split(command), "--db", str(store), *options]
        self.log = pathlib.Path(f"{store}.log")
        self.process = None
        self.url = ""
        self.start("127.0.0.1:0")

    def start(self, address=None):
        """Starts it, by default at the address that it had."""
        address = address or self.url.removeprefix("http://")
        # A process group of its own, should the command be one that starts another.
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [*self.command, "--listen", address],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        first = queue.Queue()
        threading.Thread(target=lambda: first.put(self.process.stdout.readline()), daemon=True).start()
        line = first.get(timeout=START_SECONDS)
        found = re.match(r"listening on (http://\S+)", line)
        assert found, f'the server\'s first line is not "listening on ...": {line!r}\n{self.log.read_text()[-2000:]}'
        self.url = found[1]

    def reload(self):
        """Lets it read its token file again, and waits until it has."""
        told = "tokens read again"
        before, end = self.log.read_text().count(told), time.monotonic() + STOP_SECONDS
        os.kill(self.process.pid, signal.SIGHUP)
        while self.log.read_text().count(told) == before:
            assert time.monotonic() < end, f"no word of a reload:\n{self.log.read_text()[-2000:]}"
            time.sleep(0.02)

    def stop(self):
        """Asks it to end, and waits until it has."""
        os.killpg(self.process.pid, signal.SIGTERM)
        code = self.process.wait(timeout=STOP_SECONDS)
        assert code == 0, f"the server ended with exit code {code} after SIGTERM"

    def kill(self):
        """Ends it, however it is."""
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
