"""What is asked of a server, and what is taken from its answers."""

from __future__ import annotations

import asyncio
import itertools
import random
import re
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import load
from benchmarks.contender import Contender, Kind, Launch
from benchmarks.load import Ask, BadAnswer, Burst
from benchmarks.models import Shape
from benchmarks.servers import Server

COLD, COLD_BASE = "cold", "cold_base"
MEMORY, MEMORY_ADAPTERS, MEMORY_BEYOND = "memory", "memory_adapters", "memory_beyond"
ADD, ADD_WAIT, WAIT_BEFORE, STEP = "add", "add_wait", "wait_before", "step"

_LONGEST_STEP = 0.2  # [s]


@dataclass(frozen=True, slots=True)
class Workload:
    """Some streams at once, and who answers them."""

    streams: int
    kind: Kind

    @property
    def metric(self) -> str:
        """The name of its throughput [tokens/s]."""
        return f"x{self.streams}_{self.kind}"

    @property
    def first_token(self) -> str:
        """The name of its median time to first token [ms]."""
        return f"ttft_{self.metric}"


@dataclass(frozen=True, slots=True)
class Suite:
    """A set of measurements: which shapes, and which workloads of each."""

    shapes: tuple[str, ...]
    workloads: tuple[Workload, ...]


CPU = Suite(
    ("smollm2-135m",),
    (
        Workload(8, "base"),
        Workload(8, "each"),
        Workload(8, "one"),
        Workload(1, "base"),
        Workload(1, "one"),
    ),
)
CUDA = Suite(
    ("smollm2-135m", "llama-3.2-1b"),
    tuple(Workload(n, kind) for n in (1, 8, 32) for kind in ("base", "one", "each")),
)


@dataclass(frozen=True, slots=True)
class Session:
    """A running server under test and what every request to it has in common."""

    contender: Contender
    launch: Launch
    server: Server
    shape: Shape
    base: Path
    messages: Iterator[str]
    prompt_tokens: int
    new_tokens: int

    def model(self, kind: Kind, stream: int) -> str:
        """The model that a stream asks for."""
        if kind == "base":
            return self.contender.base_id(self.base)
        return f"a{stream % self.launch.adapters}" if kind == "each" else "a0"

    def burst(
        self,
        workload: Workload,
        new_tokens: int,
        meanwhile: load.Meanwhile | None = None,
    ) -> Burst:
        """Run the workload once; raises `BadAnswer` unless every length is as asked."""
        asks = [
            Ask(
                self.model(workload.kind, stream),
                next(self.messages),
                new_tokens,
                self.contender.request,
            )
            for stream in range(workload.streams)
        ]
        burst = asyncio.run(load.burst(self.server.port, asks, meanwhile))
        for stream in burst.streams:
            lengths = stream.prompt_tokens, stream.completion_tokens
            if lengths != (self.prompt_tokens, new_tokens):
                raise BadAnswer(
                    f"asked for {self.prompt_tokens} prompt and {new_tokens} new tokens, "
                    f"and the server counted {lengths[0]} and {lengths[1]}"
                )
        return burst


def cold_start(session: Session) -> float:
    """Seconds from the process's start to the first text, of an adapter if there is one."""
    session.server.wait_until_ready(session.contender.ready)
    kind: Kind = "one" if session.launch.adapters else "base"
    burst = session.burst(Workload(1, kind), 8)
    return burst.streams[0].arrivals[0] - session.server.spawned


def throughput(session: Session, workload: Workload, repeats: int) -> Iterator[Burst]:
    """The workload, ``repeats`` times after a short warm-up."""
    session.burst(workload, 8)
    for _ in range(repeats):
        yield session.burst(workload, session.new_tokens)


@dataclass(frozen=True, slots=True)
class Joining:
    """An adapter joined while eight streams ran.

    ``ready`` is the seconds from the request to its answer; ``step`` the median time between two
    tokens of a stream; ``wait`` the longest pause of any stream at that time, beyond one step and
    in steps; ``wait_before`` the same while nothing was added.
    """

    ready: float
    step: float
    wait: float
    wait_before: float


def joining(session: Session, adapter: Path, name: str) -> Joining:
    """Add ``adapter`` while eight adapters stream."""
    begin = end = 0.0

    async def join(collectors: Sequence[load.Collector]) -> None:
        nonlocal begin, end
        for collector in collectors:
            await collector.under_way.wait()
        # Who adds an adapter does not know when a step begins.
        await asyncio.sleep(_LONGEST_STEP * random.random())
        connection = await load.connect(session.server.port)
        body = {"name": name, "path": str(adapter)}
        begin = connection.send(load.post(session.contender.add_adapter, body))
        await connection.collector.ended.wait()
        end = time.perf_counter()
        load.read_json(connection.collector.pieces)

    burst = session.burst(Workload(8, "each"), 2 * session.new_tokens, join)
    # Forgotten, it leaves memory: the next to join is not one that is there already.
    session.server.delete(f"{session.contender.add_adapter}/{name}")
    return pauses([stream.arrivals for stream in burst.streams], begin, end)


def pauses(arrivals: Sequence[Sequence[float]], begin: float, end: float) -> Joining:
    """What a change between ``begin`` and ``end`` did to the streams whose tokens came then."""
    gaps = [gap for times in arrivals for gap in itertools.pairwise(times)]
    step = statistics.median(after - before for before, after in gaps)
    all_stream = max(times[0] for times in arrivals)
    earlier = [after - before for before, after in gaps if all_stream <= before and after <= begin]
    meanwhile = [after - before for before, after in gaps if after > begin and before < end + step]
    if not meanwhile or not earlier:
        raise BadAnswer("the adapter did not join while all streams ran")
    return Joining(end - begin, step, max(meanwhile) / step - 1, max(earlier) / step - 1)


def memory_beyond(session: Session) -> float | None:
    """Peak resident memory that is neither base weights nor KV cache [MB].

    None where the server doesn't say how large its KV cache is, or the system not what it takes.
    """
    peak = session.server.memory_peak()
    tokens = kv_cache_tokens(session.server.get("/metrics") or "")
    if peak is None or tokens is None:
        return None
    weights = sum(path.stat().st_size for path in session.base.glob("*.safetensors"))
    return peak - (weights + tokens * session.shape.kv_bytes_per_token) / 1e6


def kv_cache_tokens(metrics: str) -> float | None:
    """How many tokens the KV cache holds, as Remora's metrics say."""
    found = re.search(r"^remora_kv_cache_tokens_total (\S+)$", metrics, re.MULTILINE)
    return float(found[1]) if found else None
