"""Whatever breaks a deployment off, the old release stays, and a second try completes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest

from benchmarks.hooked_share import HookedShare
from remora.errors import ConfigError, ReleaseConflict, RemoraError, ShareFull, ShareUnavailable
from remora.project.project import Project, find_project
from remora.release import sync as syncing
from remora.release import upload as uploading
from remora.release.checkout import check_out
from remora.release.directory_share import DirectoryShare
from remora.release.publish import Provenance, Published, current, history, publish
from remora.release.share import Share
from remora.release.share_path import SharePath
from tests.release.projects import make_project, safetensors, upload

ROOT = Path(__file__).parents[2]


def deploy(project: Project, share: Share, author: str = "me") -> Published:
    served = current(share)
    content = upload(project, share)
    entry = served.entry if served else None
    return publish(share, content, Provenance(author=author), expected=entry)


def train_long(project: Project, data: bytes) -> None:
    for folder in project.adapters.values():
        (folder / "adapter_model.safetensors").write_bytes(safetensors(data * 2500))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights of a few kB go in ranges."""
    monkeypatch.setattr(syncing, "SMALL", 1000)
    monkeypatch.setattr(uploading, "RANGE", 1000)


def old_and_new(tmp_path: Path) -> tuple[Project, DirectoryShare, Published]:
    """A project that is deployed, with a new adapter that is not."""
    (tmp_path / "share").mkdir(parents=True)
    share = DirectoryShare(tmp_path / "share")
    project = make_project(tmp_path / "project", "tone")
    train_long(project, b"old")
    old = deploy(project, share)
    train_long(project, b"new")
    return project, share, old


def weights(share: DirectoryShare, served: Path) -> bytes:
    found = current(share)
    assert found is not None
    out = check_out(found.release.content, share, served)
    return (out.adapters["tone"] / "adapter_model.safetensors").read_bytes()


def check_recovery(tmp_path: Path, project: Project, share: DirectoryShare, old: Published) -> None:
    """The old release is served unless the new one was published whole; then the new one is."""
    found = current(share)
    assert found is not None
    expected = b"old" if found.id == old.id else b"new"
    assert weights(share, tmp_path / "before") == safetensors(expected * 2500)
    deploy(project, share)
    assert weights(share, tmp_path / "after") == safetensors(b"new" * 2500)
    assert len(history(share)) == 2


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there is no kill -9")
def test_a_deployer_that_is_killed_before_any_of_its_calls(tmp_path: Path) -> None:
    _, _, old = old_and_new(tmp_path / "origin")
    done = subprocess.run(
        [sys.executable, "-m", "tests.release.deployer", str(tmp_path)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    killed = int(done.stdout)
    assert killed > 20
    for number in range(1, killed + 1):
        here = tmp_path / str(number)
        share = DirectoryShare(here / "share")
        check_recovery(here, find_project(here / "project"), share, old)


@pytest.mark.slow
@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("error", [ShareFull("no room"), ShareUnavailable("no route")])
def test_a_share_that_fails_at_any_call(tmp_path: Path, error: RemoraError) -> None:
    def deploy_until(fatal: int, folder: Path) -> bool:
        project, share, old = old_and_new(folder)
        calls = 0

        def hook(operation: str, _path: SharePath) -> None:
            nonlocal calls
            calls += operation != "delete"
            if calls == fatal:
                raise error

        with suppress(type(error)):
            deploy(project, HookedShare(share, hook))
        check_recovery(folder, project, share, old)
        return calls >= fatal

    assert next(n for n in count(1) if not deploy_until(n, tmp_path / str(n))) > 10


@pytest.mark.usefixtures("small")
def test_what_arrived_before_a_break_is_not_sent_again(tmp_path: Path) -> None:
    project, share, _ = old_and_new(tmp_path)
    sent: list[str] = []
    limit = 4

    def hook(operation: str, path: SharePath) -> None:
        if operation == "write" and "incoming" in path.parts:
            if len(sent) == limit:
                raise ShareUnavailable("the connection broke")
            sent.append(str(path))

    with pytest.raises(ShareUnavailable):
        deploy(project, HookedShare(share, hook))
    first, limit = len(sent), 1000
    assert 1 <= first <= 4
    deploy(project, HookedShare(share, hook))
    ranges = -(-len(safetensors(b"new" * 2500)) // 1000)
    documents = 2  # the manifest and the log's entry
    assert len(sent) == ranges + documents
    assert weights(share, tmp_path / "served") == safetensors(b"new" * 2500)


@pytest.mark.usefixtures("small")
def test_ranges_that_were_damaged_meanwhile_are_sent_again(tmp_path: Path) -> None:
    project, share, _ = old_and_new(tmp_path)

    def hook(operation: str, path: SharePath) -> None:
        if operation == "rename" and "blobs" in path.parts:
            raise ShareUnavailable("the connection broke")

    with pytest.raises(ShareUnavailable):
        deploy(project, HookedShare(share, hook))
    (partial,) = (share.root / ".remora" / "incoming").iterdir()
    partial.write_bytes(partial.read_bytes()[:5000] + bytes(partial.stat().st_size - 5000))
    deploy(project, share)
    assert weights(share, tmp_path / "served") == safetensors(b"new" * 2500)


@pytest.mark.usefixtures("small")
def test_a_file_that_changes_while_it_is_sent_is_not_published(tmp_path: Path) -> None:
    project, share, old = old_and_new(tmp_path)
    file = project.adapters["tone"] / "adapter_model.safetensors"

    def hook(operation: str, path: SharePath) -> None:
        if operation == "write" and "incoming" in path.parts:
            file.touch()

    with pytest.raises(ConfigError, match="changed while it was read"):
        deploy(project, HookedShare(share, hook))
    found = current(share)
    assert found == old
    deploy(project, share)
    assert weights(share, tmp_path / "served") == safetensors(b"new" * 2500)


def test_of_many_deployers_at_once_one_wins_and_the_others_are_told(tmp_path: Path) -> None:
    (tmp_path / "share").mkdir()
    share = DirectoryShare(tmp_path / "share")
    projects = [make_project(tmp_path / f"project{n}", f"adapter{n}") for n in range(4)]
    old = deploy(projects[0], share)
    barrier = threading.Barrier(3)

    def attempt(number: int) -> str | None:
        content = upload(projects[number], share)
        barrier.wait()
        try:
            me = Provenance(author=str(number))
            return publish(share, content, me, expected=old.entry).id
        except ReleaseConflict:
            return None

    with ThreadPoolExecutor(3) as pool:
        winners = [id_ for id_ in pool.map(attempt, (1, 2, 3)) if id_]
    found = current(share)
    assert found is not None
    assert winners == [found.id]
    assert [step.entry.release for step in history(share)] == [old.id, found.id]
    check_out(found.release.content, share, tmp_path / "served")


def test_two_deployers_of_one_folder_send_a_file_once(tmp_path: Path) -> None:
    project, share, _ = old_and_new(tmp_path)
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(lambda _: upload(project, share), range(2))
    assert one == other
    assert not list((share.root / ".remora" / "incoming").iterdir())
