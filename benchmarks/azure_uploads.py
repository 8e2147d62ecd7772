"""Figures of uploading to Azure Files: a large file against the SDK's own parallel upload.

    python -m benchmarks.azure_uploads [--gib 2] [--rounds 5] [--gbit 1] [--latency-ms 0]

Both go to the same double of the service over TLS, in turn: as fast as this machine is, and over a
line of ``--gbit``. The double is a process of its own, but not a machine of its own: what it
computes is told, for it takes the same cores. Remora computes more than the SDK does: the file's
SHA-256, and the MD5 of each range.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from azure.storage.fileshare import ShareClient
from starlette.types import Message, Receive, Scope, Send

from benchmarks.findings import Finding, add_option, tell
from benchmarks.uploads import send
from remora.azure.file_share import AzureFileShare
from remora.release.sync import WORKERS
from tests.azure.double.files import FileService
from tests.azure.file_accounts import ACCOUNT, KEY, SHARE, OneAccount
from tests.azure.own_certificate import make_certificate
from tests.azure.served import served

MOST = 1.3  # times the SDK's seconds
_MIB = 1024 * 1024


@dataclass(slots=True)
class Line:
    """A service behind a line that all its connections share: bytes/s, and seconds of each call."""

    service: FileService
    speed: float
    latency: float
    free: float = 0.0  # when all that came will have passed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(self.latency)

        async def slowly() -> Message:
            message = await receive()
            if self.speed:
                now = time.monotonic()
                self.free = max(now, self.free) + len(message.get("body", b"")) / self.speed
                await asyncio.sleep(self.free - now)
            return message

        await self.service(scope, slowly, send)


def serve(folder: Path, speed: float, latency: float, tell: Connection) -> None:
    """Be the service until nobody listens any more; tells its address, and then its CPU seconds
    whenever it is asked."""
    line = Line(FileService(OneAccount(folder / "share")), speed, latency)
    with served(line, make_certificate(folder / "tls")) as url:
        tell.send(url)
        while tell.recv():
            tell.send(time.process_time())


@dataclass(frozen=True, slots=True)
class Service:
    """A running service, as others see it."""

    endpoint: str
    pipe: Connection

    def cpu(self) -> float:
        self.pipe.send(True)
        return float(self.pipe.recv())


@contextmanager
def service(folder: Path, speed: float, latency: float) -> Iterator[Service]:
    """One in a process of its own."""
    mine, theirs = multiprocessing.Pipe()
    spawn = multiprocessing.get_context("spawn")
    process = spawn.Process(target=serve, args=(folder, speed, latency, theirs))
    process.start()
    try:
        url = mine.recv()
        os.environ["REQUESTS_CA_BUNDLE"] = str(folder / "tls" / "certificate.pem")
        yield Service(f"{url}/{ACCOUNT}", mine)
    finally:
        mine.send(False)
        process.join()


@dataclass(frozen=True, slots=True)
class Upload:
    """Seconds of one upload, and those of a CPU that the client and the double took for it."""

    took: float
    client: float
    double: float


@dataclass(frozen=True, slots=True)
class Rounds:
    """Uploads by the SDK and by Remora, in pairs."""

    bare: list[Upload]
    ours: list[Upload]

    @property
    def ratio(self) -> float:
        pairs = zip(self.bare, self.ours, strict=True)
        return statistics.median(ours.took / bare.took for bare, ours in pairs)

    def told(self) -> str:
        return f"Remora {_told(self.ours)} against {_told(self.bare)}"


def _told(uploads: list[Upload]) -> str:
    took = statistics.median(one.took for one in uploads)
    client = statistics.median(one.client for one in uploads)
    double = statistics.median(one.double for one in uploads)
    return f"{took:.2f} s (CPU {client:.1f} s, the double's {double:.1f} s)"


def bare(source: Path, endpoint: str) -> None:
    """What the SDK does by itself, with as many connections."""
    with ShareClient(endpoint, SHARE, credential=KEY) as client, source.open("rb") as file:
        client.get_file_client("bare.bin").upload_file(file, max_concurrency=WORKERS)


def ours(source: Path, endpoint: str, state: Path) -> None:
    """What a first deployment does: the file's digest is computed, too."""
    with closing(AzureFileShare(endpoint, SHARE, KEY)) as share:
        send([source], share, state)


def measured(action: Callable[[], object], to: Service) -> Upload:
    """What an action takes."""
    double, client, begin = to.cpu(), time.process_time(), time.perf_counter()
    action()
    took, used = time.perf_counter() - begin, time.process_time() - client
    return Upload(took, used, to.cpu() - double)


def measure(folder: Path, speed: float, latency: float, rounds: int) -> Rounds:
    """Upload ``large.bin`` in turn."""
    source, found = folder / "large.bin", Rounds([], [])
    with service(folder, speed, latency) as to:
        for _ in range(rounds):
            (folder / "share").mkdir()
            found.bare.append(measured(lambda: bare(source, to.endpoint), to))
            state = folder / "state"
            found.ours.append(measured(lambda state=state: ours(source, to.endpoint, state), to))  # type: ignore[misc]
            for left in (folder / "share", state):
                shutil.rmtree(left)
            print(f"the SDK {found.bare[-1]}, Remora {found.ours[-1]}", flush=True)
    shutil.rmtree(folder / "tls")
    return found


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.azure_uploads", description=__doc__)
    parser.add_argument("--gib", type=float, default=2.0, help="size of the file")
    parser.add_argument("--rounds", type=int, default=5, help="uploads of each, in turn")
    parser.add_argument("--gbit", type=float, default=1.0, help="speed of the line; 0: without")
    parser.add_argument("--latency-ms", type=float, default=0.0, help="of each call")
    parser.add_argument("--folder", type=Path, help="on the disk to use; default: temporary")
    add_option(parser)
    options = parser.parse_args()
    latency = options.latency_ms / 1000
    lines = {"as fast as the machine is": (0.0, options.rounds)}
    if options.gbit:
        lines[f"over a line of {options.gbit:g} Gbit/s"] = (options.gbit * 1e9 / 8, 1)
    found = []
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        with (folder / "large.bin").open("wb") as file:
            for _ in range(int(options.gib * 1024)):
                file.write(os.urandom(_MIB))
        for kind, (speed, rounds) in lines.items():
            times = measure(folder, speed, latency, rounds)
            figure = f"{options.gib:g} GiB to Azure Files, {kind}, of the SDK's own upload"
            text = f"{times.ratio:.2f} times: {times.told()}"
            found.append(Finding(figure, f"at most {MOST:g} times", text, times.ratio <= MOST))
    tell("azure_uploads", "Uploads to Azure Files", found, page=options.page)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
