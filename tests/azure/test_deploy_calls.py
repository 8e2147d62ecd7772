"""How often a deployment asks a share of Azure Files, whose calls take tens of milliseconds, and
what becomes of it where they fail."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from remora.azure.file_share import AzureFileShare
from remora.errors import ShareUnavailable
from remora.project.project import find_project
from remora.release.directory_share import DirectoryShare
from remora.release.publish import Provenance
from remora.release.retrying_share import Patience, RetryingShare
from remora.targets.deploy import Deployed, Deployment
from tests.azure.double.file_faults import Kind
from tests.azure.double.files import FileService
from tests.azure.file_accounts import file_service
from tests.release.projects import make_project, train
from tests.targets.test_deploy import FollowingTarget


@dataclass
class Scene:
    service: FileService
    share: AzureFileShare
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
        yield Scene(service, share, target, project.folder)


def test_nothing_to_do_takes_five_calls(scene: Scene) -> None:
    scene.deploy()
    done, calls = scene.deploy()
    assert not done.changes
    assert sorted(calls) == ["GET file"] * 2 + ["GET list"] * 3


def test_an_adapter_takes_a_few_calls_more(scene: Scene) -> None:
    scene.deploy()
    train(scene.project / "out" / "adapter3", "better")
    done, calls = scene.deploy()
    assert [change.name for change in done.changes] == ["adapter3"]
    assert len(calls) <= 24
    assert calls.count("PUT rename") == 3  # the adapter, the manifest, and the log's entry


def test_throttled_and_dropped_uploads_are_no_loss(scene: Scene) -> None:
    for kind in (Kind.THROTTLED, Kind.BUSY, Kind.CUT, Kind.LOST):
        scene.service.faults.plan(kind, "PUT range", times=2)
        scene.service.faults.plan(kind, "PUT rename")
    scene.deploy()
    assert not scene.service.faults.planned
    done, _ = scene.deploy()
    assert not done.changes


def test_a_share_that_stays_throttled_is_told(scene: Scene) -> None:
    scene.target.share = RetryingShare(scene.share, Patience(total=0.2, first=0.01))
    scene.service.faults.plan(Kind.THROTTLED, "PUT range", times=10**6)
    with pytest.raises(ShareUnavailable, match="TooManyRequests") as caught:
        scene.deploy()
    assert caught.value.hint
    scene.service.faults.planned.clear()
    done, _ = scene.deploy()
    assert done.changes
