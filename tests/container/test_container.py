"""A deployment to a container: a process that has Python and PyTorch, and a share's folder."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from remora.errors import ReleaseRefused
from remora.project.project import find_project
from remora.release.changes import Change
from remora.release.directory_share import DirectoryShare
from remora.release.manifest import Role
from remora.release.publish import Provenance
from remora.release.report import Report
from remora.release.runtime import Runtime, this_runtime
from remora.targets.admin_api import AdminApi
from remora.targets.deploy import Deployed, Deployment
from remora.targets.target import Life, TargetState
from tests.container.wheelhouse import linked
from tests.end_to_end.deploying import Workspace, workspace

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="links PyTorch's folders"),
]
KEY = "a-key-of-this-test"


@dataclass
class Container:
    """A target whose server is started as a container's command is."""

    root: Path
    folder: Path
    name: str = "container"
    port: int = 0
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def share(self) -> DirectoryShare:
        return DirectoryShare(self.root)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def runtime(self) -> Runtime:
        return this_runtime()

    @property
    def containers(self) -> Collection[Role]:
        return [Role.SERVE]

    @property
    def poll(self) -> float:
        return 0.03

    def start(self, changed: Collection[Change] = (), *, wakes: bool = True) -> bool:
        if self.process is not None:
            return False
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        python = getattr(sys, "_base_executable", sys.executable)
        command = [python, str(self.root / ".remora" / "start.py"), "serve"]
        command += ["--host", "127.0.0.1", "--port", str(self.port)]
        environment = {
            "PATH": os.environ["PATH"], "PYTHONPATH": str(self.folder / "torch"),
            "PYTHONNOUSERSITE": "1", "OMP_NUM_THREADS": "1", "HOME": str(self.folder),
            "REMORA_SHARE": str(self.root), "REMORA_STATE": str(self.folder / "state"),
            "REMORA_API_KEY": KEY, "REMORA_ADMIN_KEY": KEY,
        }  # fmt: skip
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        return True

    def state(self) -> TargetState:
        if self.process is None:
            return TargetState(Life.STOPPED)
        code = self.process.poll()
        return TargetState(Life.RUNNING) if code is None else TargetState(Life.FAILED, f"{code}")

    def report(self) -> Report | None:
        return AdminApi(self.url, KEY).report()

    def push(self) -> None:
        AdminApi(self.url, KEY).push()

    def logs(self, *, follow: bool) -> Iterator[str]:
        yield from (self.folder / "log").read_text(encoding="utf-8").splitlines()

    def down(self) -> bool:
        if self.process is None:
            return False
        self.process.terminate()
        self.process.wait(60)
        return True


@dataclass
class Scene:
    place: Workspace
    container: Container

    def deploy(self) -> Deployed:
        project = find_project(self.place.folder)
        return Deployment(project, self.container, Provenance("me")).run()

    def log(self) -> str:
        return "\n".join(self.container.logs(follow=False))

    def said(self, event: str) -> int:
        return self.log().count(f'"event": "{event}"')


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, state: Path) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("container")
    (folder / "share").mkdir()
    place = workspace(folder / "demo")
    shutil.copytree(state, place.folder / ".remora")
    linked(["torch"], folder / "torch")
    made = Scene(place, Container(folder / "share", folder))
    try:
        made.deploy()
        yield made
    finally:
        made.container.down()


def ask(scene: Scene, model: str) -> str:
    messages = [{"role": "user", "content": "What is a remora?"}]
    body = {"model": model, "messages": messages, "temperature": 0, "max_tokens": 8}
    answer = httpx.post(
        f"{scene.container.url}/v1/chat/completions",
        json=body, headers={"Authorization": f"Bearer {KEY}"}, timeout=60,
    )  # fmt: skip
    assert answer.status_code == 200, answer.text
    return str(answer.json()["choices"][0]["message"]["content"])


def test_it_serves_what_was_deployed_and_says_how_long_each_phase_took(scene: Scene) -> None:
    assert ask(scene, "tone")
    lines = [json.loads(line) for line in scene.container.logs(follow=False)]
    begun = [line["phase"] for line in lines if line.get("seconds", 0) is None]
    assert begun == ["release", "unpack", "import", "read", "build", "prove"]
    ended = [
        line["phase"]
        for line in lines
        if line.get("event") == "phase" and line["seconds"] is not None
    ]
    assert [phase for phase in ended if phase in begun] == begun
    assert ended[-1] == "ready"


def test_a_deployment_with_nothing_to_do_brings_nothing(scene: Scene) -> None:
    assert scene.deploy().changes == ()


def test_an_adapter_is_exchanged_and_a_refused_one_is_not(scene: Scene) -> None:
    starts = scene.said("start")
    scene.place.train("tone", 0.5)
    assert [change.name for change in scene.deploy().changes] == ["tone"]
    scene.place.train("tone", 0.0)
    with pytest.raises(ReleaseRefused):
        scene.deploy()
    scene.place.train("tone", 1.0)
    scene.deploy()
    assert ask(scene, "tone")
    assert scene.said("start") == starts


def test_other_settings_start_the_server_anew_in_the_same_container(scene: Scene) -> None:
    process, starts, unpacked = scene.container.process, scene.said("start"), scene.said("phase")
    scene.place.set_engine("threads = 1\nmax_batch_size = 3")
    changed = [change.name for change in scene.deploy().changes]
    assert "max_batch_size" in changed
    assert ask(scene, "tone")
    assert scene.container.process is process
    assert process is not None
    assert process.poll() is None
    assert scene.said("start") == starts + 1
    assert scene.said("phase") > unpacked
