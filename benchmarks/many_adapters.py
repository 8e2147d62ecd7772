"""A thousand adapters against eight: what it costs that most requests ask for another one.

Adapters are drawn by Zipf's law: the n-th is asked for 1/n as often as the first. Both loads go to
one server in turns, so that what else the machine does falls on both; their ratio is the figure.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import load, rounds, servers
from benchmarks.contender import Start
from benchmarks.findings import Finding, add_option, at_least, tell
from benchmarks.load import Ask
from benchmarks.models import SHAPES, save_small_adapters
from benchmarks.prompts import prompts
from benchmarks.remora import REMORA

FEW = 8
LIMIT = 600.0  # [s]


@dataclass(frozen=True, slots=True)
class Traffic:
    """``clients`` ask one after another, all together ``requests`` times."""

    clients: int
    requests: int
    new_tokens: int


def drive(
    port: int, names: Sequence[str], traffic: Traffic, messages: Iterator[str], dice: random.Random
) -> float:
    """Ask for adapters by Zipf's law; returns new tokens per second of all clients together."""
    weights = [1 / rank for rank in range(1, len(names) + 1)]
    drawn = dice.choices(names, weights, k=traffic.requests)
    asks = iter([Ask(name, next(messages), traffic.new_tokens, REMORA.request) for name in drawn])

    async def client() -> int:
        tokens = 0
        for ask in asks:
            burst = await load.burst(port, [ask])
            tokens += burst.streams[0].completion_tokens
        return tokens

    async def clients() -> int:
        return sum(await asyncio.gather(*(client() for _ in range(traffic.clients))))

    begin = time.perf_counter()
    tokens = asyncio.run(asyncio.wait_for(clients(), LIMIT))
    return tokens / (time.perf_counter() - begin)


def resident(server: servers.Server) -> int:
    """How many adapters are in memory."""
    cards = json.loads(server.get("/v1/models") or "{}").get("data", [])
    return sum(card["loaded"] and card["parent"] is not None for card in cards)


def launched(
    base: Path, adapters: Sequence[Path], *options: str
) -> AbstractContextManager[servers.Server]:
    """A server that knows these adapters, started with more options."""
    port = servers.free_port()
    command = REMORA.command(Start(Path(sys.executable), base, adapters, port, "cpu"))
    return servers.running([*command, *options], port, {"HF_HUB_OFFLINE": "1", **REMORA.variables})


def measure(
    base: Path, adapters: Sequence[Path], traffic: Traffic, repeats: int
) -> Iterator[Finding]:
    """The seconds that registering takes, and the ratio of both throughputs."""
    with launched(base, []) as server:
        alone = server.wait_until_ready(REMORA.ready)
    names = [path.name for path in adapters]
    messages, dice = prompts(64, seed=0), random.Random(0)
    with launched(base, adapters) as server:
        ready = server.wait_until_ready(REMORA.ready)
        yield Finding(
            f"ready with {len(names)} adapters registered",
            "",
            f"{ready:.1f} s, {alone:.1f} s without adapters",
            met=None,
        )
        warm_up = Traffic(traffic.clients, 2 * traffic.requests, 1)
        for known in (names, names[:FEW]):
            drive(server.port, known, warm_up, messages, dice)
        ratios = []
        for _ in range(repeats):
            few = drive(server.port, names[:FEW], traffic, messages, dice)
            many = drive(server.port, names, traffic, messages, dice)
            ratios.append(many / few)
            print(
                f"{FEW} adapters {few:.1f}, {len(names)} adapters {many:.1f} tokens/s, "
                f"{resident(server)} in memory: {many / few:.0%}",
                flush=True,
            )
        yield at_least(
            f"{len(names)} adapters by Zipf's law, {resident(server)} in memory, against {FEW}",
            statistics.median(ratios),
            0.8,
        )


def main() -> None:
    """Read the command line, make the adapters, measure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.many_adapters", description=__doc__)
    parser.add_argument("--adapters", type=int, default=1000)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--requests", type=int, default=96)
    parser.add_argument("--new-tokens", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=3)
    add_option(parser)
    options = parser.parse_args()
    shape = SHAPES["smollm2-135m"]
    folder = rounds.MODELS / shape.name
    rounds.make_models(shape, folder)
    paths = save_small_adapters(shape, folder / "many", options.adapters)
    traffic = Traffic(options.clients, options.requests, options.new_tokens)
    found = list(measure(folder / "base", paths, traffic, options.repeats))
    tell("many_adapters", "A thousand adapters", found, page=options.page)


if __name__ == "__main__":
    main()
