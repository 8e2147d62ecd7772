"""The engine's door for asyncio: requests go to the thread that steps, deltas come back.

Each step wakes a caller's event loop once, whatever the number of its streams. Deltas that a slow
reader has not taken yet are merged, so that no stream piles up without bound.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import replace

from remora.engine.engine import Engine, EngineRequest, Output, merge
from remora.engine.errands import Errands
from remora.engine.request import Delta, Usage
from remora.errors import EngineFailure, QueueFull, RemoraError

logger = logging.getLogger(__name__)


def engine_failure() -> EngineFailure:
    """What a reader gets if nothing more is known."""
    return EngineFailure(
        "The engine could not go on with this request.", hint="The server's log tells why."
    )


class Stream:
    """The deltas of one request, for one reader."""

    def __init__(self, request: EngineRequest, engine: AsyncEngine) -> None:
        self._engine = engine
        self._loop = asyncio.get_running_loop()
        self._arrived = asyncio.Event()
        self._deltas: deque[Delta] = deque()
        self._open = request.n
        self._cancelled = False
        self._usage = Usage(prompt_tokens=len(request.tokens))

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        return self._loop

    @property
    def usage(self) -> Usage:
        """Tokens so far; final after the last delta."""
        return self._usage

    async def deltas(
        self, failure: Callable[[], RemoraError] = engine_failure
    ) -> AsyncIterator[Delta]:
        """All choices' deltas as they arrive. Leaving early cancels the request.

        Raises what ``failure`` makes if the engine could not go on with it.
        """
        try:
            while self._open:
                await self._arrived.wait()
                self._arrived.clear()
                pending, self._deltas = self._deltas, deque()
                for delta in merge(pending) if len(pending) > 1 else pending:
                    if delta.finish_reason is not None:
                        self._open -= 1
                        if delta.finish_reason == "error":
                            raise failure()
                    yield delta
                if self._cancelled:
                    return
        finally:
            self.cancel()

    def cancel(self) -> None:
        """Stop generating within one step; harmless after the end."""
        if self._open and not self._cancelled:
            self._cancelled = True
            self._arrived.set()
            self._engine.cancel(self)

    def deliver(self, outputs: Iterable[Output]) -> None:
        """Take what a step yielded; called in the reader's event loop."""
        for output in outputs:
            self._deltas.append(output.delta)
            count = self._usage.completion_tokens + len(output.delta.token_ids)
            cached = max(self._usage.cached_tokens, output.cached if output.delta.index == 0 else 0)
            self._usage = replace(self._usage, completion_tokens=count, cached_tokens=cached)
        self._arrived.set()


class AsyncEngine:
    """Runs an engine in a thread of its own, for at most ``capacity`` sequences.

    ``on_start`` is called in that thread once, and ``between_steps`` whenever it wakes and between
    two steps. ``errands`` of other threads are run where no step is; else it is for the engine's
    runner to run one a step. ``on_idle`` is called before it waits for work.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        capacity: int,
        between_steps: Callable[[], None] = lambda: None,
        on_start: Callable[[], None] = lambda: None,
        on_idle: Callable[[], None] = lambda: None,
    ) -> None:
        self._engine = engine
        self._capacity = capacity
        self._between_steps = between_steps
        self._on_start = on_start
        self._on_idle = on_idle
        self._arrivals: deque[EngineRequest] = deque()
        self._departures: deque[Stream] = deque()
        self._wake = threading.Event()
        self.errands = Errands(self.wake)
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="remora-engine", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def held(self) -> int:
        """Sequences that run, wait, or are about to."""
        return self._engine.held + sum(request.n for request in list(self._arrivals))

    def submit(self, request: EngineRequest) -> Stream:
        """Queue a request, of which ``owner`` is set here. Raises `QueueFull`."""
        held = self.held
        if held + request.n > self._capacity:
            raise QueueFull(
                f"{held} requests run and wait; this endpoint takes {self._capacity} at once."
            )
        stream = Stream(request, self)
        self._arrivals.append(replace(request, owner=stream))
        self._wake.set()
        return stream

    def cancel(self, stream: Stream) -> None:
        """Drop a stream's request before the next step."""
        self._departures.append(stream)
        self._wake.set()

    def wake(self) -> None:
        """Look for work: an adapter has been loaded, say."""
        self._wake.set()

    def close(self) -> None:
        """Stop after the present step; what still runs ends with an error."""
        self._closed = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
        self.errands.close()

    def _run(self) -> None:
        self._on_start()
        try:
            self._serve()
        finally:
            self.errands.close()

    def _serve(self) -> None:
        while True:
            # Whatever is posted from here on sets the event again, so that no wait misses it.
            self._wake.clear()
            # A request is cancelled after it has come, so it is enough to go by kinds.
            while self._arrivals:
                self._engine.add(self._arrivals[0])
                self._arrivals.popleft()
            while self._departures:
                self._engine.cancel(self._departures.popleft())
            if self._closed:
                self._deliver(self._engine.abort())
                return
            self._between_steps()
            if self._engine.is_idle:
                if self.errands.run_one():
                    continue  # There may be more.
                self._check()
                self._on_idle()
                self._wake.wait()
                continue
            outputs = self._engine.step()
            if outputs:
                self._deliver(outputs)
            elif self._engine.is_stalled and self._engine.held and not self.errands.run_one():
                self._wake.wait()

    def _check(self) -> None:
        try:
            self._engine.check()
        except AssertionError:
            logger.exception("the engine is idle, but not all that it held was given back")

    def _deliver(self, outputs: list[Output]) -> None:
        by_loop: dict[asyncio.AbstractEventLoop, dict[Stream, list[Output]]] = {}
        for output in outputs:
            stream: Stream = output.owner
            by_loop.setdefault(stream.loop, {}).setdefault(stream, []).append(output)
        for loop, streams in by_loop.items():
            try:
                loop.call_soon_threadsafe(_hand_out, streams)
            except RuntimeError:
                # The reader's event loop is gone, and its requests with it.
                for stream in streams:
                    self._engine.cancel(stream)


def _hand_out(streams: dict[Stream, list[Output]]) -> None:
    for stream, outputs in streams.items():
        stream.deliver(outputs)
