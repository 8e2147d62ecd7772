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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks import load
from benchmarks.findings import Finding, add_option, below, tell
from benchmarks.load import Ask, BadAnswer, Collector
from benchmarks.when_gone import when_gone

MODELS = Path(__file__).parent / ".models"
SHAPE, STREAMS = "smollm2-135m", 8
PROJECT = "project"
SECONDS = 15  # of streaming around a change
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


def asks(tokens: int) -> list[Ask]:
    """One request to each adapter, for so many tokens."""
    return [
        Ask(f"a{number}", "Tell me about the sea", tokens, {"ignore_eos": True})
        for number in range(STREAMS)
    ]


def tokens_of(port: int) -> int:
    """How many tokens each of eight streams brings in `SECONDS` on this machine."""
    few = 32
    burst = asyncio.run(load.burst(port, asks(few)))
    slowest = max(stream.arrivals[-1] - stream.arrivals[0] for stream in burst.streams)
    return max(2 * few, min(4000, int(few / slowest * SECONDS)))


def under_load(folder: Path, port: int, tokens: int, *command: str) -> Swap:
    """Run a command while eight adapters stream. Raises `BadAnswer` if a stream breaks."""
    begin = end = 0.0

    async def change(collectors: Sequence[Collector]) -> None:
        nonlocal begin, end
        for collector in collectors:
            await collector.under_way.wait()
        begin = time.perf_counter()
        await asyncio.to_thread(remora, folder, *command)
        end = time.perf_counter()

    burst = asyncio.run(load.burst(port, asks(tokens), change))
    if any(stream.completion_tokens != tokens for stream in burst.streams):
        raise BadAnswer("a stream ended before its end")
    gaps = [pair for stream in burst.streams for pair in itertools.pairwise(stream.arrivals)]
    all_run = max(stream.arrivals[0] for stream in burst.streams)
    before = [late - early for early, late in gaps if all_run <= early and late <= begin]
    during = [late - early for early, late in gaps if late > begin and early < end]
    if not before or not during:
        raise BadAnswer("the streams did not run at that time")
    return Swap(end - begin, max(before), max(during))


def measure(rounds: int, folder: Path) -> Iterator[Finding]:
    """Every scenario."""
    models = MODELS / SHAPE
    progress("makes the model, unless it is there")
    command = [sys.executable, "-m", "benchmarks.models", SHAPE, str(models)]
    subprocess.run(command, check=True)
    large, project = folder / "large", folder / PROJECT
    large_project(large, models)
    progress("reads a base of 4 GiB")
    look_at = ("deploy", "--dry-run", "--share", str(folder))
    remora(large, *look_at)
    look = [remora(large, *look_at)[0] for _ in range(rounds)]
    yield took("nothing to do, with a base of 4 GiB: check and survey", look, 2)
    make_project(project, models)
    progress("deploys a base and eight adapters")
    first, event = remora(project, "deploy")
    yield Finding("the first deploy, until it is served", "", f"{first:.2f} s", met=None)
    yield took(
        "a deploy with nothing to do", [remora(project, "deploy")[0] for _ in range(rounds)], 2
    )
    port = urlsplit(str(event["url"])).port
    assert port is not None
    progress("tries how fast eight streams are")
    tokens = tokens_of(port)
    swaps, backs = [], []
    for number in range(rounds):
        progress(f"replaces an adapter and takes it back, while {STREAMS} stream {tokens} tokens")
        replace_weights(project, models, number)
        swaps.append(under_load(project, port, tokens, "deploy"))
        backs.append(under_load(project, port, tokens, "rollback"))
    yield took("an adapter replaced, live and proved", [swap.seconds for swap in swaps], 3)
    yield paused("... the longest pause of the eight streams meanwhile", swaps)
    yield took("rolled back", [swap.seconds for swap in backs], 1)
    yield paused("... the longest pause of the eight streams meanwhile", backs)


def progress(doing: str) -> None:
    """Say what is done now."""
    print(f"... {doing}", file=sys.stderr, flush=True)


def replace_weights(project: Path, models: Path, number: int) -> None:
    """Give the first adapter the weights of another one, as a version that was never there."""
    other = models / "adapters" / f"a{1 + number % (STREAMS - 1)}" / "adapter_model.safetensors"
    own = project / "adapters" / "a0"
    shutil.copyfile(other, own / other.name)
    config = json.loads((own / "adapter_config.json").read_text("utf-8"))
    config["revision"] = f"version-{number}"
    (own / "adapter_config.json").write_text(json.dumps(config), "utf-8")


def took(what: str, seconds: Sequence[float], most: float) -> Finding:
    """The median of a command's times."""
    spread = f" ({min(seconds):.2f}-{max(seconds):.2f})"
    return below(what, statistics.median(seconds), most, "s", spread)


def paused(what: str, swaps: Sequence[Swap]) -> Finding:
    """The streams' longest pause while a command ran, and before."""
    during = statistics.median(swap.during for swap in swaps)
    before = statistics.median(swap.before for swap in swaps)
    return below(what, 1000 * during, 300, "ms", f", {1000 * before:.0f} ms before")


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.deploys", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="times that each is measured")
    add_option(parser)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="remora-deploys-"))
    with when_gone(folder / PROJECT, [*REMORA, "down"]):
        found = list(measure(options.rounds, folder))
    tell("deploys", "Deploying on this machine", found, page=options.page)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
