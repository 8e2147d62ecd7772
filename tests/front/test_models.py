"""What a front knows of what the server behind it has loaded."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from remora.backends.upstream import models
from remora.backends.upstream.connection import Connection, Listing
from remora.backends.upstream.models import UpstreamModels
from remora.backends.upstream.replicas import Replicas

SECONDS = 20


class Loading(Connection):
    """A server whose adapter is loaded after the first look at it."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:9")
        self.looks = 0

    async def models(self, cookie: str) -> Listing:
        self.looks += 1
        state = "loading" if self.looks == 1 else "ready"
        listed: dict[str, Any] = {"tone": {"id": "tone", "state": state}}
        return Listing(server="a", cookie=cookie, models=listed, busy=0)


async def test_what_the_last_answer_has_changed_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "ASK", 0.05)
    server = Loading()
    known = UpstreamModels(server, Replicas(busy=4), None, time.monotonic)
    await known.ask()
    known.ask_if_stale()  # An answer came a moment later, and then no other.
    async with asyncio.timeout(SECONDS):
        while (await known.catalogue()).seen["tone"]["state"] != "ready":  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert server.looks == 2
    await known.close()
    await server.close()
