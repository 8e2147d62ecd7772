"""Whether an endpoint takes a key, and the wait for a change of keys to have come through.

Azure calls a change done before the front that knows it takes requests.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from remora.errors import TargetError
from remora.targets.asking import ask

LIMIT = 600.0  # s for a new front to take over
STEADY = 3  # looks in a row: while one front takes over, another may still answer now and then
POLL = 0.5  # s


def accepts(url: str, key: str) -> bool | None:
    """Whether the endpoint takes the key; None where no Remora answers. It wakes nobody."""
    answer = ask(url, "/v1/models", key)
    return {200: True, 401: False}.get(answer[0]) if answer else None


def await_key(
    url: str, key: str, *, accepted: bool, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Wait until the key is accepted, or is no longer. Raises `TargetError` if that takes too
    long."""
    end, seen = time.monotonic() + LIMIT, 0
    while seen < STEADY:
        seen = seen + 1 if accepts(url, key) is accepted else 0
        if time.monotonic() > end:
            raise TargetError(
                f"the keys are changed, but {url} does not follow",
                hint="A new front should have started by now: look at its revisions in the portal.",
            )
        sleep(POLL)
