"""Signals, and connections without end."""

from __future__ import annotations

import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import httpx
import pytest

from tests.cli.serving import Serving
from tests.end_to_end.conftest import DEMO
from tests.faults.conftest import Victim, url_of
from tests.gateway.test_disconnect import wait_until

pytestmark = pytest.mark.slow
STREAMS = 8
CONNECTIONS = 10_000
LONG: dict[str, Any] = {"max_tokens": 400, "ignore_eos": True, "stream": True, "temperature": 1}


class Client(threading.Thread):
    """One stream, and how it ended."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.began = threading.Event()
        self.end: str | None = None

    def run(self) -> None:
        body = {"model": "base", "messages": [{"role": "user", "content": "Hi!"}], **LONG}
        try:
            with httpx.stream(
                "POST", f"{self.url}/v1/chat/completions", json=body, timeout=60
            ) as reply:
                for line in reply.iter_lines():
                    self.began.set()
                    self.end = line or self.end
        except httpx.HTTPError as error:
            self.end = type(error).__name__
        self.began.set()


@contextmanager
def streams(url: str) -> Iterator[list[Client]]:
    """Some streams, all of which have begun; they are waited for at the end."""
    clients = [Client(url) for _ in range(STREAMS)]
    for client in clients:
        client.start()
    for client in clients:
        assert client.began.wait(60)
    yield clients
    for client in clients:
        client.join(60)
        assert not client.is_alive(), "a client hangs"


def serving(port: int = 0) -> Serving:
    return Serving(str(DEMO), "--port", str(port), "--json", "--dtype", "float32")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to send")
def test_sigterm_under_load_ends_no_stream_early() -> None:
    with serving() as server:
        url = url_of(server)
        with streams(url) as clients:
            server.process.send_signal(signal.SIGTERM)
        assert {client.end for client in clients} == {"data: [DONE]"}
        assert server.process.wait(60) == 0, server.log()


def test_killed_under_load_it_starts_again_at_the_same_port() -> None:
    with serving() as first:
        url = url_of(first)
        with streams(url) as clients:
            first.process.kill()
        assert "data: [DONE]" not in {client.end for client in clients}
        port = int(url.rpartition(":")[2])
    with serving(port) as second:
        assert url_of(second) == url
        with streams(url) as clients:
            pass
        assert {client.end for client in clients} == {"data: [DONE]"}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows counts no open files")
def test_ten_thousand_connections_keep_nobody_from_being_served() -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + 500
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"this machine allows {hard} open files")
    with ExitStack() as stack:
        server = stack.enter_context(serving())
        victim = stack.enter_context(closing(Victim(server, url_of(server))))
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        before = victim.answer()
        crowd(victim, before)
        victim.expect_idle()


def crowd(victim: Victim, expected: str) -> None:
    """Hold idle connections, half of which begin a request that they never end."""
    address = ("127.0.0.1", int(victim.url.rpartition(":")[2]))
    with ExitStack() as crowd:
        for number in range(CONNECTIONS):
            connection = crowd.enter_context(socket.create_connection(address, timeout=60))
            if number % 2:
                connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n")
        assert victim.answer() == expected
    wait_until(lambda: victim.answer() == expected)
