"""Small work that other threads want done in the engine's thread, one at a time."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, TypeVar

from remora.errors import NotReady

Result = TypeVar("Result")


class Errands:
    """A queue of calls; ``on_post`` tells the thread that runs them of a new one."""

    def __init__(self, on_post: Callable[[], None]) -> None:
        self._on_post = on_post
        self._lock = threading.Lock()
        self._closed = False
        self._queue: deque[tuple[Callable[[], Any], Future[Any]]] = deque()

    def call(self, function: Callable[[], Result]) -> Result:
        """Have a function called, and wait for its result. Raises `NotReady` once closed."""
        future: Future[Result] = Future()
        with self._lock:
            if self._closed:
                raise NotReady("The engine has been closed.")
            self._queue.append((function, future))
        self._on_post()
        return future.result()

    @contextmanager
    def standstill(self, seconds: float) -> Iterator[None]:
        """Let the thread stand still during the block, from its next chance on and for so long at
        most. The block waits for that.

        What needs every core is sooner done alone than beside threads that wait for each other.
        """
        begun, done = threading.Event(), threading.Event()

        def stand() -> None:
            begun.set()
            done.wait(seconds)

        entry: tuple[Callable[[], Any], Future[Any]] = stand, Future()
        with self._lock:
            is_open = not self._closed
            if is_open:
                self._queue.append(entry)
        if is_open:
            self._on_post()
            begun.wait(seconds)
        try:
            yield
        finally:
            done.set()

    def run_one(self) -> bool:
        """Run the oldest call, if there is one; its exception goes to the caller."""
        with self._lock:
            if not self._queue:
                return False
            function, future = self._queue.popleft()
        try:
            future.set_result(function())
        except Exception as error:  # noqa: BLE001 - it belongs to whoever called
            future.set_exception(error)
        return True

    def close(self) -> None:
        """Take no more calls; those who wait get `NotReady`."""
        with self._lock:
            self._closed = True
            left, self._queue = self._queue, deque()
        for _, future in left:
            future.set_exception(NotReady("The engine has been closed."))
