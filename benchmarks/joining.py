"""An adapter that joins while eight others stream: how soon it answers, and who waits for it.

Its files are in the page cache; it is forgotten after each time, so that it is read, digested and
proved anew. The base is served in float32 first, then in bfloat16.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from pathlib import Path

from benchmarks import rounds, scenarios
from benchmarks.contender import Launch
from benchmarks.findings import Finding, add_option, below, tell
from benchmarks.many_adapters import launched
from benchmarks.models import SHAPES
from benchmarks.prompts import prompts
from benchmarks.remora import REMORA
from benchmarks.scenarios import Joining, Session, Workload

SHAPE = SHAPES["smollm2-135m"]
PROMPT_TOKENS = 128


def main() -> None:
    """Read the command line, then let it join again and again."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.joining", description=__doc__)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--new-tokens", type=int, default=16, help="half of those of each stream")
    add_option(parser)
    options = parser.parse_args()
    folder = rounds.MODELS / SHAPE.name
    rounds.make_models(SHAPE, folder)
    adapters = [folder / "adapters" / f"a{number}" for number in range(8)]
    found: list[Finding] = []
    for dtype in ("float32", "bfloat16"):
        with launched(folder / "base", adapters, "--dtype", dtype) as server:
            server.wait_until_ready(REMORA.ready)
            session = Session(
                contender=REMORA,
                launch=Launch(8, ("each",)),
                server=server,
                shape=SHAPE,
                base=folder / "base",
                messages=prompts(PROMPT_TOKENS, seed=0),
                prompt_tokens=PROMPT_TOKENS,
                new_tokens=options.new_tokens,
            )
            session.burst(Workload(8, "each"), options.new_tokens)
            spare = folder / "adapters" / rounds.SPARE
            found += findings(dtype, measure(session, spare, options.times))
    tell("joining", "An adapter joins", found, page=options.page)


def measure(session: Session, adapter: Path, times: int) -> list[Joining]:
    """Let an adapter join so often, each time anew."""
    joined = []
    for number in range(times):
        joined.append(one := scenarios.joining(session, adapter, f"new{number}"))
        print(
            f"{1e3 * one.ready:.0f} ms, a wait of {one.wait:.2f} steps of"
            f" {1e3 * one.step:.0f} ms, {one.wait_before:.2f} before",
            flush=True,
        )
    return joined


def findings(dtype: str, joined: Sequence[Joining]) -> list[Finding]:
    """Medians of what was measured, with their ranges."""
    ready, waits = [1e3 * one.ready for one in joined], [one.wait for one in joined]
    step = 1e3 * statistics.median(one.step for one in joined)
    before = statistics.median(one.wait_before for one in joined)
    return [
        below(
            f"{dtype}: an adapter of rank 16 joins eight streams",
            statistics.median(ready),
            150,
            "ms",
            f" ({min(ready):.0f}-{max(ready):.0f})",
        ),
        below(
            "... the longest extra wait of a stream",
            statistics.median(waits),
            1,
            "steps",
            f" ({min(waits):.2f}-{max(waits):.2f}), {before:.2f} before",
        ),
        Finding("... a step then", "-", f"{step:.0f} ms", None),
    ]


if __name__ == "__main__":
    main()
