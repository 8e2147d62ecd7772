"""A server process: start it, wait until it answers, ask how much memory it took, end it."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
START_LIMIT = 300.0  # [s]


class ServerFailed(Exception):
    """A server ended, or did not become ready in time; `Server.tail` may say why."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server. ``spawned`` is `time.perf_counter` just before its process was made."""

    process: subprocess.Popen[bytes]
    port: int
    spawned: float
    log: Path

    def wait_until_ready(self, path: str) -> float:
        """Seconds from the process's start to the first 200 at ``path``, asked every 10 ms."""
        while True:
            if self.process.poll() is not None:
                raise ServerFailed(f"ended with status {self.process.returncode}")
            waited = time.perf_counter() - self.spawned
            if self.get(path) is not None:
                return waited
            if waited > START_LIMIT:
                raise ServerFailed(f"not ready after {START_LIMIT:.0f} s")
            time.sleep(0.01)

    def get(self, path: str) -> str | None:
        """The body at ``path``, or None while nothing, or nothing good, answers there."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as reply:
                return str(reply.read().decode())
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return None

    def delete(self, path: str) -> None:
        """Delete what is at ``path``; raises `ServerFailed` where that is refused."""
        url = f"http://127.0.0.1:{self.port}{path}"
        try:
            urllib.request.urlopen(urllib.request.Request(url, method="DELETE"), timeout=10).close()
        except urllib.error.URLError as error:
            raise ServerFailed(f"DELETE {path}: {error}") from error

    def memory_peak(self) -> float | None:
        """Largest resident set of the process so far [MB], or None where /proc isn't."""
        try:
            status = Path(f"/proc/{self.process.pid}/status").read_text("utf-8")
        except OSError:
            return None
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        return int(found[1]) / 1000 if found else None

    def tail(self, characters: int = 2000) -> str:
        """The end of what the server printed."""
        return self.log.read_text("utf-8", errors="replace")[-characters:].strip()


@contextmanager
def running(command: Sequence[str], port: int, variables: Mapping[str, str]) -> Iterator[Server]:
    """Start ``command``, and end it on leaving."""
    # Else Remora's sources would be compiled at every start, and what is installed would not.
    inherited = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log.txt"
        with log.open("wb") as output:
            spawned = time.perf_counter()
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**inherited, **variables},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            yield Server(process, port, spawned, log)
        finally:
            end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask the process to end, and insist after 10 s."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port() -> int:
    """A port on the loopback address that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
