"""From a process's start to the first text of an adapter: Remora beside AI Toolkit's way.

Both are started in turns, so that what else the machine does falls on both; the median of the
pairs' ratios is the figure. The first pair is not counted: it fills the page cache, and compiles
sources that were never imported.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks import rounds, scenarios, servers
from benchmarks.contender import Contender, Launch, Start
from benchmarks.findings import Finding, add_option, tell
from benchmarks.models import SHAPES
from benchmarks.peers import ai_toolkit
from benchmarks.prompts import prompts
from benchmarks.remora import REMORA
from benchmarks.scenarios import Session

SHAPE = SHAPES["smollm2-135m"]
PROMPT_TOKENS = 128
ASKED = 2.2


@dataclass(frozen=True, slots=True)
class ColdStart:
    """Seconds from the process's start until it is ready, and until its first text."""

    ready: float
    text: float


def cold_start(contender: Contender, launch: Launch, messages: Iterator[str]) -> ColdStart:
    """Start a server, ask an adapter for its first text, and end it."""
    folder = rounds.MODELS / SHAPE.name
    adapters = [folder / "adapters" / f"a{number}" for number in range(launch.adapters)]
    port = servers.free_port()
    start = Start(rounds.python_for(contender), folder / "base", adapters, port, "cpu")
    variables = {"HF_HUB_OFFLINE": "1", **contender.variables}
    with servers.running(contender.command(start), port, variables) as server:
        session = Session(
            contender=contender,
            launch=launch,
            server=server,
            shape=SHAPE,
            base=folder / "base",
            messages=messages,
            prompt_tokens=PROMPT_TOKENS,
            new_tokens=8,
        )
        return ColdStart(server.wait_until_ready(contender.ready), scenarios.cold_start(session))


def spread(values: list[float]) -> str:
    """A median with the least and the greatest."""
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


def main() -> None:
    """Read the command line, then start both in turns."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cold_start", description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    add_option(parser)
    options = parser.parse_args()
    rounds.make_models(SHAPE, rounds.MODELS / SHAPE.name)
    messages = prompts(PROMPT_TOKENS, seed=0)
    peer = ai_toolkit.PEER
    pairs = []
    for number in range(options.pairs + 1):
        pair = (
            cold_start(REMORA, REMORA.launches[0], messages),
            cold_start(peer, peer.launches[1], messages),
        )
        print(
            f"Remora {pair[0].ready:.2f} and {pair[0].text:.2f} s, {peer.title} {pair[1].ready:.2f}"
            f" and {pair[1].text:.2f} s: {pair[1].text / pair[0].text:.2f} times"
            + ("" if number else " (not counted)"),
            flush=True,
        )
        pairs += [pair] if number else []
    times = statistics.median(peer.text / own.text for own, peer in pairs)
    ready = statistics.median(peer.ready / own.ready for own, peer in pairs)
    found = [
        Finding(
            f"first text of an adapter, Remora beside {peer.title}",
            f"at least {ASKED} times sooner",
            f"{times:.2f} times: {spread([own.text for own, _ in pairs])} s beside"
            f" {spread([peer.text for _, peer in pairs])} s",
            times >= ASKED,
        ),
        Finding(
            "... ready, with eight adapters beside one",
            "-",
            f"{ready:.2f} times: {spread([own.ready for own, _ in pairs])} s beside"
            f" {spread([peer.ready for _, peer in pairs])} s",
            None,
        ),
    ]
    tell("cold_start", "Cold start", found, page=options.page)


if __name__ == "__main__":
    main()
