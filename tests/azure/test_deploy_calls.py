"""How often a deployment asks a share of Azure Files: each call takes tens of milliseconds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from remora.project.project import find_project
from remora.release.directory_share import DirectoryShare
from remora.release.publish import Provenance
from remora.release.retrying_share import RetryingShare
from remora.targets.deploy import Deployed, Deployment
from tests.azure.double.files import FileService
from tests.azure.file_accounts import file_service
from tests.release.projects import make_project, train
from tests.targets.test_deploy import FollowingTarget


@dataclass
class Scene:
    service: FileService
    target: FollowingTarget
    project: Path

    def deploy(self) -> tuple[Deployed, list[str]]:
        """The outcome, and what the share was asked for."""
        self.service.calls.clear()
        done = Deployment(find_project(self.project), self.target, Provenance("me")).run()
        return done, list(self.service.calls)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    project = make_project(tmp_path / "project", *(f"adapter{number}" for number in range(10)))
    with file_service(tmp_path / "share") as (service, share):
        target = FollowingTarget(RetryingShare(share), DirectoryShare(tmp_path / "share"))
        yield Scene(service, target, project.folder)


def test_nothing_to_do_takes_seven_calls(scene: Scene) -> None:
    scene.deploy()
    done, calls = scene.deploy()
    assert not done.changes
    assert sorted(calls) == ["GET file"] * 4 + ["GET list"] * 3


def test_an_adapter_takes_a_few_calls_more(scene: Scene) -> None:
    scene.deploy()
    train(scene.project / "out" / "adapter3", "better")
    done, calls = scene.deploy()
    assert [change.name for change in done.changes] == ["adapter3"]
    assert len(calls) <= 24
    assert calls.count("PUT rename") == 3  # the adapter, the manifest, and the log's entry
