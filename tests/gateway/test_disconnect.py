"""A client that leaves stops its generation, whatever the server was waiting for."""

from __future__ import annotations

import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.gateway.conftest import Endpoint, Serve
from tests.gateway.scripted_backend import ScriptedGeneration


def wait_until(condition: Any, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.005)


def send(endpoint: Endpoint, content: str, *, stream: bool, path: str = "chat") -> socket.socket:
    body: dict[str, Any] = {"model": "base", "stream": stream, "max_tokens": 4096}
    if path == "chat":
        path = "/v1/chat/completions"
        body["messages"] = [{"role": "user", "content": content}]
    else:
        path = "/v1/completions"
        body["prompt"] = [content, content]
    data = json.dumps(body).encode()
    host, port = endpoint.url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=20)
    connection.sendall(
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(data)}\r\n\r\n".encode()
        + data
    )
    return connection


@pytest.mark.parametrize("path", ["chat", "completions"])
@pytest.mark.parametrize("script", ["mute", "stall", "slow"])
@pytest.mark.parametrize("stream", [False, True])
def test_leaving_cancels(endpoint: Endpoint, script: str, stream: bool, path: str) -> None:
    connection = send(endpoint, script, stream=stream, path=path)
    expected = 1 if path == "chat" else 2
    wait_until(lambda: len(endpoint.backend.generations) == expected)
    if stream and script != "mute":
        assert connection.recv(100)
    connection.close()
    generations: list[ScriptedGeneration] = endpoint.backend.generations
    wait_until(lambda: all(g.cancelled.is_set() for g in generations))
    wait_until(lambda: endpoint.http.get("/metrics").text.count('status="499"') >= 1)


def test_leaving_does_not_disturb_others(endpoint: Endpoint) -> None:
    leaving = send(endpoint, "slow", stream=True)
    with ThreadPoolExecutor() as pool:
        staying = pool.submit(endpoint.chat, "slow", stream=True, max_tokens=30)
        assert leaving.recv(100)
        leaving.close()
        assert staying.result().text.endswith("data: [DONE]\n\n")


def test_a_reader_that_stops_reading_holds_back_its_own_stream_alone(serve: Serve) -> None:
    endpoint = serve()
    stuck = send(endpoint, "burst", stream=True)
    stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    assert endpoint.chat("one two", stream=True).text.endswith("data: [DONE]\n\n")
    stuck.close()


def test_sixty_four_clients_at_once(endpoint: Endpoint) -> None:
    barrier = threading.Barrier(64)

    def ask(i: int) -> tuple[int, str]:
        messages: Any = [{"role": "user", "content": f"client number {i}"}]
        barrier.wait()
        if i % 2:
            answer = endpoint.openai.chat.completions.create(model="base", messages=messages)
            return i, answer.choices[0].message.content or ""
        chunks = endpoint.openai.chat.completions.create(
            model="support", messages=messages, stream=True
        )
        return i, "".join(c.choices[0].delta.content or "" for c in chunks)

    with ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(ask, range(64)))
    assert answers == [(i, f"client number {i}") for i in range(64)]
