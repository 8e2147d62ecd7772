"""Clients of an endpoint on Azure: one answer, and many without a break."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Self

import httpx


def question(model: str, **more: Any) -> dict[str, Any]:
    """The body of a short chat."""
    messages = [{"role": "user", "content": "Hello"}]
    return {"model": model, "messages": messages, "max_tokens": 8, "temperature": 0, **more}


def ask(client: httpx.Client, model: str = "tone", *, stream: bool = True, **more: Any) -> str:
    """One whole answer, a streamed one with all its events."""
    key = more.pop("key", None)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    body = question(model, stream=stream, **more)
    with client.stream("POST", "/v1/chat/completions", json=body, headers=headers) as answer:
        text = answer.read().decode()
    assert answer.status_code == 200, (answer.status_code, text)
    if stream:
        assert text.rstrip().endswith("data: [DONE]"), text
        assert '"error"' not in text, text
    else:
        assert answer.json()["choices"][0]["finish_reason"], text
    return text


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for it; fails after so many seconds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.05)


class Load:
    """Clients that ask one after the other, without a break, until it ends: streamed and whole
    answers in turns, with each of the ``keys``, or the client's own."""

    def __init__(
        self,
        client: httpx.Client,
        keys: Sequence[str | None] = (None,),
        *,
        count: int = 4,
        **more: Any,
    ) -> None:
        self.answers = 0
        self.failed: list[str] = []
        self._client = client
        self._more = more
        self._stop = threading.Event()
        shares = [(key, stream) for stream in (True, False) for key in keys]
        self._threads = [
            threading.Thread(target=self._ask, args=share)
            for share in itertools.islice(itertools.cycle(shares), max(count, len(shares)))
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def until_answered(self, more: int = 8) -> None:
        """Wait for so many answers more."""
        wanted = self.answers + more
        until(lambda: self.answers >= wanted or bool(self.failed))

    def _ask(self, key: str | None, stream: bool) -> None:
        while not self._stop.is_set():
            try:
                ask(self._client, stream=stream, key=key, **self._more)
                self.answers += 1
            except (AssertionError, httpx.HTTPError) as error:
                self.failed.append(f"{key and key[:4]} {stream=} {error!r}")
