"""What a command opens is closed when the command ends, however it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar

_OPEN: ContextVar[ExitStack] = ContextVar("open")


@contextmanager
def closing() -> Iterator[None]:
    """Closes in the end, in reverse order, what `close_at_end` was told meanwhile."""
    with ExitStack() as stack:
        token = _OPEN.set(stack)
        try:
            yield
        finally:
            _OPEN.reset(token)


def close_at_end(close: Callable[[], object]) -> None:
    """Call ``close`` when the command that runs has ended."""
    _OPEN.get().callback(close)
