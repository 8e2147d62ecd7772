"""Models that only the share holds: found, checked and released without a copy on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.hooked_share import HookedShare
from remora.errors import AdapterBroken, ConfigError, ProjectNotFound, ShareNotFound
from remora.formats.adapter_config import adapter_digest
from remora.project.config import EngineSection, ModelSection
from remora.project.discovery import Kind, discover, discover_in
from remora.project.project import discovered_project
from remora.release import on_share
from remora.release.assemble import assemble
from remora.release.checkout import check_out
from remora.release.digests import DigestCache
from remora.release.directory_share import DirectoryShare
from remora.release.manifest import Content
from remora.release.share import Share
from remora.release.share_path import SharePath
from remora.release.share_tree import ShareTree
from remora.release.sources import Sources, project_sources
from remora.release.sync import survey, sync
from tests.release.projects import safetensors
from tests.trees import make_adapter, make_base

PHI = "microsoft/Phi-3-mini-4k-instruct"


class NotHere(DirectoryShare):
    """A share that this machine doesn't have mounted."""

    def place_of(self, local: Path) -> None:
        return None


def toolkit(root: Path) -> None:
    """What AI Toolkit's fine-tuning step leaves on its share."""
    base = make_base(root / "model-cache" / PHI)
    (base / "model.safetensors").write_bytes(safetensors(bytes(3_000_000)))
    for name in ("gpu_model", "gpu-cpu_model"):
        adapter = make_adapter(root / "models/qlora/qlora" / name / "adapter", PHI)
        (adapter / "adapter_model.safetensors").write_bytes(safetensors(name.encode()))


def found_on(share: Share, folder: Path) -> Sources:
    return project_sources(discovered_project(folder, discover_in(ShareTree(share))), share)


def release(share: Share, cache: DigestCache, state: Path) -> Content:
    sources = found_on(share, state)
    digests = sync(survey(sources, share, cache), share, cache, state)
    return assemble(sources, digests, model=ModelSection(base="."), engine=EngineSection())


def test_a_share_is_discovered_as_a_folder_is(tmp_path: Path) -> None:
    toolkit(tmp_path)
    here, there = discover(tmp_path), discover_in(ShareTree(NotHere(tmp_path)))
    assert there.name == here.name == "Phi-3-mini-4k-instruct"
    assert {name: tmp_path / path for name, path in there.adapters.items()} == here.adapters
    assert tmp_path / there.base == here.base
    assert [f.why for f in there.findings] == [f.why for f in here.findings]


def test_plain_folders_and_what_is_left_out(tmp_path: Path) -> None:
    share = NotHere(tmp_path)
    with pytest.raises(ProjectNotFound, match=r"the share .* holds neither"):
        discover_in(ShareTree(share))
    for name in ("one", "two"):
        make_base(tmp_path / name)
    with pytest.raises(ConfigError, match="several base models"):
        discover_in(ShareTree(share))
    make_adapter(tmp_path / "runs" / "tone", "hub/two")
    make_adapter(tmp_path / "runs" / "tone" / "checkpoint-5", "hub/two")
    found = discover_in(ShareTree(share))
    assert (str(found.base), list(found.adapters)) == ("two", ["tone"])
    assert [f.path.name for f in found.findings if f.kind is Kind.LEFT_OUT] == ["checkpoint-5"]
    chosen = discover_in(ShareTree(share), base=Path("one"))
    assert list(chosen.adapters) == []


def test_what_lies_on_the_share_is_released_and_served_from_there(tmp_path: Path) -> None:
    toolkit(tmp_path / "share")
    share = NotHere(tmp_path / "share")
    cache = DigestCache(tmp_path / "digests.json")
    content = release(share, cache, tmp_path / "state")
    assert {file.path for file in content.base.files} == {
        f"model-cache/{PHI}/config.json",
        f"model-cache/{PHI}/model.safetensors",
    }
    out = check_out(content, share, tmp_path / "served")
    for name, folder in discover(share.root).adapters.items():
        assert content.adapters[name].digest == adapter_digest(folder)
        weights = folder / "adapter_model.safetensors"
        before = weights.read_bytes()
        weights.write_bytes(safetensors(b"trained on"))  # a release keeps what it was
        assert (out.adapters[name] / weights.name).read_bytes() == before


def test_a_large_base_is_neither_read_whole_nor_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_share, "WHOLE", 2_500_000)
    toolkit(tmp_path / "share")
    reads: list[str] = []

    def hook(operation: str, path: SharePath) -> None:
        if operation == "read" and path.parts[0] != ".remora":
            reads.append(path.name)

    class Counting(HookedShare):
        def read(
            self, path: SharePath, start: int = 0, length: int | None = None
        ) -> Iterator[bytes]:
            for piece in super().read(path, start, length):
                if path.name == "model.safetensors":
                    assert len(piece) <= 1024 * 1024
                yield piece

    share = Counting(NotHere(tmp_path / "share"), hook)
    cache = DigestCache(tmp_path / "digests.json")
    first = release(share, cache, tmp_path / "state")
    assert [file.sampled for file in first.base.files] == [False, True]
    reads.clear()
    assert release(share, cache, tmp_path / "state") == first
    headers = 2 + 2 + 2  # of a base and two adapters: the length, and the header
    configs = 2
    assert len(reads) == headers + configs
    weights = tmp_path / "share" / "model-cache" / PHI / "model.safetensors"
    weights.write_bytes(safetensors(bytes(2_999_999) + b"1"))
    assert release(share, cache, tmp_path / "state").base.digest != first.base.digest


def test_truncated_weights_on_the_share_are_told_from_their_header(tmp_path: Path) -> None:
    toolkit(tmp_path)
    weights = tmp_path / "models/qlora/qlora/gpu_model/adapter/adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    share = NotHere(tmp_path)
    with pytest.raises(AdapterBroken, match="truncated"):
        found_on(share, Path())


def test_an_adapter_that_is_taken_away_meanwhile(tmp_path: Path) -> None:
    toolkit(tmp_path / "share")
    share = NotHere(tmp_path / "share")
    sources = found_on(share, Path())
    (tmp_path / "share/models/qlora/qlora/gpu_model/adapter/adapter_config.json").unlink()
    with pytest.raises(ShareNotFound, match="gpu_model"):
        survey(sources, share, DigestCache(tmp_path / "digests.json"))
