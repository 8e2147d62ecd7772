"""The whole way on Azure with the real command line: from what fine-tuning left, and back to it."""

from __future__ import annotations

import json
import platform
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

from tests.azure.double.runtime import sandbox
from tests.azure.double.state import SUBSCRIPTION
from tests.end_to_end.azure_cloud import GROUP, SPEED, Cloud, cloud, container_section
from tests.end_to_end.deploying import Workspace, workspace

COOLDOWN = 15  # s without a request until the server sleeps
REASON = sandbox.unavailable()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(REASON is not None, reason=str(REASON)),
    pytest.mark.skipif(
        platform.machine() != "x86_64" or sys.platform != "linux",
        reason="containers on Azure are Linux on x86-64",
    ),
]


@pytest.fixture
def here(tmp_path: Path) -> Workspace:
    made = workspace(tmp_path / "project")
    file = made.folder / "remora.toml"
    file.write_text(file.read_text(encoding="utf-8") + container_section(), encoding="utf-8")
    set_parameters(made.folder, {"cooldownSeconds": COOLDOWN * SPEED})
    return made


def set_parameters(project: Path, values: dict[str, Any]) -> None:
    """Write the file that says what to provision."""
    file = project / "infra" / "provision" / "inference.parameters.json"
    file.parent.mkdir(parents=True)
    parameters = {name: {"value": value} for name, value in values.items()}
    file.write_text(json.dumps({"parameters": parameters}), encoding="utf-8")


@pytest.fixture
def azure(tmp_path: Path, here: Workspace) -> Iterator[Cloud]:
    with cloud(tmp_path / "cloud", here.folder) as found:
        yield found


def ask(client: httpx.Client, model: str = "tone") -> str:
    """One streamed answer, whole."""
    body = {
        "model": model,
        "messages": [{"role": "user", "content": "Hello"}],
        "max_tokens": 8,
        "temperature": 0,
        "stream": True,
    }
    with client.stream("POST", "/v1/chat/completions", json=body) as answer:
        text = answer.read().decode()
    assert answer.status_code == 200, text
    assert text.rstrip().endswith("data: [DONE]"), text
    return text


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.05)


class Load:
    """Clients that ask one after the other, without a break, until it ends."""

    def __init__(self, client: httpx.Client, count: int = 4) -> None:
        self.answers = 0
        self.failed: list[str] = []
        self._client = client
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(count)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        while not self._stop.is_set():
            try:
                ask(self._client)
                self.answers += 1
            except (AssertionError, httpx.HTTPError) as error:
                self.failed.append(repr(error))


def served(client: httpx.Client, model: str) -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"/v1/models/{model}").raise_for_status().json()
    return found


def test_from_fine_tuning_to_an_endpoint_and_back(azure: Cloud, here: Workspace) -> None:
    before = azure.resources()
    made = azure.run(
        "provision", "--subscription", SUBSCRIPTION, "--resource-group", GROUP, "--yes"
    )
    azure.keys["api"] = made.named("api_key")["key"]

    first = azure.run("deploy")
    url = first.named("endpoint")["url"]
    assert url.startswith("https://")

    with azure.client(url) as client:
        assert client.get("/v1/models", headers={"Authorization": ""}).status_code == 401
        ask(client)
        old = served(client, "tone")["digest"]

        asked = azure.calls()
        assert azure.run("deploy").named("deployed")["changes"] == []
        arm, files = (now - then for now, then in zip(azure.calls(), asked, strict=True))
        assert arm <= 8
        assert files == 7
        with Load(client) as load:
            here.train("tone", 2.0)
            second = azure.run("deploy")
            (change,) = second.named("deployed")["changes"]
            assert change.startswith("~ adapter tone")
            until(lambda: load.answers > 8)
        assert not load.failed
        assert served(client, "tone")["digest"] != old

        azure.run("rollback")
        assert served(client, "tone")["digest"] == old
        history = [event["action"] for event in azure.run("releases").events]
        assert history == ["publish", "publish", "rollback"]

        until(lambda: not azure.replicas())
        assert azure.run("status").named("status")["life"] == "asleep"
        here.train("tone", 3.0)
        assert azure.run("deploy", "--no-wake").named("deployed")["asleep"]
        models = client.get("/v1/models").raise_for_status().json()["data"]
        assert {model["id"] for model in models} >= {"tone", "json", "pirate"}
        ask(client)
        assert azure.run("status").named("status")["life"] == "running"
        assert all(event["same"] for event in azure.run("verify").events)

    azure.run("down", "--yes")
    after = azure.resources()
    assert after.keys() == before.keys()
    for key, body in before.items():
        # An environment keeps the workload profile that it was given: others may use it by now.
        added = after[key]["properties"].pop("workloadProfiles", [])
        profiles = body["properties"].pop("workloadProfiles", [])
        assert all(profile in added for profile in profiles)
        assert after[key] == body


SERVER = """
import http.server, pathlib

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = pathlib.Path("answer.txt").read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

http.server.ThreadingHTTPServer(("0.0.0.0", 7860), Handler).serve_forever()
"""


def test_commands_of_ai_toolkit_run_as_they_are(tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "inference").mkdir(parents=True)
    (project / "inference" / "gradio_chat.py").write_text(SERVER, encoding="utf-8")
    answer = project / "inference" / "answer.txt"
    answer.write_text("first", encoding="utf-8")
    commands = ["cd /mount/inference", "python3 ./gradio_chat.py"]
    set_parameters(project, {"defaultCommands": commands})
    with cloud(tmp_path / "cloud", project) as azure:
        azure.run(
            "provision", "--subscription", SUBSCRIPTION, "--resource-group", GROUP,
            "--keep-commands", "--yes",
        )  # fmt: skip
        url = azure.run("deploy").named("endpoint")["url"]
        with azure.client(url) as client:
            assert client.get("/").text == "first"
            answer.write_text("second", encoding="utf-8")
            sent = azure.run("deploy").named("deployed")["files"]
            assert sent == ["inference/answer.txt"]
            assert client.get("/").text == "second"
