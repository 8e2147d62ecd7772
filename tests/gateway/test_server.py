"""A real process: what a signal does."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from remora.errors import ConfigError
from remora.gateway.server import bind, url_of

ROOT = Path(__file__).parents[2]
SERVER = """
import sys
from remora.gateway.logs import log_as_json
from remora.gateway.server import Server, bind
from remora.gateway.settings import GatewaySettings
from tests.gateway.scripted_backend import ScriptedBackend

log_as_json()
settings = GatewaySettings(drain_timeout=float(sys.argv[1]))
Server(ScriptedBackend(), settings, bind("127.0.0.1", 0), lambda url: print(url, flush=True)).run()
print("ended", flush=True)
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to send")


@pytest.fixture
def start() -> Iterator[Any]:
    started: list[subprocess.Popen[str]] = []

    def run(drain_timeout: float = 30) -> tuple[subprocess.Popen[str], httpx.Client]:
        process = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(drain_timeout)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        return process, httpx.Client(base_url=process.stdout.readline().strip(), timeout=20)

    yield run
    for process in started:
        process.kill()
        process.communicate()


def body(content: str, **more: Any) -> dict[str, Any]:
    return {"model": "base", "messages": [{"role": "user", "content": content}], **more}


def stream(client: httpx.Client, content: str, **more: Any) -> Any:
    return client.stream("POST", "/v1/chat/completions", json=body(content, stream=True, **more))


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_drain(start: Any, sig: signal.Signals) -> None:
    process, client = start()
    with client, stream(client, "slow", max_tokens=100) as running:
        lines = running.iter_lines()
        next(lines)
        process.send_signal(sig)
        while (ready := client.get("/readyz")).status_code == 200:
            pass
        assert ready.json()["phase"] == "draining"
        assert client.get("/livez").status_code == 200
        refused = client.post("/v1/chat/completions", json=body("hi"))
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) > 0
        assert list(lines)[-2] == "data: [DONE]"
    assert process.wait(20) == 0
    assert process.stdout.read() == "ended\n"


def test_the_drain_timeout_cuts_off(start: Any) -> None:
    process, client = start(0.05)
    with client, stream(client, "stall") as running:
        lines = running.iter_lines()
        next(lines)
        process.send_signal(signal.SIGTERM)
        assert "shut down before the answer's end" in "".join(lines)
    assert process.wait(20) == 0


def test_a_second_signal_ends_at_once(start: Any) -> None:
    process, client = start()
    with client, stream(client, "stall") as running:
        next(running.iter_lines())
        process.send_signal(signal.SIGTERM)
        while client.get("/readyz").status_code == 200:
            pass
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 128 + signal.SIGTERM


def test_an_idle_server_ends(start: Any) -> None:
    process, client = start()
    with client:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def test_a_taken_port() -> None:
    with bind("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port}"):
            bind("127.0.0.1", port)


@pytest.mark.parametrize("port", [-1, 65_536])
def test_a_port_that_is_none(port: int) -> None:
    with pytest.raises(ConfigError, match="Can't listen"):
        bind("127.0.0.1", port)


def test_url_of_a_wildcard_reaches_this_machine() -> None:
    with bind("0.0.0.0", 0) as listener:  # noqa: S104 - what is tested
        assert url_of(listener).startswith("http://127.0.0.1:")
