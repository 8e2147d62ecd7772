"""`/livez`, `/readyz`, and what a server tells while its backend loads."""

from __future__ import annotations

import threading

import pytest

from remora.backends.backend import Phase
from remora.errors import ModelError
from remora.gateway.server import Server, bind
from remora.gateway.settings import GatewaySettings
from tests.gateway.conftest import Endpoint, Serve
from tests.gateway.scripted_backend import ScriptedBackend


def test_ready(endpoint: Endpoint) -> None:
    assert endpoint.http.get("/livez").json() == {"status": "ok"}
    ready = endpoint.http.get("/readyz")
    assert ready.status_code == 200
    assert ready.json() == {"phase": "ready", "detail": "", "progress": 1.0}


def test_loading(serve: Serve) -> None:
    endpoint = serve(ScriptedBackend(Phase.LOADING))
    assert endpoint.http.get("/livez").status_code == 200
    loading = endpoint.http.get("/readyz")
    assert loading.status_code == 503
    assert loading.json() == {"phase": "loading", "detail": "reading weights", "progress": 0.25}
    assert endpoint.chat("hi").status_code == 503


def test_readiness_is_told_once_it_is_there() -> None:
    backend = ScriptedBackend(Phase.LOADING)
    told: list[str] = []
    ready = threading.Event()

    def on_ready(url: str) -> None:
        told.append(url)
        ready.set()

    listener = bind("127.0.0.1", 0)
    port = listener.getsockname()[1]
    server = Server(backend, GatewaySettings(), listener, on_ready)
    thread = threading.Thread(target=server.run)
    thread.start()
    assert told == []
    backend.phase = Phase.READY
    assert ready.wait(20)
    server.stop()
    thread.join(20)
    assert told == [f"http://127.0.0.1:{port}"]
    assert backend.closed


def test_a_backend_that_fails_to_load_ends_the_server() -> None:
    backend = ScriptedBackend(Phase.FAILED)
    with pytest.raises(ModelError, match="no such folder"):
        Server(backend, GatewaySettings(), bind("127.0.0.1", 0)).run()
    assert backend.closed
