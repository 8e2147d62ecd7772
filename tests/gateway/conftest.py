"""A real server on a loopback port, in a thread of its own, over the scripted backend."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import openai
import pytest

from remora.gateway.server import Server, bind, url_of
from remora.gateway.settings import GatewaySettings
from tests.gateway.scripted_backend import ScriptedBackend


class Endpoint:
    """A running server, its backend, and clients for it."""

    def __init__(self, backend: ScriptedBackend, settings: GatewaySettings) -> None:
        listener = bind("127.0.0.1", 0)
        self.backend = backend
        self.url = url_of(listener)
        self.server = Server(backend, settings, listener)
        self._thread = threading.Thread(target=self.server.run)
        self._thread.start()
        self.http = httpx.Client(base_url=self.url, timeout=20)
        self.openai = openai.OpenAI(
            base_url=self.url + "/v1",
            api_key=(settings.api_keys or ("none",))[0],
            max_retries=0,
            timeout=20,
        )
        self.http.get("/livez").raise_for_status()

    def chat(self, content: str, **body: Any) -> httpx.Response:
        messages = [{"role": "user", "content": content}]
        return self.http.post(
            "/v1/chat/completions", json={"model": "base", "messages": messages, **body}
        )

    def stop(self) -> None:
        """End the server; harmless when called twice."""
        self.http.close()
        self.openai.close()
        self.server.stop()
        self._thread.join(timeout=20)
        assert not self._thread.is_alive()


Serve = Callable[..., Endpoint]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts servers with the settings that a test needs; they end with the test."""
    started: list[Endpoint] = []

    def start(backend: ScriptedBackend | None = None, **settings: Any) -> Endpoint:
        settings.setdefault("drain_timeout", 0.1)
        started.append(Endpoint(backend or ScriptedBackend(), GatewaySettings(**settings)))
        return started[-1]

    yield start
    for endpoint in started:
        endpoint.stop()


@pytest.fixture(scope="session")
def shared() -> Iterator[Endpoint]:
    """The server behind `endpoint`."""
    endpoint = Endpoint(ScriptedBackend(), GatewaySettings(drain_timeout=0.1))
    yield endpoint
    endpoint.stop()


@pytest.fixture
def endpoint(shared: Endpoint) -> Endpoint:
    """A server with default settings, for tests that leave it as it was."""
    shared.backend.requests.clear()
    shared.backend.generations.clear()
    return shared
