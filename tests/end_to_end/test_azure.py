"""The whole way on Azure with the real command line: from what fine-tuning left, and back to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.azure.double.state import SUBSCRIPTION
from tests.end_to_end.azure_asking import Load, ask, until
from tests.end_to_end.azure_cloud import GROUP, RUNS_ON, Cloud, cloud, set_parameters, sleeper
from tests.end_to_end.deploying import Workspace

pytestmark = RUNS_ON


@pytest.fixture
def here(tmp_path: Path) -> Workspace:
    return sleeper(tmp_path / "project")


@pytest.fixture
def azure(tmp_path: Path, here: Workspace) -> Iterator[Cloud]:
    with cloud(tmp_path / "cloud", here.folder) as found:
        yield found


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
        assert arm <= 4
        assert files == 5
        with Load(client) as load:
            here.train("tone", 2.0)
            second = azure.run("deploy")
            (change,) = second.named("deployed")["changes"]
            assert change.startswith("~ adapter tone")
            load.until_answered()
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
        rotated = azure.run("secret", "rotate").named("api_key")["key"]
        assert not azure.replicas()
        ask(client)
        ask(client, key=rotated)
        assert azure.run("status").named("status")["life"] == "running"
        assert all(event["same"] for event in azure.run("verify").events)
        azure.run("secret", "retire")
        assert client.get("/v1/models").status_code == 401
        ask(client, key=rotated)

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
