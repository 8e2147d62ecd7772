from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from remora.errors import AdapterBroken, ConfigError, ModelError
from remora.formats.adapter_config import adapter_digest
from remora.project.project import find_project
from remora.release.checkout import check_out
from remora.release.digests import DigestCache
from remora.release.directory_share import DirectoryShare
from remora.release.progress import Progress
from remora.release.sources import project_sources
from remora.release.sync import survey, sync
from tests.release.projects import make_project, safetensors, train, upload

needs_links = pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")


@pytest.fixture
def share(tmp_path: Path) -> DirectoryShare:
    (tmp_path / "share").mkdir()
    return DirectoryShare(tmp_path / "share")


def test_what_is_uploaded_can_be_checked_out(tmp_path: Path, share: DirectoryShare) -> None:
    project = make_project(tmp_path / "project", "tone", "sql")
    content = upload(project, share)
    out = check_out(content, share, tmp_path / "served")
    assert sorted(out.adapters) == ["sql", "tone"]
    for here, there in [(project.base, out.base), *zip_folders(project.adapters, out.adapters)]:
        names = sorted(path.name for path in there.iterdir())
        assert names == sorted(path.name for path in here.iterdir())
        assert all((here / name).read_bytes() == (there / name).read_bytes() for name in names)
    for name, adapter in content.adapters.items():
        assert adapter.digest == adapter_digest(project.adapters[name])


def zip_folders(here: object, there: object) -> list[tuple[Path, Path]]:
    assert isinstance(here, dict)
    assert isinstance(there, dict)
    return [(here[name], there[name]) for name in here]


def test_a_second_upload_sends_what_changed_and_reads_nothing_else(
    tmp_path: Path, share: DirectoryShare
) -> None:
    project = make_project(tmp_path / "project", "tone", "sql")
    before = upload(project, share)
    train(project.adapters["tone"], "better")
    cache = DigestCache(project.folder / ".remora" / "digests.json")
    found = survey(project_sources(project, share), share, cache)
    assert [str(source) for source in found.missing] == [
        str(project.adapters["tone"] / "adapter_model.safetensors")
    ]
    after = upload(project, share)
    assert after.base == before.base
    assert after.adapters["sql"] == before.adapters["sql"]
    assert after.adapters["tone"] != before.adapters["tone"]
    out = check_out(before, share, tmp_path / "served")
    assert (out.adapters["tone"] / "adapter_model.safetensors").read_bytes() == safetensors(b"tone")


def test_a_base_that_lies_on_the_share_stays_there(tmp_path: Path) -> None:
    project = make_project(tmp_path, "tone")
    content = upload(project, DirectoryShare(tmp_path))
    assert {file.path for file in content.base.files} == {
        "base/config.json",
        "base/model.safetensors",
    }
    assert all(file.path.startswith(".remora/blobs/") for file in content.adapters["tone"].files)


def test_an_index_decides_which_weights_go(tmp_path: Path, share: DirectoryShare) -> None:
    project = make_project(tmp_path / "project")
    (project.base / "consolidated.safetensors").write_bytes(safetensors(b"the same again"))
    (project.base / "pytorch_model.bin").write_bytes(b"pickle")
    index = project.base / "model.safetensors.index.json"
    index.write_text('{"weight_map": {"x": "model.safetensors"}}', encoding="utf-8")
    names = [source.name for source in project_sources(project, share).base]
    assert names == ["config.json", "model.safetensors", "model.safetensors.index.json"]
    for absent in ("gone.safetensors", "../x.safetensors"):
        index.write_text(f'{{"weight_map": {{"x": "{absent}"}}}}', encoding="utf-8")
        with pytest.raises(ModelError, match=f"the folder lacks: {absent}"):
            project_sources(project, share)


def test_truncated_weights_are_found_before_anything_is_sent(
    tmp_path: Path, share: DirectoryShare
) -> None:
    project = make_project(tmp_path / "project", "tone")
    file = project.adapters["tone"] / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(AdapterBroken, match="truncated") as caught:
        upload(project, share)
    assert caught.value.hint
    assert not list(share.root.iterdir())


@needs_links
def test_a_link_that_leaves_the_project_is_refused(tmp_path: Path, share: DirectoryShare) -> None:
    project = make_project(tmp_path / "project", "tone")
    secret = tmp_path / "secret.safetensors"
    secret.write_bytes(safetensors(b"secret"))
    file = project.adapters["tone"] / "adapter_model.safetensors"
    file.unlink()
    file.symlink_to(secret)
    with pytest.raises(ConfigError, match="leaves the project"):
        upload(project, share)
    assert not list(share.root.iterdir())


def test_a_models_own_code_goes_along(tmp_path: Path, share: DirectoryShare) -> None:
    project = make_project(tmp_path / "project")
    (project.base / "modeling_own.py").write_text("pass\n", encoding="utf-8")
    (project.base / "README.md").write_text("# Own\n", encoding="utf-8")
    names = [source.name for source in project_sources(project, share).base]
    assert names == ["config.json", "model.safetensors", "modeling_own.py"]


@needs_links
def test_links_within_the_hugging_face_cache_are_followed(
    tmp_path: Path, share: DirectoryShare
) -> None:
    model = tmp_path / "models--org--tiny"
    base = make_project(model / "snapshots").base.rename(model / "snapshots" / "abc")
    (model / "blobs").mkdir()
    (base / "config.json").rename(model / "blobs" / "1")
    (base / "config.json").symlink_to(Path("../../blobs/1"))
    (tmp_path / "project").mkdir()
    project = find_project(tmp_path / "project", base=base)
    assert {source.name for source in project_sources(project, share).base} == {
        "config.json",
        "model.safetensors",
    }


def test_large_files_go_in_ranges_and_are_digested_on_the_way(
    tmp_path: Path, share: DirectoryShare
) -> None:
    project = make_project(tmp_path / "project")
    weights = project.base / "model.safetensors"
    weights.write_bytes(safetensors(os.urandom(40_000_000)))
    cache = DigestCache(tmp_path / "digests.json")
    sources = project_sources(project, share)
    found = survey(sources, share, cache)
    large = sources.base[-1]
    assert large.name == weights.name
    assert large not in found.digests
    heard: list[Progress] = []
    digests = sync(found, share, cache, tmp_path / "state", listener=heard.append)
    stored = share.root / ".remora" / "blobs" / digests[large]
    assert stored.read_bytes() == weights.read_bytes()
    assert heard[-1].done == heard[-1].total == found.missing_bytes
    assert not list((share.root / ".remora" / "incoming").iterdir())
    assert not list((tmp_path / "state" / "uploads").iterdir())
    again = survey(sources, share, cache)
    assert again.missing == ()
    assert again.digests == digests
