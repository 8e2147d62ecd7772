"""Limits of the body, told while it streams in."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest

from tests.gateway.conftest import Endpoint, Serve

JSON = {"content-type": "application/json"}
LIMIT = 1000


@pytest.fixture
def small(serve: Serve) -> Endpoint:
    return serve(max_body_bytes=LIMIT, body_timeout=0.2)


def body_of(size: int) -> bytes:
    frame = json.dumps({"model": "base", "messages": [{"role": "user", "content": ""}]})
    return frame.replace('""', '"' + "x" * (size - len(frame)) + '"').encode()


@pytest.mark.parametrize(("size", "status"), [(LIMIT, 200), (LIMIT + 1, 413), (5_000_000, 413)])
@pytest.mark.parametrize("chunked", [False, True])
def test_size(small: Endpoint, size: int, status: int, chunked: bool) -> None:
    def pieces() -> Iterator[bytes]:
        data = body_of(size)
        for start in range(0, len(data), 65_536):
            yield data[start : start + 65_536]

    content = pieces() if chunked else body_of(size)
    response = small.http.post("/v1/chat/completions", content=content, headers=JSON)
    assert response.status_code == status
    if status == 413:
        assert response.json()["error"]["code"] == "payload_too_large"
    assert small.http.get("/livez").status_code == 200


def test_a_body_that_never_comes(small: Endpoint) -> None:
    host, port = small.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: application/json\r\nContent-Length: 900\r\n\r\n{"
        )
        assert connection.recv(4096).startswith(b"HTTP/1.1 408")
