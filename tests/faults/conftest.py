"""The demo behind a real server, for whoever means it harm."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest

from tests.cli.serving import Serving, named
from tests.end_to_end.conftest import DEMO
from tests.engine.tiny import serve, tiny
from tests.gateway.test_disconnect import wait_until

__all__ = ["serve", "tiny"]


class Victim:
    """A running server and what it says of itself."""

    def __init__(self, serving: Serving, url: str) -> None:
        self.serving = serving
        self.url = url
        self.http = httpx.Client(base_url=url, timeout=60)

    def close(self) -> None:
        self.http.close()

    def number(self, metric: str) -> float:
        """The value of a metric without labels."""
        text = self.http.get("/metrics").text
        found = re.search(rf"^remora_{metric} (\S+)$", text, re.MULTILINE)
        assert found, text
        return float(found[1])

    def answer(self, model: str = "base", **more: object) -> str:
        """What the model says, greedily, to the same question."""
        body = {
            "model": model,
            "messages": [{"role": "user", "content": "What do sharks eat?"}],
            "temperature": 0,
            **more,
        }
        reply = self.http.post("/v1/chat/completions", json=body)
        assert reply.status_code == 200, reply.text
        return str(reply.json()["choices"][0]["message"]["content"])

    def expect_idle(self) -> None:
        """Fail unless all that was held is given back."""
        wait_until(lambda: self.number("running_requests") + self.number("waiting_requests") == 0)
        wait_until(lambda: self.number("kv_cache_tokens_used") == 0)
        assert "was given back" not in self.serving.log()


def url_of(serving: Serving) -> str:
    """The address of a server, once it is ready."""
    return str(named(serving.until("ready"), "ready")["url"])


@pytest.fixture(scope="module")
def victim() -> Iterator[Victim]:
    arguments = [str(DEMO), "--port", "0", "--json", "--dtype", "float32"]
    with Serving(*arguments) as serving:
        with closing(Victim(serving, url_of(serving))) as victim:
            yield victim
        assert serving.stop() == 0, serving.log()
