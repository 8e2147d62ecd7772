from __future__ import annotations

import sys
from pathlib import Path, PurePosixPath

import pytest

from remora.errors import ConfigError, ProjectNotFound
from remora.project.discovery import Discovery, Kind, discover, matching_bases
from remora.project.project import find_project
from tests.trees import make_adapter, make_base

PHI = "microsoft/Phi-3-mini-4k-instruct"


def left_out(found: Discovery) -> dict[str, str]:
    return {f.path.name: f.why for f in found.findings if f.kind is Kind.LEFT_OUT}


def test_ai_toolkits_layout(tmp_path: Path) -> None:
    base = make_base(tmp_path / "model-cache" / PHI)
    gpu = make_adapter(tmp_path / "models/qlora/qlora/gpu_model/adapter", f"model-cache/{PHI}")
    cpu = make_adapter(tmp_path / "models/qlora/qlora/gpu-cpu_model/adapter", PHI, rank=64)
    make_adapter(tmp_path / "elsewhere/adapter", PHI)
    found = discover(tmp_path)
    assert found.base == base
    assert found.name == "Phi-3-mini-4k-instruct"
    assert found.adapters == {"gpu-cpu_model": cpu, "gpu_model": gpu}
    assert found.findings[0].why == "the only base in AI Toolkit's layout"
    assert {f.name: f.rank for f in found.findings} == {
        "Phi-3-mini-4k-instruct": None,
        "gpu_model": 8,
        "gpu-cpu_model": 64,
    }


def test_of_several_bases_the_one_that_adapters_name(tmp_path: Path) -> None:
    make_base(tmp_path / "model-cache/other/Llama")
    base = make_base(tmp_path / "model-cache" / PHI)
    make_adapter(tmp_path / "models/tone/adapter", f"/mount/model-cache/{PHI}")
    found = discover(tmp_path)
    assert found.base == base
    assert list(found.adapters) == ["tone"]


def test_several_bases_that_nobody_names_are_listed(tmp_path: Path) -> None:
    make_base(tmp_path / "one")
    make_base(tmp_path / "two")
    with pytest.raises(ConfigError, match=r"(?s)several base models.*one .*two ") as caught:
        discover(tmp_path)
    assert "--base" in str(caught.value.hint)


def test_several_bases_with_adapters_each_are_listed_with_their_adapters(tmp_path: Path) -> None:
    for name in ("one", "two"):
        make_base(tmp_path / name)
        make_adapter(tmp_path / f"for-{name}", name)
    with pytest.raises(ConfigError, match=r"one  \(1 adapters"):
        discover(tmp_path)


def test_a_chosen_base_leaves_out_the_adapters_of_another(tmp_path: Path) -> None:
    one, _ = make_base(tmp_path / "one"), make_base(tmp_path / "two")
    mine = make_adapter(tmp_path / "mine", "one")
    make_adapter(tmp_path / "other", "hub/two")
    found = discover(tmp_path, base=one)
    assert found.adapters == {"mine": mine}
    assert left_out(found) == {"other": "was trained on hub/two, which is two"}


def test_an_adapter_for_an_unknown_base_is_taken_for_the_only_one(tmp_path: Path) -> None:
    make_base(tmp_path / "base")
    make_adapter(tmp_path / "tone", "HuggingFaceTB/SmolLM2-135M")
    found = discover(tmp_path)
    assert list(found.adapters) == ["tone"]
    assert "taken to be for the base that is here" in found.findings[1].why


def test_a_folder_that_is_a_base(tmp_path: Path) -> None:
    base = make_base(tmp_path / "my model")
    assert discover(base).base == base
    assert discover(base).name == "my-model"


@pytest.mark.parametrize("named", ["base", "../base", "/somewhere/else/base", "hub/base"])
def test_a_folder_that_is_an_adapter_leads_to_its_base_nearby(tmp_path: Path, named: str) -> None:
    base = make_base(tmp_path / "base")
    make_base(tmp_path / "another")
    adapter = make_adapter(tmp_path / "runs" / "tone", named)
    found = discover(adapter)
    assert found.base.resolve() == base
    assert found.adapters == {"tone": adapter}


def test_a_base_in_the_hugging_face_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    cached = tmp_path / "hub" / "models--org--tiny"
    snapshot = make_base(cached / "snapshots" / "abc")
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text("abc", encoding="utf-8")
    found = discover(make_adapter(tmp_path / "tone", "org/tiny"))
    assert found.base == snapshot
    assert found.name == "tiny"


def test_checkpoints_of_an_adapter_and_broken_folders_are_left_out(tmp_path: Path) -> None:
    make_base(tmp_path / "base")
    make_base(tmp_path / "empty", weights=False)
    make_adapter(tmp_path / "tone")
    make_adapter(tmp_path / "tone" / "checkpoint-500")
    make_adapter(tmp_path / ".cache" / "hidden")
    broken = make_adapter(tmp_path / "broken")
    (broken / "adapter_config.json").write_text("{", encoding="utf-8")
    found = discover(tmp_path)
    assert list(found.adapters) == ["tone"]
    assert set(left_out(found)) == {"checkpoint-500", "empty", "broken"}
    assert "without *.safetensors" in left_out(found)["empty"]


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_links_to_folders_are_seen(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "base").symlink_to(make_base(tmp_path / "shared" / "base"))
    (project / "tone").symlink_to(make_adapter(tmp_path / "runs" / "7"))
    found = discover(project)
    assert found.base == project / "base"
    assert found.adapters == {"tone": project / "tone"}


def test_an_adapter_never_takes_the_bases_name(tmp_path: Path) -> None:
    make_base(tmp_path / "tone")
    make_adapter(tmp_path / "x" / "tone", "tone")
    assert list(discover(tmp_path).adapters) == ["tone-2"]


def test_nothing_to_serve(tmp_path: Path) -> None:
    with pytest.raises(ProjectNotFound, match=r"neither remora\.toml nor a base"):
        find_project(tmp_path)
    make_base(tmp_path / "empty", weights=False)
    with pytest.raises(ProjectNotFound, match=r"without \*.safetensors: empty"):
        find_project(tmp_path)
    make_adapter(tmp_path / "tone", "hub/missing")
    with pytest.raises(ProjectNotFound, match="adapters for hub/missing, and no such base"):
        find_project(tmp_path)
    with pytest.raises(ProjectNotFound, match="does not exist"):
        find_project(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("named", "bases"),
    [
        (PHI, ["microsoft/Phi-3-mini-4k-instruct"]),
        ("MICROSOFT/phi-3-mini-4k-instruct/", ["microsoft/Phi-3-mini-4k-instruct"]),
        (r"C:\models\microsoft\Phi-3-mini-4k-instruct", ["microsoft/Phi-3-mini-4k-instruct"]),
        ("fork/Llama", ["fork/Llama"]),
        ("someone/Llama", ["fork/Llama", "meta/Llama"]),
        ("microsoft/Phi-4", []),
        ("", []),
        (None, []),
    ],
)
def test_bases_are_matched_by_the_ends_of_their_paths(
    tmp_path: Path, named: str | None, bases: list[str]
) -> None:
    here = [tmp_path / PurePosixPath(name) for name in (PHI, "fork/Llama", "meta/Llama")]
    assert matching_bases(named, here) == [tmp_path / name for name in bases]
