from __future__ import annotations

import json
import shlex
import shutil
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from remora.cli.launch import curl_line
from tests.cli.conftest import Remora
from tests.cli.serving import Serving, folder_of, named
from tests.engine.oracle import ADAPTERS, make_adapter, make_model
from tests.trees import make_base

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="ends processes with SIGINT")

BODY = {"model": "tone", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("serve")
    base = make_model(folder / "base", "llama2")
    settings = base / "generation_config.json"
    said = json.loads(settings.read_text("utf-8")) if settings.is_file() else {}
    settings.write_text(json.dumps(said | {"top_k": 7}), "utf-8")
    adapter = make_adapter(base, folder / "tone", ADAPTERS["attention"])
    return folder_of(base, adapter, folder / "project")


@pytest.fixture(scope="module")
def serving(project: Path) -> Iterator[tuple[Serving, list[dict[str, Any]]]]:
    with Serving(str(project), "--json") as process:
        yield process, process.until("ready")


Started = tuple[Serving, list[dict[str, Any]]]


def test_events_and_log_tell_how_long_each_phase_took(serving: Started) -> None:
    process, events = serving
    phases = [event for event in events if event["event"] == "phase"]
    names = ["import", "read", "build"]
    assert [event["phase"] for event in phases if event["seconds"] is None] == names
    took = {e["phase"]: e["seconds"] for e in phases if e["seconds"] is not None}
    assert list(took) == [*names, "ready"]
    assert took["ready"] == pytest.approx(sum(took[name] for name in names), abs=0.01)
    lines = [json.loads(line) for line in process.log().splitlines()]
    logged = {line["phase"]: line["seconds"] for line in lines if "phase" in line}
    assert logged == took


def test_events_tell_the_start(serving: Started) -> None:
    _, events = serving
    names = list(dict.fromkeys(event["event"] for event in events))
    assert names == ["found", "listening", "phase", "loading", "ready"]
    assert [event["kind"] for event in events if event["event"] == "found"] == [
        "config",
        "base",
        "adapter",
    ]
    ready = named(events, "ready")
    assert ready["url"] == named(events, "listening")["url"]
    assert [(model["id"], model["parent"]) for model in ready["models"]] == [
        ("tiny", None),
        ("tone", "tiny"),
    ]


def test_the_endpoint_answers_and_chat_talks_to_it(serving: Started, remora: Remora) -> None:
    url = named(serving[1], "ready")["url"]
    answer = httpx.post(f"{url}/v1/chat/completions", json=BODY, timeout=60)
    assert answer.status_code == 200
    assert answer.json()["usage"]["completion_tokens"] <= 4
    ran = remora("chat", "Hi", "--endpoint", url, "--model", "tone", "--json")
    assert ran.code == 0
    assert named(ran.events, "finish")["reason"] in {"stop", "length"}
    assert named(ran.events, "usage")["prompt_tokens"] > 0


def default_top_k(events: list[dict[str, Any]]) -> int:
    url = named(events, "ready")["url"]
    [found] = {each["defaults"]["top_k"] for each in httpx.get(f"{url}/v1/models").json()["data"]}
    return int(found)


def test_the_model_s_own_sampling_is_the_default_unless_it_is_turned_off(
    serving: Started, project: Path
) -> None:
    assert default_top_k(serving[1]) == 7
    with Serving(str(project), "--no-generation-config", "--json") as process:
        assert default_top_k(process.until("ready")) == 0


def test_an_unknown_model_is_told_with_the_nearest(serving: Started, remora: Remora) -> None:
    url = named(serving[1], "ready")["url"]
    ran = remora("chat", "Hi", "--endpoint", url, "--model", "tona")
    assert ran.code == 4
    assert "Did you mean 'tone'" in ran.err


def test_a_port_that_is_taken(project: Path, remora: Remora) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        ran = remora("serve", str(project), "--port", port)
    assert ran.code == 2
    assert port in ran.err
    assert "hint: " in ran.err


def test_a_person_is_told_address_models_and_a_line_that_works(project: Path) -> None:
    with Serving(str(project)) as process:
        shown = []
        for line in process.lines():
            shown.append(line)
            if "Ctrl-C" in line:
                break
        text = "\n".join(shown)
        assert "Remora is ready at http://127.0.0.1:" in text
        assert "adapter, rank 4" in text
        command = shlex.split(next(line for line in shown if line.startswith("curl ")))
        if shutil.which("curl"):
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            assert '"model": "tone"' in done.stdout or '"model":"tone"' in done.stdout
        assert process.stop() == 0
        assert list(process.lines()) == ["Stopped."]


def test_an_address_that_others_reach_shows_a_key_once_and_requires_it(project: Path) -> None:
    with Serving(str(project), "--host", "0.0.0.0", "--json") as process:  # noqa: S104
        events = process.until("ready")
        key, url = named(events, "api_key")["key"], named(events, "ready")["url"]
        assert httpx.post(f"{url}/v1/chat/completions", json=BODY).status_code == 401
        with_key = {"Authorization": f"Bearer {key}"}
        models = httpx.get(f"{url}/v1/models", headers=with_key)
        assert models.status_code == 200
        assert process.stop() == 0
        assert [event["event"] for event in process.events()] == ["stopped"]
        assert sum(key in str(event) for event in events) == 1
        assert key not in process.log()


def test_a_model_that_cant_be_served_ends_it_with_its_code(tmp_path: Path) -> None:
    base = make_base(tmp_path / "base")
    with Serving("--base", str(base), "--port", "0", "--json") as process:
        error = named(process.until("error"), "error")
        assert process.process.wait(60) == error["exit_code"] == 3
        assert "could not be loaded" in error["message"]


def test_what_the_checks_find_is_told_and_its_adapter_not_served(
    project: Path, tmp_path: Path
) -> None:
    config = (project / "remora.toml").read_text(encoding="utf-8")
    good = Path(tomllib.loads(config)["adapters"]["tone"])
    broken = Path(shutil.copytree(good, tmp_path / "broken"))
    settings = json.loads((broken / "adapter_config.json").read_text(encoding="utf-8"))
    (broken / "adapter_config.json").write_text(json.dumps({**settings, "r": 9}), encoding="utf-8")
    odd = Path(shutil.copytree(good, tmp_path / "odd"))
    (odd / "chat_template.jinja").write_text("<|hm|>{{ messages }}", encoding="utf-8")
    adapters = ["--adapter", f"broken={broken}", "--adapter", f"odd={odd}"]
    with Serving(str(project), *adapters, "--json") as process:
        events = process.until("ready")
        told = [(e["model"], e["code"]) for e in events if e["event"] == "diagnostic"]
        assert told == [
            ("broken", "rank"),
            ("odd", "own-template"),
            ("odd", "missing-tokens"),
        ]
        states = {m["id"]: (m["state"], m["reason"]) for m in named(events, "ready")["models"]}
        assert states["broken"][0] == "failed"
        assert "the configuration says 9" in states["broken"][1]
        assert states["odd"][0] != "failed"
        url = named(events, "ready")["url"]
        asked = httpx.post(f"{url}/v1/chat/completions", json={**BODY, "model": "broken"})
        assert asked.status_code == 400
        assert "the configuration says 9" in asked.text
        later = {"name": "later", "path": str(broken)}
        assert httpx.post(f"{url}/admin/adapters", json=later).status_code == 400


def test_a_base_that_the_checks_refuse_is_not_loaded(project: Path, tmp_path: Path) -> None:
    config = (project / "remora.toml").read_text(encoding="utf-8")
    base = Path(shutil.copytree(Path(tomllib.loads(config)["model"]["base"]), tmp_path / "base"))
    next(base.glob("model-0*.safetensors")).unlink()
    with Serving("--base", str(base), "--port", "0", "--json") as process:
        events = process.until("error")
        assert named(events, "diagnostic")["code"] == "base-weights"
        assert "it is not there" in named(events, "error")["message"]
        assert process.process.wait(60) == 3


def test_packages_that_are_missing_are_named(
    project: Path, remora: Remora, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("remora.cli.launch.SERVE_MODULES", ("torch", "no_such_module"))
    ran = remora("serve", str(project))
    assert ran.code == 2
    assert "not installed: no_such_module" in ran.err
    assert "pip install 'remora-serve[serve]'" in ran.err


def test_the_curl_line_suits_the_shell() -> None:
    line = curl_line("http://h:1", "it's", with_key=False, platform="linux")
    assert shlex.split(line)[-1].startswith('{"model": "it\'s"')
    line = curl_line("http://h:1", "m", with_key=True, platform="win32")
    assert '-d "{\\"model\\": \\"m\\"' in line
    assert "Bearer %REMORA_API_KEY%" in line
