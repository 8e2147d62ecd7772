from __future__ import annotations

from pathlib import Path

import pytest

from remora.errors import ConfigError
from remora.project.discovery import Kind
from remora.project.project import Project, find_project, plain_project
from tests.trees import make_adapter, make_base

TEXT = """\
[model]
base = "the base"
name = "sea"
[adapters]
tone = "adapters/tone"
"""


def write(folder: Path, text: str = TEXT) -> Path:
    (folder / "remora.toml").write_text(text, encoding="utf-8")
    return folder


def project(folder: Path) -> Project:
    make_base(folder / "the base")
    make_adapter(folder / "adapters" / "tone", rank=4)
    return find_project(write(folder))


def test_paths_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = project(tmp_path)
    assert found.base == tmp_path / "the base"
    assert found.name == "sea"
    assert found.adapters == {"tone": tmp_path / "adapters" / "tone"}
    assert [f.kind for f in found.findings] == [Kind.CONFIG, Kind.BASE, Kind.ADAPTER]
    monkeypatch.chdir(tmp_path)
    assert find_project(Path()).base == tmp_path / "the base"


def test_the_file_wins_over_what_lies_around(tmp_path: Path) -> None:
    make_adapter(tmp_path / "adapters" / "unlisted")
    assert list(project(tmp_path).adapters) == ["tone"]


def test_a_base_on_the_command_line_wins_over_the_file(tmp_path: Path) -> None:
    other = make_base(tmp_path / "other")
    project(tmp_path)
    assert find_project(tmp_path, base=other).base == other


@pytest.mark.parametrize(
    ("change", "by", "words"),
    [
        ('"the base"', '"gone"', r"remora\.toml:2: \[model\] base: the folder .*gone does not"),
        ('"the base"', '"hub/id"', r"neither a folder here nor in the Hugging Face cache"),
        ('"the base"', '"adapters"', r"holds no config\.json"),
        ('"adapters/tone"', '"adapters"', r"remora\.toml:5: \[adapters\] tone: .* holds no adapt"),
        ('"adapters/tone"', '"gone"', r"\[adapters\] tone: .*gone does not exist"),
        (
            "[adapters]",
            "[code]\n[adapters]",
            r"remora\.toml:\d: \[code\] include: .*inference does not",
        ),
        (
            "[adapters]",
            "[code]\ninclude = ['the base']\nrequirements = 'gone'\n[adapters]",
            r"remora\.toml:\d: \[code\] requirements: .*gone does not exist",
        ),
        ("tone =", "sea =", r"remora\.toml:5: \[adapters\] sea: is the base model's name"),
    ],
)
def test_what_does_not_exist_is_told_with_file_line_and_key(
    tmp_path: Path, change: str, by: str, words: str
) -> None:
    project(tmp_path)
    with pytest.raises(ConfigError, match=words):
        find_project(write(tmp_path, TEXT.replace(change, by)))


def test_a_base_by_itself(tmp_path: Path) -> None:
    base = make_base(tmp_path / "base")
    make_adapter(tmp_path / "base" / "tone")
    assert plain_project(base).adapters == {}
    with pytest.raises(ConfigError, match=r"--base: the folder .* holds no"):
        plain_project(make_base(tmp_path / "b", weights=False))
