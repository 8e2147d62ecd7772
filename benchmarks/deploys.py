"""Figures of deploying, by the command line as a user runs it.

    python -m benchmarks.deploys [--rounds 3]

Whole processes are timed. While eight adapters stream, one of them is replaced and then rolled
back; the streams' longest pause at that time is compared with their longest one before.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks import load
from benchmarks.load import Ask, BadAnswer, Collector

MODELS = Path(__file__).parent / ".models"
SHAPE, STREAMS, TOKENS = "smollm2-135m", 8, 600
REMORA = [sys.executable, "-m", "remora"]
HOLE = 4 * 1024**3


def remora(folder: Path, *arguments: str) -> tuple[float, dict[str, object]]:
    """Seconds of a whole command, and its last event."""
    begin = time.perf_counter()
    command = [*REMORA, *arguments, "--json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - begin
    if done.returncode:
        raise BadAnswer(f"{' '.join(arguments)}: {done.stdout[-1000:]} {done.stderr[-1000:]}")
    return seconds, json.loads(done.stdout.splitlines()[-1])


def make_project(folder: Path, models: Path) -> None:
    """A project with a base and eight adapters of its own."""
    shutil.copytree(models / "base", folder / "base")
    lines = ['[model]\nbase = "base"\n', "[server]\nport = 0\n", "[adapters]\n"]
    for number in range(STREAMS):
        shutil.copytree(models / "adapters" / f"a{number}", folder / "adapters" / f"a{number}")
        lines.append(f'a{number} = "adapters/a{number}"\n')
    (folder / "remora.toml").write_text("".join(lines), encoding="utf-8")


def large_project(folder: Path, models: Path) -> None:
    """A project whose base is as `make_project`'s, and 4 GiB longer by a hole in its weights."""
    shutil.copytree(models / "base", folder / "base")
    weights = folder / "base" / "model.safetensors"
    raw = weights.read_bytes()
    start = 8 + int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8:start])
    size = len(raw) - start
    header["hole"] = {"dtype": "U8", "shape": [HOLE], "data_offsets": [size, size + HOLE]}
    text = json.dumps(header).encode()
    with weights.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + raw[start:])
        file.truncate(8 + len(text) + size + HOLE)
    (folder / "remora.toml").write_text('[model]\nbase = "base"\n', encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Swap:
    """Seconds of a command while eight streams ran, and their longest pauses [s]."""

    seconds: float
    before: float
    during: float


def under_load(folder: Path, url: str, *command: str) -> Swap:
    """Run a command while eight adapters stream. Raises `BadAnswer` if a stream breaks."""
    port = urlsplit(url).port
    assert port is not None
    begin = end = 0.0

    async def change(collectors: Sequence[Collector]) -> None:
        nonlocal begin, end
        for collector in collectors:
            await collector.under_way.wait()
        begin = time.perf_counter()
        await asyncio.to_thread(remora, folder, *command)
        end = time.perf_counter()

    asks = [
        Ask(f"a{number}", "Tell me about the sea", TOKENS, {"ignore_eos": True})
        for number in range(STREAMS)
    ]
    burst = asyncio.run(load.burst(port, asks, change))
    if any(stream.completion_tokens != TOKENS for stream in burst.streams):
        raise BadAnswer("a stream ended before its end")
    gaps = [pair for stream in burst.streams for pair in itertools.pairwise(stream.arrivals)]
    all_run = max(stream.arrivals[0] for stream in burst.streams)
    before = [late - early for early, late in gaps if all_run <= early and late <= begin]
    during = [late - early for early, late in gaps if late > begin and early < end]
    if not before or not during:
        raise BadAnswer("the streams did not run at that time")
    return Swap(end - begin, max(before), max(during))


def measure(rounds: int, folder: Path) -> list[str]:
    """Every scenario; lines to print."""
    models = MODELS / SHAPE
    command = [sys.executable, "-m", "benchmarks.models", SHAPE, str(models)]
    subprocess.run(command, check=True)
    large, project = folder / "large", folder / "project"
    large_project(large, models)
    remora(large, "deploy", "--dry-run", "--share", str(folder))
    look = [remora(large, "deploy", "--dry-run", "--share", str(folder))[0] for _ in range(rounds)]
    make_project(project, models)
    try:
        first, event = remora(project, "deploy")
        url = str(event["url"])
        nothing = [remora(project, "deploy")[0] for _ in range(rounds)]
        swaps, backs = [], []
        for number in range(rounds):
            replace_weights(project, models, number)
            swaps.append(under_load(project, url, "deploy"))
            backs.append(under_load(project, url, "rollback"))
    finally:
        remora(project, "down")
    return [
        f"first deploy, until it is served       {first:6.2f} s",
        f"nothing to do                          {statistics.median(nothing):6.2f} s",
        f"a look at a base of 4 GiB, known       {statistics.median(look):6.2f} s",
        told("an adapter replaced, live and proved", swaps),
        told("rolled back", backs),
    ]


def replace_weights(project: Path, models: Path, number: int) -> None:
    """Give the first adapter the weights of another one."""
    other = models / "adapters" / f"a{1 + number % (STREAMS - 1)}" / "adapter_model.safetensors"
    shutil.copyfile(other, project / "adapters" / "a0" / other.name)


def told(what: str, swaps: Sequence[Swap]) -> str:
    """One line: the command's time and the streams' pauses."""
    seconds = statistics.median(swap.seconds for swap in swaps)
    during = statistics.median(swap.during for swap in swaps)
    before = statistics.median(swap.before for swap in swaps)
    return (
        f"{what:<38} {seconds:6.2f} s; longest pause of {STREAMS} streams {during * 1000:.0f} ms,"
        f" {during / before:.1f} times that before"
    )


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.deploys", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="times that each is measured")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print("\n".join(measure(options.rounds, Path(folder))))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
