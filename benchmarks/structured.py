"""JSON after a schema against free text: what the grammar costs eight streams.

Both loads go to one server in turns, so that what else the machine does falls on both; their ratio
is the figure. The schema asks for a list long enough that no stream ends before its tokens do.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks import load, rounds
from benchmarks.findings import add_option, at_least, tell
from benchmarks.load import Ask
from benchmarks.many_adapters import launched
from benchmarks.models import SHAPES
from benchmarks.prompts import prompts
from benchmarks.remora import REMORA

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 3, "maxLength": 40},
        "age": {"type": "integer", "minimum": 0, "maximum": 150},
        "tone": {"enum": ["joy", "love", "sadness", "anger", "fear", "surprise"]},
        "sure": {"type": "boolean"},
    },
    "required": ["name", "age", "tone", "sure"],
    "additionalProperties": False,
}
SCHEMA = {"type": "array", "items": PERSON, "minItems": 100}
AS_SCHEMA = {
    "response_format": {"type": "json_schema", "json_schema": {"name": "people", "schema": SCHEMA}}
}


def speed(
    port: int, streams: int, new_tokens: int, messages: Iterator[str], further: Mapping[str, Any]
) -> float:
    """New tokens per second of all streams together."""
    asks = [
        Ask("base", next(messages), new_tokens, {**REMORA.request, **further})
        for _ in range(streams)
    ]
    burst = asyncio.run(load.burst(port, asks))
    for stream in burst.streams:
        if stream.completion_tokens != new_tokens:
            raise load.BadAnswer(f"{stream.completion_tokens} tokens came, not {new_tokens}")
    return burst.tokens_per_second


def main() -> None:
    """Read the command line, then measure in turns."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.structured", description=__doc__)
    parser.add_argument("--streams", type=int, default=8)
    parser.add_argument("--new-tokens", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=5)
    add_option(parser)
    options = parser.parse_args()
    shape = SHAPES["smollm2-135m"]
    folder = rounds.MODELS / shape.name
    rounds.make_models(shape, folder)
    messages = prompts(128, seed=0)
    ratios = []
    with launched(folder / "base", []) as server:
        server.wait_until_ready(REMORA.ready)
        for further in ({}, AS_SCHEMA):
            speed(server.port, options.streams, 8, messages, further)
        for _ in range(options.repeats):
            free, held = (
                speed(server.port, options.streams, options.new_tokens, messages, further)
                for further in ({}, AS_SCHEMA)
            )
            ratios.append(held / free)
            print(f"free {free:.1f}, schema {held:.1f} tokens/s: {held / free:.0%}", flush=True)
    share = statistics.median(ratios)
    found = [
        at_least(f"JSON after a schema against free text, {options.streams} streams", share, 0.85)
    ]
    tell("structured", "Structured output", found, page=options.page)


if __name__ == "__main__":
    main()
