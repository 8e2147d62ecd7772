"""What a front adds: latency, and throughput at many streams, against the server behind it.

    python -m benchmarks.front [--project DIR]

The server behind it streams at the pace of a GPU, without a model; ``--project`` takes a real one.
Both ways are measured in turns, so that what else the machine does falls on both. All of it shares
this machine: clients, front and server.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks import load
from benchmarks.findings import Finding, add_option, at_least, below, tell
from benchmarks.load import CHAT, Ask
from benchmarks.paced_server import MODEL
from benchmarks.remora import REMORA
from benchmarks.servers import Server, free_port, running

PROGRAM = [sys.executable, "-m", "remora"]
OPEN = {"REMORA_API_KEY": "", "REMORA_ADMIN_KEY": ""}
PACE = 0.02  # s between the tokens of a stream: 50 tokens/s
STREAMS, TOKENS = 32, 150


@dataclass(frozen=True, slots=True)
class Ways:
    """The server, the front before it, and the model to ask for."""

    server: Server
    front: Server
    model: str


@contextmanager
def both(project: Path | None) -> Iterator[Ways]:
    """A server, and a front before it that has found it awake."""
    port, before = free_port(), free_port()
    behind = [sys.executable, "-m", "benchmarks.paced_server", "--port", str(port)]
    behind += ["--pace", str(PACE)]
    if project is not None:
        behind = [*PROGRAM, "serve", str(project), "--port", str(port), "--no-ui"]
    front = [*PROGRAM, "front", "--upstream", f"http://127.0.0.1:{port}", "--port", str(before)]
    with (
        running(behind, port, OPEN) as server,
        running([*front, "--no-ui"], before, OPEN) as first,
    ):
        server.wait_until_ready("/readyz")
        first.wait_until_ready("/readyz")
        listed = json.loads(server.get("/v1/models") or "{}")["data"]
        model = str(listed[-1]["id"]) if project is not None else MODEL
        ways = Ways(server, first, model)
        for one in (server, first):
            asyncio.run(load.burst(one.port, [Ask(model, "Hello", 8)]))
        yield ways


def latency(ways: Ways, requests: int) -> tuple[list[float], list[float]]:
    """Seconds of requests for one token over connections that stay open, directly and through the
    front, in turns."""
    body = json.dumps({**Ask(ways.model, "Hello", 1).body(), "stream": False})
    body = body.replace('"stream_options": {"include_usage": true}', '"seed": 1')
    found: tuple[list[float], list[float]] = ([], [])
    connections = [
        http.client.HTTPConnection("127.0.0.1", server.port) for server in (ways.server, ways.front)
    ]
    for _ in range(requests):
        for connection, seconds in zip(connections, found, strict=True):
            begin = time.perf_counter()
            connection.request("POST", CHAT, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            said = answer.read()
            seconds.append(time.perf_counter() - begin)
            if answer.status != 200:
                raise load.BadAnswer(said.decode(errors="replace"))
    for connection in connections:
        connection.close()
    return found


def throughput(
    ways: Ways, rounds: int, tokens: int = TOKENS
) -> tuple[list[float], list[float], list[float]]:
    """Tokens per second of many streams, directly and through the front, in turns; and what a
    token costs the front [s of processor time]."""
    asks = [Ask(ways.model, f"Tell {number}", tokens, REMORA.request) for number in range(STREAMS)]
    process = psutil.Process(ways.front.process.pid)
    direct, through, costs = [], [], []
    for _ in range(rounds):
        direct.append(asyncio.run(load.burst(ways.server.port, asks)).tokens_per_second)
        before = sum(process.cpu_times()[:2])
        burst = asyncio.run(load.burst(ways.front.port, asks))
        spent = sum(process.cpu_times()[:2]) - before
        through.append(burst.tokens_per_second)
        costs.append(spent / sum(stream.completion_tokens for stream in burst.streams))
    return direct, through, costs


def start(times: int) -> list[float]:
    """Seconds from the front's process to its first answer, without pages."""
    found = []
    for _ in range(times):
        port = free_port()
        command = [*PROGRAM, "front", "--upstream", "http://127.0.0.1:9", "--port", str(port)]
        with running([*command, "--no-ui"], port, OPEN) as server:
            found.append(server.wait_until_ready("/readyz"))
    return found


def show(name: str, values: Sequence[float], form: Callable[[float], str]) -> None:
    """A median, with the smallest and the largest."""
    middle, least, most = statistics.median(values), min(values), max(values)
    print(f"{name}: {form(middle)} ({form(least)} to {form(most)})", flush=True)


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.front", description=__doc__)
    parser.add_argument("--project", type=Path, help="serve this behind the front")
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    add_option(parser)
    options = parser.parse_args()
    starts = start(3)
    with both(options.project) as ways:
        directly, through = latency(ways, options.requests)
        show("a request, directly", directly, lambda s: f"{1000 * s:.2f} ms")
        show("a request, through the front", through, lambda s: f"{1000 * s:.2f} ms")
        added = statistics.median(through) - statistics.median(directly)
        direct, relayed, costs = throughput(ways, options.rounds)
        show(f"{STREAMS} streams, directly", direct, "{:.0f} tokens/s".format)
        show(f"{STREAMS} streams, through the front", relayed, "{:.0f} tokens/s".format)
        kept = statistics.median(relayed) / statistics.median(direct)
    cost = f"{1e6 * statistics.median(costs):.0f} µs"
    found = [
        below("start, without pages", statistics.median(starts), 3, "s"),
        below("a request takes longer through the front", 1000 * added, 3, "ms"),
        at_least(f"throughput of {STREAMS} streams, of that without a front", kept, 0.9),
        Finding("the front's processor time for a token", "", cost, met=None),
    ]
    tell("front", "The front", found, page=options.page)


if __name__ == "__main__":
    main()
