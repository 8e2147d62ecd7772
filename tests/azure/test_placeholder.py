"""What a container does until something is deployed to its share."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.azure.bicep.__main__ import COMPILED

START = "import sys\nprint('started', *sys.argv[1:], flush=True)\nraise SystemExit(7)\n"
Launch = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def remora(tmp_path: Path) -> Path:
    folder = tmp_path / "share" / ".remora"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def launch(port: int, remora: Path, tmp_path: Path) -> Iterator[Launch]:
    """Starts the command of the template, on a port of its own."""
    template = json.loads(COMPILED.read_text(encoding="utf-8"))
    program, option, text = template["variables"]["start"]
    assert (program, option, text) == ("python3", "-c", "[variables('$fxv#0')]")
    source = template["variables"]["$fxv#0"].replace("PORT = 7860", f"PORT = {port}")
    running: list[subprocess.Popen[str]] = []

    def start(*flags: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, *flags, "-c", source, "serve"],
            cwd=tmp_path,
            env=os.environ | {"REMORA_SHARE": str(remora.parent)},
            stdout=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


def ask(port: int, method: str, path: str) -> httpx.Response:
    """The answer, as soon as anything listens."""
    limit = time.monotonic() + 60
    while True:
        try:
            return httpx.request(method, f"http://127.0.0.1:{port}{path}", trust_env=False)
        except httpx.TransportError:
            assert time.monotonic() < limit
            time.sleep(0.05)


def release(remora: Path) -> None:
    (remora / "log").mkdir()
    (remora / "log" / "00000001.json").write_text("{}", encoding="utf-8")


@pytest.mark.parametrize("last", ["release", "start.py"])
def test_it_answers_until_there_is_a_release_and_then_becomes_the_server(
    launch: Launch, port: int, remora: Path, last: str
) -> None:
    if last == "start.py":
        release(remora)
    else:
        (remora / "start.py").write_text(START, encoding="utf-8")
    process = launch("-I", "-S")  # As in an image that has no Remora inside.
    assert ask(port, "GET", "/livez").status_code == 200
    assert ask(port, "GET", "/readyz").status_code == 200
    refused = ask(port, "POST", "/v1/chat/completions")
    assert refused.status_code == 503
    assert refused.headers["Retry-After"] == "30"
    assert "remora deploy" in refused.json()["error"]["message"]
    assert process.poll() is None
    if last == "start.py":
        (remora / "start.py").write_text(START, encoding="utf-8")
    else:
        release(remora)
    output, _ = process.communicate(timeout=60)
    assert output.splitlines()[-1] == "started serve"
    assert process.returncode == 7


def test_an_image_with_remora_inside_needs_no_start_file(
    launch: Launch, remora: Path, tmp_path: Path
) -> None:
    package = tmp_path / "remora" / "container"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").touch()
    (package / "__init__.py").touch()
    (package / "start.py").write_text(START, encoding="utf-8")
    release(remora)
    process = launch()
    output, _ = process.communicate(timeout=60)
    assert output == "started serve\n"


@pytest.mark.skipif(sys.platform == "win32", reason="containers get POSIX signals")
def test_it_ends_when_it_is_told_to(launch: Launch, port: int) -> None:
    process = launch("-I", "-S")
    ask(port, "GET", "/livez")
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 0
