"""Projects of which one half lies on this machine and the other on the share."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from remora.engine.families import FAMILIES
from remora.errors import ConfigError, ProjectNotFound
from remora.project.checks.checker import check_project
from remora.project.checks.rules import Severity
from remora.project.project import Project, find_project
from remora.release.checkout import check_out
from remora.release.directory_share import DirectoryShare
from remora.release.manifest import Content
from remora.release.share import Share
from remora.release.share_tree import ShareTree, open_folder
from tests.azure.file_accounts import file_service
from tests.end_to_end.conftest import DEMO
from tests.end_to_end.deploying import Workspace
from tests.release.projects import safetensors, train, upload
from tests.trees import make_adapter, make_base

PHI = "microsoft/Phi-3-mini-4k-instruct"
CACHED = f"model-cache/{PHI}"


class Shelf:
    """A share, and the folder in which its files can be seen and put."""

    def __init__(self, share: Share, root: Path) -> None:
        self.share, self.root = share, root

    def base(self, place: str = CACHED) -> Path:
        return full_base(self.root / place)

    def adapter(self, place: str, base: str = PHI) -> Path:
        return full_adapter(self.root / place, base)


class NotMounted(DirectoryShare):
    """A share that this machine doesn't see as a folder."""

    def place_of(self, local: Path) -> None:
        return None


@pytest.fixture(params=["directory", "azure"])
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shelf]:
    root = tmp_path / "share"
    if request.param == "directory":
        root.mkdir()
        yield Shelf(NotMounted(root), root)
        return
    with file_service(root) as (_service, share):
        yield Shelf(share, root)


@pytest.fixture
def here(tmp_path: Path) -> Path:
    folder = tmp_path / "laptop" / "project"
    folder.mkdir(parents=True)
    return folder


def full_base(folder: Path) -> Path:
    base = make_base(folder)
    (base / "model.safetensors").write_bytes(safetensors(b"base weights"))
    return base


def full_adapter(folder: Path, base: str = PHI) -> Path:
    adapter = make_adapter(folder, base)
    train(adapter, folder.name)
    return adapter


def project(here: Path, shelf: Shelf, toml: str = "") -> Project:
    if toml:
        (here / "remora.toml").write_text(toml, encoding="utf-8")
    return find_project(here, share=ShareTree(shelf.share))


def release(found: Project, shelf: Shelf) -> Content:
    return upload(found, shelf.share)


def blobs(shelf: Shelf) -> list[bytes]:
    folder = shelf.root / ".remora" / "blobs"
    return sorted(file.read_bytes() for file in folder.rglob("*") if file.is_file())


@pytest.mark.parametrize("named", [CACHED, PHI, f"./{CACHED}", "Phi-3-mini-4k-instruct"])
def test_a_base_that_is_named_and_not_here_is_found_on_the_share(
    shelf: Shelf, here: Path, named: str
) -> None:
    shelf.base()
    full_adapter(here / "adapters" / "tone")
    toml = f'[model]\nbase = "{named}"\n[adapters]\ntone = "adapters/tone"\n'
    found = project(here, shelf, toml)
    assert (found.base.as_posix(), found.name) == (CACHED, "Phi-3-mini-4k-instruct")
    assert found.adapters == {"tone": here / "adapters" / "tone"}
    assert "on the share" in found.findings[1].why


def test_only_the_adapters_are_sent_and_the_base_is_used_in_place(
    shelf: Shelf, here: Path, tmp_path: Path
) -> None:
    shelf.base()
    adapter = full_adapter(here / "tone")
    found = project(here, shelf)
    assert found.base.as_posix() == CACHED
    content = release(found, shelf)
    assert {file.path for file in content.base.files} == {
        f"{CACHED}/config.json",
        f"{CACHED}/model.safetensors",
    }
    assert safetensors(b"base weights") not in blobs(shelf)
    seen = DirectoryShare(shelf.root)
    out = check_out(content, seen, tmp_path / "served")
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        assert (out.adapters["tone"] / name).read_bytes() == (adapter / name).read_bytes()


