"""Whether an endpoint takes a key, and the wait for a change of keys to have come through.

Azure calls a change done before the front that knows it takes requests.
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from remora.errors import TargetError

PATIENCE = 10.0  # s for one answer
LIMIT = 600.0  # s for a new front to take over
STEADY = 3  # looks in a row: while one front takes over, another may still answer now and then
POLL = 0.5  # s


def accepts(url: str, key: str) -> bool | None:
    """Whether the endpoint takes the key; None where no Remora answers. It wakes nobody."""
    connection = http.client.HTTPSConnection(urlsplit(url).netloc, timeout=PATIENCE)
    try:
        connection.request("GET", "/v1/models", headers={"Authorization": f"Bearer {key}"})
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    return {200: True, 401: False}.get(status)


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
