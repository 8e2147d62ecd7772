"""A server's admin API, as a deployment asks it."""

from __future__ import annotations

import socket

import pytest

from remora.targets import admin_api
from remora.targets.admin_api import AdminApi


def test_a_push_does_not_wait_until_a_server_is_awake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin_api, "PUSH_TIMEOUT", 0.1)
    monkeypatch.setattr(admin_api, "TIMEOUT", 1e6)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert AdminApi(f"http://127.0.0.1:{silent.getsockname()[1]}").push() is None