def test_adapters_of_both_places_are_served_where_they_are_named(shelf: Shelf, here: Path) -> None:
    shelf.base()
    trained = shelf.adapter("models/qlora/qlora/gpu_model/adapter")
    full_adapter(here / "tone")
    toml = f'[model]\nbase = "{PHI}"\n[adapters]\ntone = "tone"\n'
    toml += 'trained = "models/qlora/qlora/gpu_model/adapter"\n'
    content = release(project(here, shelf, toml), shelf)
    assert sorted(content.adapters) == ["tone", "trained"]
    before = (trained / "adapter_model.safetensors").read_bytes()
    assert before in blobs(shelf), "the next training may overwrite it"


def test_what_lies_here_goes_before_what_lies_on_the_share(shelf: Shelf, here: Path) -> None:
    for made in (full_base(here / "base"), full_adapter(here / "tone", "base")):
        assert made.is_dir()
    shelf.base("base")
    shelf.adapter("tone", "base")
    shelf.adapter("other", "base")
    found = project(here, shelf)
    assert (found.base, dict(found.adapters)) == (here / "base", {"tone": here / "tone"})


def test_adapters_on_the_share_are_served_on_the_base_that_is_here(
    shelf: Shelf, here: Path
) -> None:
    base = full_base(here / "Phi-3-mini-4k-instruct")
    shelf.base()
    shelf.base("model-cache/other/llama")
    shelf.adapter("models/tone/adapter")
    shelf.adapter("models/other/adapter", "other/llama")
    found = project(here, shelf)
    assert found.base == base
    assert {n: p.as_posix() for n, p in found.adapters.items()} == {"tone": "models/tone/adapter"}
    content = release(found, shelf)
    assert content.base.files[0].path.startswith(".remora/"), "it was sent"
    assert list(content.adapters) == ["tone"]


def test_an_adapter_is_checked_against_the_base_on_the_share(shelf: Shelf, here: Path) -> None:
    place = "model-cache/remora/remora-demo-base"
    shutil.copytree(DEMO / "base", shelf.root / place)
    for name in ("tone", "json"):
        shutil.copytree(DEMO / "adapters" / name, here / "adapters" / name)
    Workspace(here).widen("tone")
    found = project(here, shelf)
    assert found.base.as_posix() == place
    told = list(check_project(found, FAMILIES, partial(open_folder, shelf.share)))
    wrong = {one.model for one in told if one.rule.severity is Severity.ERROR}
    assert wrong == {"tone"}


def test_a_base_that_several_may_be_is_asked_for(shelf: Shelf, here: Path) -> None:
    for publisher in ("microsoft", "me"):
        shelf.base(f"model-cache/{publisher}/phi")
    full_adapter(here / "tone", "/mount/phi")
    for toml in ("", '[model]\nbase = "phi"\n'):
        with pytest.raises(ConfigError, match="may mean several base models") as caught:
            project(here, shelf, toml)
        assert "model-cache/me/phi" in str(caught.value)
        assert "base" in str(caught.value.hint)
    shelf.base("model-cache/me/phi")
    found = project(here, shelf, '[model]\nbase = "model-cache/me/phi"\n')
    assert found.base.as_posix() == "model-cache/me/phi"


def test_what_is_nowhere_is_told_with_both_places(shelf: Shelf, here: Path) -> None:
    shelf.base("model-cache/other/llama")
    full_adapter(here / "tone")
    with pytest.raises(
        ProjectNotFound, match=r"no such base model; the share .* holds none either"
    ):
        project(here, shelf)
    for named in (PHI, "phi", "../outside"):
        with pytest.raises(ConfigError, match="nor on the share"):
            project(here, shelf, f'[model]\nbase = "{named}"\n')
    toml = '[model]\nbase = "other/llama"\n[adapters]\ngone = "gone"\n'
    with pytest.raises(ConfigError, match="nor is it on the share"):
        project(here, shelf, toml)
