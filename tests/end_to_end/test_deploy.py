"""`remora deploy` and its kin, through the real command line, on the demo."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from remora.backends.backend import fingerprint
from tests.end_to_end.deploying import Workspace, finish, workspace

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="sends signals"),
]


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """The demo, deployed once; each test leaves it served, by whatever release."""
    made = workspace(tmp_path_factory.mktemp("deploy") / "demo")
    try:
        made.deploy()
        yield made
    finally:
        made.run("down")


def url_of(place: Workspace) -> str:
    return str(place.status()["url"])


def served(place: Workspace) -> tuple[str, str]:
    """The release that is served, and where the server stands."""
    report = place.status()["report"]
    return report["served"]["release"], report["standing"]


def ask(url: str, model: str, **further: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": "What is a remora?"}]
    body = {"model": model, "messages": messages, "temperature": 0, "max_tokens": 12, **further}
    answer = httpx.post(f"{url}/v1/chat/completions", json=body, timeout=60)
    assert answer.status_code == 200, answer.text
    reply: dict[str, Any] = answer.json()
    return reply


def server_pid(place: Workspace) -> int:
    state = place.folder / ".remora" / "local" / "state.json"
    return int(json.loads(state.read_text(encoding="utf-8"))["server"]["pid"])


def test_a_completion_names_the_release_and_the_adapter(deployed: Workspace) -> None:
    event = deployed.deploy().named("deployed")
    digests = {model["name"]: model["digest"] for model in event["models"]}
    assert {model["state"] for model in event["models"]} == {"ready"}
    said = ask(event["url"], "tone")["system_fingerprint"]
    assert said == fingerprint(event["release"], digests["tone"])
    assert ask(event["url"], "base")["system_fingerprint"] == fingerprint(event["release"], "")


def test_nothing_to_do_is_quick_and_loads_nothing_heavy(deployed: Workspace) -> None:
    before, pid = served(deployed), server_pid(deployed)
    assert deployed.deploy().named("deployed")["changes"] == []
    assert (served(deployed), server_pid(deployed)) == (before, pid)
    program = "import sys; from remora.cli.main import main\ntry: main()\n"
    program += "finally: print({'torch', 'gradio', 'starlette'} & set(sys.modules))"
    command = [sys.executable, "-c", program, "deploy", "--json"]
    done = subprocess.run(command, cwd=deployed.folder, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"


def test_an_adapter_is_exchanged_while_others_stream(deployed: Workspace) -> None:
    url, pid = url_of(deployed), server_pid(deployed)
    before = ask(url, "tone", max_tokens=60)
    began, texts, failures = threading.Semaphore(0), {}, []

    def stream(number: int) -> None:
        body = {
            "model": "tone",
            "messages": [{"role": "user", "content": "What is a remora?"}],
            "temperature": 0,
            "max_tokens": 150,
            "ignore_eos": True,
            "stream": True,
        }
        text, seen, prints = "", "", set()
        try:
            with httpx.stream(
                "POST", f"{url}/v1/chat/completions", json=body, timeout=60
            ) as answer:
                for line in answer.iter_lines():
                    seen += line
                    if line.startswith("data: {"):
                        event = json.loads(line.removeprefix("data: "))
                        prints.add(event["system_fingerprint"])
                        text += event["choices"][0]["delta"].get("content") or ""
                        began.release()
                assert "[DONE]" in seen
            texts[number] = (text, prints)
        except Exception as error:  # noqa: BLE001  Told by the test's own thread.
            failures.append(error)

    streams = [threading.Thread(target=stream, args=(number,)) for number in range(4)]
    for thread in streams:
        thread.start()
    for _ in range(12 * len(streams)):
        assert began.acquire(timeout=60)
    deployed.train("tone", 1.5)
    event = deployed.deploy().named("deployed")
    assert [change.split(" (")[0] for change in event["changes"]] == ["~ adapter tone"]
    after = ask(url, "tone", max_tokens=60)
    for thread in streams:
        thread.join(60)
    assert not failures
    assert len({text for text, _ in texts.values()}) == 1, "all streams ran with one version"
    assert {name for _, names in texts.values() for name in names} == {before["system_fingerprint"]}
    assert after["system_fingerprint"] != before["system_fingerprint"]
    assert server_pid(deployed) == pid


@pytest.mark.parametrize(
    ("fault", "code", "said"),
    [
        ("no effect", 6, "'tone': this adapter has no effect"),
        ("truncated", 3, "tone"),
        ("other base", 3, "tone"),
    ],
)
def test_a_bad_adapter_is_not_served_and_the_old_release_goes_on(
    deployed: Workspace, fault: str, code: int, said: str
) -> None:
    before, folder = served(deployed), deployed.folder / "adapters" / "tone"
    good = shutil.copytree(folder, deployed.folder.parent / f"good-{code}-{fault[:2]}")
    match fault:
        case "no effect":
            deployed.train("tone", 0.0)
        case "truncated":
            weights = folder / "adapter_model.safetensors"
            weights.write_bytes(weights.read_bytes()[:-100])
        case "other base":
            deployed.widen("tone")
    ran = deployed.run("deploy")
    shutil.copytree(good, folder, dirs_exist_ok=True)
    assert ran.code == code, (ran.events, ran.err)
    assert said in ran.error
    assert ran.named("error")["hint"]
    assert served(deployed) == before
    assert deployed.deploy().named("deployed")["changes"] == [], "it was taken back"


def test_rolling_back_under_load_and_verify(deployed: Workspace) -> None:
    deployed.train("tone", 1.25)
    newer = deployed.deploy().named("deployed")["release"]
    assert deployed.run("verify").code == 0
    url, stop, codes = url_of(deployed), threading.Event(), []

    def load() -> None:
        while not stop.is_set():
            codes.append(bool(ask(url, "tone", max_tokens=4)["system_fingerprint"]))

    thread = threading.Thread(target=load)
    thread.start()
    ran = deployed.run("rollback")
    stop.set()
    thread.join(60)
    assert ran.code == 0, ran.events
    assert codes
    assert served(deployed) == (ran.named("rolled_back")["release"], "ready")
    differs = deployed.run("verify")
    assert differs.code == 1
    assert [e["name"] for e in differs.events if e["event"] == "model" and not e["same"]] == [
        "tone"
    ]
    listed = [e for e in deployed.run("releases").events if e["event"] == "release"]
    assert [(e["release"], e["action"]) for e in listed[-2:]] == [
        (newer, "publish"),
        (ran.named("rolled_back")["release"], "rollback"),
    ]
    assert deployed.run("rollback", newer[:10]).code == 0
    assert served(deployed) == (newer, "ready")
    pruned = deployed.run("prune", "--keep", "1", "--dry-run").named("pruned")
    assert newer in pruned["kept"]
    assert pruned["releases"] == 0, "all were current within the last hour"


def test_other_settings_restart_the_server_and_ctrl_c_takes_them_back(deployed: Workspace) -> None:
    before, pid = served(deployed), server_pid(deployed)
    deployed.set_engine("threads = 1\nmax_batch_size = 5")
    process = deployed.start("deploy", "--json")
    assert process.stdout is not None
    for line in process.stdout:
        # A look every 30 ms need not see the moment in which it says that it restarts.
        if json.loads(line).get("phase") == "serve":
            process.send_signal(signal.SIGINT)
            break
    assert finish(process).code == 130
    assert deployed.deploy().code == 0
    assert server_pid(deployed) != pid
    listed = [e["action"] for e in deployed.run("releases").events]
    assert listed[-3:] == ["publish", "rollback", "publish"]
    deployed.set_engine("threads = 1")
    assert deployed.run("rollback").code == 0
    assert served(deployed) == before


def test_code_travels_and_a_change_of_it_restarts_the_server(deployed: Workspace) -> None:
    pid, code = server_pid(deployed), deployed.folder / "inference" / "prompts.py"
    code.parent.mkdir()
    texts = ["WORDS = 'first'", "WORDS = 'second'"]
    for text in texts:
        code.write_text(text, encoding="utf-8")
        deployed.set_engine("threads = 1\n[code]")
        event = deployed.deploy().named("deployed")
        assert [change.split()[1] for change in event["changes"]] == ["code"]
        assert served(deployed) == (event["release"], "ready")
        assert server_pid(deployed) != pid
        assert unpacked(deployed).joinpath("code", "inference", "prompts.py").read_text() == text
        pid, packed = server_pid(deployed), archives(deployed)
        assert deployed.deploy().named("deployed")["changes"] == []
        assert (server_pid(deployed), archives(deployed)) == (pid, packed)
    code.write_text("import nowhere", encoding="utf-8")
    failed = deployed.run("deploy")
    assert failed.code == 6
    assert "import nowhere: No module named" in failed.error
    assert "requirements" in failed.named("error")["hint"]
    assert served(deployed) == (event["release"], "ready")
    deployed.set_engine("threads = 1")
    assert deployed.deploy().named("deployed")["changes"][0].startswith("- code")


def unpacked(place: Workspace) -> Path:
    """Where the server says that its code is."""
    log = (place.folder / ".remora" / "local" / "server.log").read_text(encoding="utf-8")
    events = [json.loads(line) for line in log.splitlines() if '"event": "code"' in line]
    return Path(events[-1]["path"])


def archives(place: Workspace) -> dict[str, int]:
    """The archives of code on this machine, and when they were written."""
    folder = place.folder / ".remora" / "code"
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


def test_a_server_that_is_killed_comes_back(deployed: Workspace) -> None:
    before, pid = served(deployed), server_pid(deployed)
    os.kill(pid, signal.SIGKILL)
    assert deployed.deploy().named("deployed")["changes"] == []
    assert served(deployed) == before
    assert deployed.status()["restarts"] == 1


@pytest.mark.parametrize(
    ("phase", "scale"),
    [("survey", 1.1), ("publish", 1.12), ("serve", 1.14)],
)
def test_a_deployer_that_is_killed_leaves_the_old_release_or_the_new(
    deployed: Workspace, phase: str, scale: float
) -> None:
    before, pid = served(deployed), server_pid(deployed)
    deployed.train("pirate", scale)
    process = deployed.start("deploy", "--json")
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line).get("phase") == phase:
            process.kill()
            break
    process.communicate()
    url = url_of(deployed)
    assert ask(url, "pirate")["choices"]
    event = deployed.deploy().named("deployed")
    assert served(deployed) == (event["release"], "ready")
    assert event["release"] != before[0]
    assert server_pid(deployed) == pid


def test_two_deployers_at_once(deployed: Workspace) -> None:
    deployed.train("pirate", 1.33)
    processes = [deployed.start("deploy", "--json") for _ in range(2)]
    ended = [finish(process) for process in processes]
    assert {ran.code for ran in ended} <= {0, 6}, ended
    assert 0 in {ran.code for ran in ended}
    winner = next(ran for ran in ended if ran.code == 0).named("deployed")
    assert served(deployed) == (winner["release"], "ready")


def test_a_server_that_is_killed_while_it_changes_comes_back_with_the_new(
    deployed: Workspace,
) -> None:
    deployed.train("json", 1.21)
    process = deployed.start("deploy", "--json")
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line).get("phase") == "start":
            os.kill(server_pid(deployed), signal.SIGKILL)
            break
    assert finish(process).code == 0
    assert served(deployed)[1] == "ready"


def test_down_leaves_nothing_behind(tmp_path: Path) -> None:
    place = workspace(tmp_path / "demo")
    place.deploy()
    family = [p.pid for p in psutil.process_iter(["cmdline"]) if str(place.folder) in str(p.info)]
    assert len(family) == 2
    assert place.run("down").named("down")["ended"]
    assert place.status()["life"] == "stopped"
    left = [
        p for p in psutil.process_iter(["cmdline", "status"]) if str(place.folder) in str(p.info)
    ]
    assert not left
    assert not place.run("down").named("down")["ended"]
