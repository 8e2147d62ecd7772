"""`remora front` in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import openai
import pytest

from benchmarks.servers import free_port, running
from remora.gateway.settings import GatewaySettings
from tests.cli.conftest import Remora
from tests.cli.serving import Serving, named
from tests.gateway.conftest import Endpoint
from tests.gateway.scripted_backend import ScriptedBackend
from tests.reconcile.conftest import Shelf

KEYS = {"REMORA_API_KEY": "new", "REMORA_API_KEY_2": "old", "REMORA_ADMIN_KEY": "root"}
BODY = {"model": "support", "messages": [{"role": "user", "content": "a b c"}]}


@pytest.fixture
def behind() -> Iterator[Endpoint]:
    settings = GatewaySettings(api_keys=("new", "old"), admin_keys=("root",), drain_timeout=0.1)
    endpoint = Endpoint(ScriptedBackend(), settings)
    yield endpoint
    endpoint.stop()


def test_it_stands_before_a_server_with_what_the_container_gives_it(
    behind: Endpoint, tmp_path: Path
) -> None:
    shelf = Shelf(tmp_path / "share")
    shelf.publish(shelf.content({"support": "1"}))
    env = {
        **KEYS,
        "REMORA_UPSTREAM": behind.url,
        "REMORA_SHARE": str(shelf.share.root),
        "REMORA_MAX_HOURS_AWAKE": "0",
    }
    listen = ("--host", "0.0.0.0", "--port", "0", "--json")  # noqa: S104
    with Serving(*listen, env=env, command=("front",)) as process:
        url = named(process.until("ready"), "ready")["url"]
        with httpx.Client(base_url=url, timeout=20) as client:
            assert client.get("/v1/models").status_code == 401
            for key in ("new", "old"):
                headers = {"Authorization": f"Bearer {key}"}
                listed = client.get("/v1/models", headers=headers).json()["data"]
                assert [model["id"] for model in listed] == ["base", "support"]
                answer = client.post("/v1/chat/completions", json=BODY, headers=headers)
                assert answer.json()["choices"][0]["message"]["content"] == "a b c"
            assert client.get("/status", headers=headers).json()["presence"] == "awake"
        assert process.stop() == 0
        assert "new" not in process.log()


def test_a_share_that_is_none(remora: Remora, tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")
    ran = remora("front", "--upstream", "http://127.0.0.1:1", "--share", missing, "--port", "0")
    assert ran.code == 2
    assert "not a folder" in ran.err


def test_an_address_that_is_none(remora: Remora) -> None:
    ran = remora("front", "--upstream", "ftp://there", "--port", "0")
    assert ran.code == 4
    assert "not an address" in ran.err


def test_nothing_heavy_is_loaded() -> None:
    program = (
        "import sys, remora.backends.upstream.backend, remora.reconcile.released,"
        " remora.gateway.routes.front, remora.gateway.server; print(*sys.modules)"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    assert {"torch", "numpy", "gradio", "tokenizers", "azure"}.isdisjoint(loaded)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_server_that_is_killed_in_mid_stream() -> None:
    server = [sys.executable, "-m", "benchmarks.paced_server", "--pace", "0.05"]
    port = free_port()
    with (
        running([*server, "--port", str(port)], port, {}) as behind,
        Serving(
            *("--upstream", f"http://127.0.0.1:{port}", "--port", "0", "--no-ui", "--json"),
            command=("front",),
        ) as process,
    ):
        url = named(process.until("ready"), "ready")["url"]
        behind.wait_until_ready("/readyz")
        client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=20)
        stream = client.chat.completions.create(
            model="paced",
            messages=[{"role": "user", "content": "go on"}],
            stream=True,
            max_tokens=1000,
        )
        chunks = iter(stream)
        assert next(chunks).choices[0].delta.content == " word"
        behind.process.kill()
        with pytest.raises(openai.APIError, match="broke off before the answer's end"):
            list(chunks)
        with httpx.Client(base_url=url) as http:
            assert http.get("/readyz").status_code == 200
            assert http.get("/status").json()["running"] == 0
        client.close()
