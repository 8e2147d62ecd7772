"""Figures of uploading: a large file against a plain copy, an archive against many small files.

    python -m benchmarks.uploads [--gib 2] [--files 2000] [--rounds 3]

Each ratio is of two times taken one after the other.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.findings import Finding, add_option, at_least, tell
from benchmarks.hooked_share import HookedShare, latency
from remora.release.archive import pack
from remora.release.code_files import code_files
from remora.release.digests import DigestCache
from remora.release.directory_share import DirectoryShare
from remora.release.share import Share
from remora.release.sources import Source, Sources
from remora.release.sync import survey, sync

LATENCY = 0.005  # seconds of every call of the share
_MIB = 1024 * 1024


def timed(action: Callable[[], object]) -> float:
    """Seconds that an action takes."""
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def send(paths: list[Path], share: Share, state: Path) -> None:
    """Upload files that nothing is known of, as a deployment does."""
    files = tuple(Source(path.name, path.stat().st_size, path) for path in paths)
    cache = DigestCache(state / "digests.json")
    sources = Sources("bench", files, {})
    sync(survey(sources, share, cache), share, cache, state)


def copy(source: Path, target: Path) -> None:
    """What the system's own copy does."""
    if sys.platform == "win32":
        shutil.copyfile(source, target)
    else:
        subprocess.run(["cp", str(source), str(target)], check=True)


@dataclass(frozen=True, slots=True)
class Large:
    """Seconds of a copy of a large file, of its first upload, and of one to another share, for
    which its digest is known."""

    copied: float
    uploaded: float
    again: float


def large_file(folder: Path, gib: float) -> Large:
    """Copy and upload one file with random bytes."""
    source = folder / "large.bin"
    if not source.exists():
        with source.open("wb") as file, Path("/dev/urandom").open("rb") as random:
            for _ in range(int(gib * 1024)):
                file.write(random.read(_MIB))
    target, root, state = folder / "copy.bin", folder / "share", folder / "state"
    copied = timed(lambda: copy(source, target))
    target.unlink()
    seconds = []
    for _ in range(2):
        root.mkdir()
        seconds.append(timed(lambda: send([source], DirectoryShare(root), state)))
        shutil.rmtree(root)
    shutil.rmtree(state)
    return Large(copied, *seconds)


def many_files(folder: Path, count: int) -> tuple[float, float]:
    """Seconds of files one by one over a slow share, and of one archive with them."""
    code = folder / "code"
    for number in range(count):
        path = code / f"package{number % 50}" / f"module{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"VALUE = {number}\n" * 50, encoding="utf-8")
    seconds = []
    for kind in ("files", "archive"):
        root = folder / kind
        root.mkdir()
        share, state = HookedShare(DirectoryShare(root), latency(LATENCY)), folder / f"{kind}-state"

        def act(kind: str = kind, share: Share = share, state: Path = state) -> None:
            files = code_files(code, ["."])
            if kind == "archive":
                pack(files, state / "code.zip")
                send([state / "code.zip"], share, state)
            else:
                send(list(files.values()), share, state)

        seconds.append(timed(act))
    return seconds[0], seconds[1]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.uploads", description=__doc__)
    parser.add_argument("--gib", type=float, default=2.0, help="size of the large file")
    parser.add_argument("--files", type=int, default=2000, help="small files")
    parser.add_argument("--rounds", type=int, default=3, help="copies and uploads, in turn")
    parser.add_argument("--folder", type=Path, help="on the disk to measure; default: temporary")
    add_option(parser)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        rounds = [large_file(folder, options.gib) for _ in range(options.rounds)]
        for one in rounds:
            print(
                f"{options.gib:g} GiB: cp {one.copied:.2f} s, upload {one.uploaded:.2f} s,", end=""
            )
            print(f" to another share {one.again:.2f} s")
        speed = statistics.median(one.copied / one.uploaded for one in rounds)
        again = statistics.median(one.copied / one.again for one in rounds)
        single, packed = many_files(folder, options.files)
        times = single / packed
        found = [
            at_least(
                f"{options.gib:g} GiB sent, of cp's speed", speed, 0.8,
                f", {again:.0%} once the digest is known",
            ),
            Finding(
                f"{options.files} files as one archive, at {LATENCY * 1e3:g} ms a call",
                "at least 10 times faster",
                f"{times:.1f} times: {packed:.2f} s against {single:.2f} s",
                times >= 10,
            ),
        ]  # fmt: skip
        tell("uploads", "Uploads", found, page=options.page)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
