"""The routes about the release, over a share whose releases the scripted backend serves."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from remora.gateway.server import Server, bind, url_of
from remora.gateway.settings import GatewaySettings
from remora.reconcile.choice import start
from remora.reconcile.reconciler import Reconciler
from tests.gateway.conftest import Endpoint
from tests.gateway.scripted_backend import ScriptedBackend
from tests.reconcile.conftest import Shelf

SECONDS = 20


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    made = Shelf(tmp_path / "share")
    made.publish(made.content({"tone": "1"}))
    return made


@pytest.fixture
def http(shelf: Shelf, tmp_path: Path) -> Iterator[httpx.Client]:
    """A server of the share."""
    backend, listener = ScriptedBackend(), bind("127.0.0.1", 0)
    url = url_of(listener)
    reconciler = Reconciler(backend, start(shelf.share, tmp_path / "served"))
    server = Server(backend, GatewaySettings(drain_timeout=0.1), listener, None, reconciler)
    thread = threading.Thread(target=server.run)
    thread.start()
    with httpx.Client(base_url=url, timeout=SECONDS) as client:
        yield client
    server.stop()
    thread.join(SECONDS)
    assert not thread.is_alive()


def report(http: httpx.Client, sequence: int) -> dict[str, Any]:
    """What the server says as soon as it is done with an entry of the log."""
    for _ in range(2000):
        found: dict[str, Any] = http.get("/admin/release").json()
        if found["wanted"]["sequence"] == sequence and found["standing"] in {"ready", "failed"}:
            return found
    raise AssertionError(found)


def test_a_push_makes_the_server_look(http: httpx.Client, shelf: Shelf) -> None:
    assert report(http, 1)["served"]["sequence"] == 1
    second = shelf.publish(shelf.content({"tone": "2"}))
    assert http.post("/admin/release").status_code == 202
    found = report(http, 2)
    assert found["served"] == {"release": second.id, "sequence": 2}
    assert found["reason"] is None
    assert http.get("/v1/models").json()["release"] == second.id


def test_its_adapters_are_changed_by_releases_alone(http: httpx.Client, tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}", encoding="utf-8")
    body = {"path": str(tmp_path)}
    assert http.put("/admin/adapters/mine", json=body).status_code == 409
    refused = http.delete("/admin/adapters/tone")
    assert refused.status_code == 409
    assert "remora deploy" in refused.json()["error"]["message"]


def test_a_server_without_a_share_has_no_release(endpoint: Endpoint) -> None:
    for answer in (endpoint.http.get("/admin/release"), endpoint.http.post("/admin/release")):
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "no_release"
    assert endpoint.http.get("/v1/models").json()["release"] is None
