"""A deployment that anything can go wrong with, over a real share and a target that follows it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import pytest

from benchmarks.hooked_share import HookedShare
from remora.errors import (
    ReleaseConflict,
    ReleaseError,
    ReleaseRefused,
    RemoraError,
    ShareFull,
    ShareUnavailable,
    TargetError,
)
from remora.project.project import Project, find_project
from remora.release import log
from remora.release.changes import Change
from remora.release.directory_share import DirectoryShare
from remora.release.manifest import Role
from remora.release.publish import Provenance, current, rollback
from remora.release.report import Report, Served, Standing
from remora.release.runtime import Runtime, this_runtime
from remora.release.share import Share
from remora.release.share_path import SharePath
from remora.release.share_tree import ShareTree
from remora.targets.deploy import Deployed, Deployment, roll_back
from remora.targets.target import Life, TargetState
from remora.targets.verify import compare
from tests.release.projects import make_project, train


@dataclass
class FollowingTarget:
    """A server that serves what the share says, unless it is told to refuse it or to die."""

    share: Share
    real: DirectoryShare
    name: str = "fake"
    url: str | None = "http://127.0.0.1:1"
    life: Life = Life.STOPPED
    refused: set[str] = field(default_factory=set)
    served: Served | None = None
    runtime: Runtime = field(default_factory=this_runtime)
    containers: tuple[Role, ...] = ()
    on_start: Callable[[], None] = lambda: None
    poll: float = 0.01

    def start(self, changed: Collection[Change] = (), *, wakes: bool = True) -> bool:
        began, self.life = self.life is not Life.RUNNING, Life.RUNNING
        self.on_start()
        return began

    def state(self) -> TargetState:
        return TargetState(self.life, "killed" if self.life is Life.FAILED else "")

    def report(self) -> Report | None:
        if self.life is not Life.RUNNING:
            return None
        entry = log.latest(self.real)
        assert entry is not None
        wanted = Served(release=entry.release, sequence=entry.sequence)
        if entry.release in self.refused:
            return self._report(Standing.FAILED, wanted, "no effect")
        self.served = wanted
        return self._report(Standing.READY, wanted, None)

    def _report(self, standing: Standing, wanted: Served, reason: str | None) -> Report:
        return Report(
            standing=standing, served=self.served, wanted=wanted, reason=reason, hint="Train it."
        )

    def push(self) -> None:
        return

    def logs(self, *, follow: bool) -> Iterator[str]:
        return iter(())

    def down(self) -> bool:
        ended, self.life = self.life is Life.RUNNING, Life.STOPPED
        return ended


@dataclass
class Scene:
    """A project, its share, and a target."""

    project: Project
    target: FollowingTarget

    def deploy(self, check: Callable[[], bool] = lambda: False) -> Deployed:
        project = find_project(self.project.folder)
        return Deployment(project, self.target, Provenance("me"), check).run()

    def change(self, data: str) -> None:
        train(self.project.adapters["tone"], data)

    def now(self) -> str:
        """The release that is current."""
        found = current(self.target.real)
        assert found is not None
        return found.id


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    project = make_project(tmp_path / "project", "tone")
    share = DirectoryShare(project.folder)
    return Scene(project, FollowingTarget(share, share))


def test_a_deployment_and_one_with_nothing_to_do(scene: Scene) -> None:
    first = scene.deploy()
    assert [change.part for change in first.changes] == ["base", "adapter"]
    assert set(first.seconds) == {"check", "survey", "sync", "publish", "start", "serve"}
    again = scene.deploy()
    assert (again.release, again.sequence, again.changes) == (first.release, 1, ())
    scene.change("better")
    assert [change.name for change in scene.deploy().changes] == ["tone"]


class UnheardTarget(FollowingTarget):
    """A front that was not there yet when it was told to wake the server."""

    pushes: int = 0

    def push(self) -> None:
        self.pushes += 1

    def report(self) -> Report | None:
        return super().report() if self.pushes > 1 else None


def test_a_server_that_is_there_and_says_nothing_is_pushed_again(scene: Scene) -> None:
    target = UnheardTarget(scene.target.share, scene.target.real)
    done = Deployment(scene.project, target, Provenance("me")).run()
    assert done.report is not None
    assert target.pushes == 2


def test_what_the_server_refuses_is_taken_back(scene: Scene) -> None:
    first = scene.deploy()
    scene.change("worse")

    def refuse() -> None:
        scene.target.refused.add(scene.now())

    scene.target.on_start = refuse
    with pytest.raises(ReleaseRefused, match="no effect") as raised:
        scene.deploy()
    assert raised.value.hint == "Train it."
    assert scene.now() == first.release
    scene.target.on_start = lambda: None
    with pytest.raises(ReleaseRefused):
        roll_back(scene.target, next(iter(scene.target.refused)), author="me")
    assert scene.now() == first.release


def test_a_first_deployment_that_fails_leaves_no_server(scene: Scene) -> None:
    def refuse() -> None:
        scene.target.refused.add(scene.now())

    scene.target.on_start = refuse
    with pytest.raises(ReleaseRefused):
        scene.deploy()
    assert scene.target.life is Life.STOPPED


@pytest.mark.parametrize("stage", ["check", "start"])
def test_ctrl_c_leaves_the_old_release(scene: Scene, stage: str) -> None:
    first = scene.deploy()
    scene.change("better")

    def interrupt() -> NoReturn:
        raise KeyboardInterrupt

    if stage == "start":
        scene.target.on_start = interrupt
    with pytest.raises(KeyboardInterrupt):
        scene.deploy(interrupt if stage == "check" else lambda: False)
    assert scene.now() == first.release
    scene.target.on_start = lambda: None
    assert scene.deploy().changes


def test_a_server_that_dies_is_told_and_the_release_taken_back(scene: Scene) -> None:
    first = scene.deploy()
    scene.change("better")

    def die() -> None:
        scene.target.life = Life.FAILED

    scene.target.on_start = die
    with pytest.raises(TargetError, match="killed"):
        scene.deploy()
    assert scene.now() == first.release


def test_somebody_else_s_release_is_not_taken_back(scene: Scene) -> None:
    first = scene.deploy()
    scene.change("better")
    second = scene.deploy()
    scene.change("best")

    def publish() -> None:
        rollback(scene.target.real, first.release, author="you")

    scene.target.on_start = publish
    with pytest.raises(ReleaseConflict):
        scene.deploy()
    assert scene.now() == first.release != second.release


@pytest.mark.parametrize("fault", [ShareFull, ShareUnavailable])
def test_a_fault_at_any_call_of_the_share_leaves_the_old_release_or_serves_the_new(
    tmp_path: Path, fault: type[RemoraError]
) -> None:
    """The fault lasts, as a full disk does: from the nth call on nothing can be done."""
    for fatal in range(1, 200):
        project = make_project(tmp_path / f"{fatal}", "tone")
        real = DirectoryShare(project.folder)
        scene = Scene(project, FollowingTarget(real, real))
        first = scene.deploy()
        scene.change("better")
        calls = 0

        def hook(_operation: str, _path: SharePath, fatal: int = fatal) -> None:
            nonlocal calls
            calls += 1
            if calls >= fatal:
                raise fault("nothing works any more", hint="Wait.")

        scene.target.share = HookedShare(real, hook)
        try:
            scene.deploy()
        except RemoraError as error:
            failed: RemoraError | None = error
        else:
            failed = None
        if failed is None:
            assert scene.now() != first.release
            return
        assert failed.hint
        if scene.now() != first.release:
            assert isinstance(failed, TargetError), "it is published, and could not be taken back"
        scene.target.share = real
        assert scene.deploy().release == scene.now()
        assert scene.target.report() is not None
    raise AssertionError("the deployment never came to its end")


def test_what_lies_here_against_what_is_served(scene: Scene) -> None:
    scene.deploy()
    report = scene.target.report()
    assert report is not None
    rows = compare(scene.project, scene.target, report)
    assert {(row.name, row.same) for row in rows} == {("base", False), ("tone", False)}
    assert all(row.here and not row.there for row in rows)


def test_what_fine_tuning_left_on_the_share_is_compared(tmp_path: Path) -> None:
    share = DirectoryShare(make_project(tmp_path / "share", "tone").folder)
    target = FollowingTarget(share, share)
    (tmp_path / "here").mkdir()
    project = find_project(tmp_path / "here", share=ShareTree(share))
    Deployment(project, target, Provenance("me")).run()
    report = target.report()
    assert report is not None
    rows = compare(project, target, report)
    assert {row.name for row in rows} == {"base", "tone"}
    assert all(row.here for row in rows)


def with_code(scene: Scene, **further: str) -> Path:
    """Let the project have code; ``further`` are keys of its table."""
    lines = ["[model]", 'base = "base"', "[adapters]", 'tone = "out/tone"', "[code]"]
    lines += [f"{key} = {value!r}" for key, value in further.items()]
    (scene.project.folder / "remora.toml").write_text("\n".join(lines), encoding="utf-8")
    code = scene.project.folder / "inference"
    code.mkdir(exist_ok=True)
    return code


def test_code_is_packed_once_for_the_target(scene: Scene) -> None:
    code = with_code(scene)
    (code / "main.py").write_text("import json")
    scene.target.runtime = Runtime("3.99", "linux", "riscv64")
    first = scene.deploy()
    assert "pack" in first.seconds
    held = current(scene.target.real)
    assert held is not None
    assert held.release.content.code is not None
    assert held.release.content.code.python == "3.99"
    assert held.release.content.code.platform == "linux_riscv64"
    packed = state_of(scene)
    assert scene.deploy().changes == ()
    assert state_of(scene) == packed
    (code / "main.py").write_text("import this")
    assert [change.part for change in scene.deploy().changes] == ["code"]
    with_code(scene, python="3.98")
    scene.deploy()
    held = current(scene.target.real)
    assert held is not None
    assert held.release.content.code is not None
    assert held.release.content.code.python == "3.98"
    (scene.project.folder / "remora.toml").unlink()
    assert [change.part for change in scene.deploy().changes if change.part == "code"] == ["code"]


def test_code_is_compared_with_the_code_that_is_served(scene: Scene) -> None:
    def code() -> list[tuple[bool, bool, bool]]:
        report = scene.target.report()
        assert report is not None
        rows = compare(find_project(scene.project.folder), scene.target, report)
        return [(row.same, bool(row.here), bool(row.there)) for row in rows if row.part == "code"]

    scene.deploy()
    assert code() == []
    (with_code(scene) / "main.py").write_text("import json")
    assert code() == [(False, True, False)]
    scene.deploy()
    assert code() == [(True, True, True)]
    (scene.project.folder / "inference" / "main.py").write_text("import this")
    assert code() == [(False, True, True)]
    (scene.project.folder / "remora.toml").unlink()
    assert code() == [(False, False, True)]


def state_of(scene: Scene) -> dict[str, int]:
    """The archives of this machine, and when they were written."""
    archives = (scene.project.folder / ".remora" / "code").iterdir()
    return {path.name: path.stat().st_mtime_ns for path in archives}


def test_code_that_can_t_be_imported_where_it_is_to_run_is_not_deployed(scene: Scene) -> None:
    first = scene.deploy()
    (with_code(scene) / "main.py").write_text("import pytest")
    with pytest.raises(ReleaseError, match="import pytest: No module"):
        scene.deploy()
    assert scene.now() == first.release


def test_what_broken_uploads_left_is_deleted_after_a_day(scene: Scene) -> None:
    scene.deploy()
    incoming = scene.project.folder / ".remora" / "incoming"
    now = time.time()
    for name, hours in (("old", 25), ("recent", 23), ("of-tomorrow", -30)):
        (incoming / name).touch()
        os.utime(incoming / name, (now - hours * 3600, now - hours * 3600))
    scene.deploy()
    assert (incoming / "old").exists(), "with nothing to do nothing is looked at"
    scene.change("better")
    scene.deploy()
    assert {path.name for path in incoming.iterdir()} == {"recent", "of-tomorrow"}
