"""A real front on a loopback port, over real gateways with the scripted backend behind them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import openai
import pytest

from remora.backends.upstream.backend import UpstreamBackend
from remora.backends.upstream.models import Released
from remora.backends.upstream.options import UpstreamOptions
from remora.gateway.routes.front import FRONT_ROUTES
from remora.gateway.server import Server, bind, url_of
from remora.gateway.settings import GatewaySettings
from tests.front.ingress import Ingress
from tests.gateway.conftest import Endpoint
from tests.gateway.scripted_backend import ScriptedBackend


def first_event(lines: Iterator[str]) -> str:
    """The data of the first event; comments are passed over. Hold on to ``lines`` meanwhile."""
    return next(line for line in lines if line.startswith("data:")).removeprefix("data: ")


class Clock:
    """Seconds since 1970, as a test moves them."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Front:
    """A running front, and clients for it."""

    def __init__(
        self,
        upstream: str,
        released: Released | None,
        options: dict[str, Any],
        settings: dict[str, Any],
    ) -> None:
        self.clock = Clock()
        self.backend = UpstreamBackend(
            UpstreamOptions(url=upstream, keys=settings.get("api_keys", ()), **options),
            released,
            now=self.clock,
        )
        listener = bind("127.0.0.1", 0)
        self.url = url_of(listener)
        self.server = Server(
            self.backend,
            GatewaySettings(**{"drain_timeout": 0.1, **settings}),
            listener,
            routes=FRONT_ROUTES,
        )
        self._thread = threading.Thread(target=self.server.run)
        self._thread.start()
        self.http = httpx.Client(base_url=self.url, timeout=20)
        key = (settings.get("api_keys") or ("none",))[0]
        self.openai = openai.OpenAI(
            base_url=self.url + "/v1", api_key=key, max_retries=0, timeout=20
        )
        self.http.get("/livez").raise_for_status()

    def chat(self, content: str, model: str = "base", **body: Any) -> httpx.Response:
        messages = [{"role": "user", "content": content}]
        return self.http.post(
            "/v1/chat/completions", json={"model": model, "messages": messages, **body}
        )

    def stream(self, content: str, model: str = "base", **body: Any) -> Any:
        messages = [{"role": "user", "content": content}]
        return self.http.stream(
            "POST",
            "/v1/chat/completions",
            json={"model": model, "messages": messages, "stream": True, **body},
        )

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.http.get("/status").json()
        return found

    def stop(self) -> None:
        self.http.close()
        self.openai.close()
        self.server.stop()
        self._thread.join(timeout=20)
        assert not self._thread.is_alive()


@pytest.fixture
def replica() -> Iterator[Callable[..., Endpoint]]:
    """Starts servers that a front may stand before; they end with the test."""
    started: list[Endpoint] = []

    def start(**settings: Any) -> Endpoint:
        started.append(Endpoint(ScriptedBackend(), GatewaySettings(drain_timeout=0.1, **settings)))
        return started[-1]

    yield start
    for endpoint in started:
        endpoint.stop()


@pytest.fixture
def ingress() -> Iterator[Callable[..., Ingress]]:
    """Starts ingresses; they end with the test."""
    started: list[Ingress] = []

    def start(*replicas: str, **options: Any) -> Ingress:
        started.append(Ingress(replicas, **options))
        return started[-1]

    yield start
    for one in started:
        one.stop()


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Front, Endpoint]]:
    """A front and the server behind it, for tests that leave both as they were."""
    behind = Endpoint(ScriptedBackend(), GatewaySettings(drain_timeout=0.1))
    one = Front(behind.url, None, {}, {})
    yield one, behind
    one.stop()
    behind.stop()


@pytest.fixture
def front() -> Iterator[Callable[..., Front]]:
    """Starts fronts before an address; they end with the test."""
    started: list[Front] = []

    def start(
        upstream: str,
        released: Released | None = None,
        options: dict[str, Any] | None = None,
        **settings: Any,
    ) -> Front:
        started.append(Front(upstream, released, options or {}, settings))
        return started[-1]

    yield start
    for one in started:
        one.stop()


@pytest.fixture
def free_address() -> str:
    """An address of this machine where nothing listens."""
    with bind("127.0.0.1", 0) as listener:
        return url_of(listener)
