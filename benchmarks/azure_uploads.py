"""Figures of uploading to Azure Files: a large file against the SDK's own parallel upload.

    python -m benchmarks.azure_uploads [--gib 2] [--rounds 3] [--latency-ms 0]

Both go to the same double of the service, a process of this machine, over TLS, one after the other.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import statistics
import tempfile
import time
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path

from azure.storage.fileshare import ShareClient
from starlette.types import ASGIApp, Receive, Scope, Send

from benchmarks.uploads import send, timed
from remora.azure.file_share import AzureFileShare
from remora.release.sync import WORKERS
from tests.azure.double.files import FileService
from tests.azure.file_accounts import ACCOUNT, KEY, SHARE, OneAccount
from tests.azure.own_certificate import make_certificate
from tests.azure.served import served

_MIB = 1024 * 1024


def serve(folder: Path, latency: float, tell: Connection) -> None:
    """Be the service until nobody listens any more."""
    import asyncio

    service = FileService(OneAccount(folder / "share"))

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(latency)
        await service(scope, receive, send)

    app: ASGIApp = slow if latency else service
    with served(app, make_certificate(folder / "tls")) as url:
        tell.send(url)
        tell.recv()


def bare(source: Path, endpoint: str) -> None:
    """What the SDK does by itself, with as many connections."""
    with ShareClient(endpoint, SHARE, credential=KEY) as client, source.open("rb") as file:
        client.get_file_client("bare.bin").upload_file(file, max_concurrency=WORKERS)


def ours(source: Path, endpoint: str, state: Path) -> None:
    """What a first deployment does: the file's digest is computed, too."""
    with closing(AzureFileShare(endpoint, SHARE, KEY)) as share:
        send([source], share, state)


def measure(folder: Path, endpoint: str, gib: float, rounds: int) -> list[tuple[float, float]]:
    """Seconds of the SDK and of Remora, round by round."""
    source = folder / "large.bin"
    with source.open("wb") as file:
        for _ in range(int(gib * 1024)):
            file.write(os.urandom(_MIB))
    found = []
    for number in range(rounds):
        (folder / "share").mkdir()
        plain = timed(lambda: bare(source, endpoint))
        state = folder / f"state{number}"
        found.append((plain, timed(lambda state=state: ours(source, endpoint, state))))  # type: ignore[misc]
        shutil.rmtree(folder / "share")
        print(f"{gib:g} GiB: the SDK {plain:.2f} s, Remora {found[-1][1]:.2f} s", flush=True)
    return found


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks.azure_uploads", description=__doc__)
    parser.add_argument("--gib", type=float, default=2.0, help="size of the file")
    parser.add_argument("--rounds", type=int, default=3, help="uploads of each, in turn")
    parser.add_argument("--latency-ms", type=float, default=0.0, help="of each call")
    parser.add_argument("--folder", type=Path, help="on the disk to use; default: temporary")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        mine, theirs = multiprocessing.Pipe()
        arguments = (folder, options.latency_ms / 1000, theirs)
        process = multiprocessing.get_context("spawn").Process(target=serve, args=arguments)
        process.start()
        try:
            url = mine.recv()
            os.environ["REQUESTS_CA_BUNDLE"] = str(folder / "tls" / "certificate.pem")
            begin = time.perf_counter()
            found = measure(folder, f"{url}/{ACCOUNT}", options.gib, options.rounds)
        finally:
            mine.send(None)
            process.join()
    ratio = statistics.median(ours / plain for plain, ours in found)
    print(f"Remora takes {ratio:.2f} times as long as the SDK (wanted: 1.3 at most)", end="")
    print(f", {time.perf_counter() - begin:.0f} s in all")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
