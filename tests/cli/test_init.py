from __future__ import annotations

import json
from pathlib import Path

import pytest

from remora.project.project import find_project
from tests.cli.conftest import Remora
from tests.trees import make_adapter, make_base


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_base(tmp_path / "base")
    make_adapter(tmp_path / "adapters" / "tone")
    make_adapter(tmp_path / "adapters" / "json")
    return tmp_path


def test_what_is_found_is_written_and_loads(remora: Remora, folder: Path) -> None:
    ran = remora("init", str(folder), "--yes")
    assert ran.code == 0
    assert f"adapter   tone: {Path('adapters', 'tone')}" in ran.out
    assert "remora serve" in ran.out
    project = find_project(folder)
    assert project.name == "base"
    assert project.base == folder / "base"
    assert set(project.adapters) == {"json", "tone"}
    assert [path.name for path in folder.iterdir() if path.is_file()] == ["remora.toml"]


def test_the_wizard_asks(remora: Remora, folder: Path) -> None:
    ran = remora("init", str(folder), answers="sea\nn\ny\n8000\n")
    assert ran.code == 0
    project = find_project(folder)
    assert (project.name, project.server.port) == ("sea", 8000)
    assert list(project.adapters) == ["tone"]


def test_the_wizard_offers_the_code_of_ai_toolkit(remora: Remora, folder: Path) -> None:
    (folder / "inference").mkdir()
    for answer, included in (("\n", None), ("y\n", ("inference",))):
        ran = remora("init", str(folder), "--force", answers=f"\n\n\n\n{answer}")
        assert ran.code == 0
        assert "inference/" in ran.out
        code = find_project(folder).code
        assert (code and code.include) == included
    assert remora("init", str(folder), "--force", "--yes").code == 0
    assert find_project(folder).code is None


def test_what_becomes_of_ai_toolkits_commands_is_told(remora: Remora, folder: Path) -> None:
    file = folder / "infra" / "provision" / "inference.parameters.json"
    file.parent.mkdir(parents=True)
    for line, told in (("python3 ./gradio_chat.py", True), ("python3 mine.py", False)):
        given = {"defaultCommands": {"value": ["cd /mount", line]}}
        file.write_text(json.dumps({"parameters": given}), encoding="utf-8")
        assert ("--keep-commands" in remora("init", str(folder), "--yes", "--force").out) == told


def test_the_wizard_asks_for_a_base_until_there_is_one(remora: Remora, tmp_path: Path) -> None:
    make_base(tmp_path / "one")
    make_base(tmp_path / "two")
    ran = remora("init", str(tmp_path), answers="three\ntwo\n\n\n")
    assert ran.code == 0
    assert "several base models" in ran.err
    assert "three does not exist" in ran.err
    assert find_project(tmp_path).base == tmp_path / "two"


def test_nobody_to_ask(remora: Remora, tmp_path: Path) -> None:
    ran = remora("init", str(tmp_path), "--yes")
    assert ran.code == 2
    assert "holds neither" in ran.err
    assert remora("init", str(tmp_path / "nowhere"), "--yes").code == 2
    assert remora("init", str(tmp_path)).code == 1, "the end of the input aborts the wizard"


def test_a_file_that_is_there_is_kept_unless_told_otherwise(remora: Remora, folder: Path) -> None:
    file = folder / "remora.toml"
    file.write_text("mine", encoding="utf-8")
    for arguments, answers in ((["--yes"], ""), ([], "n\n"), (["--json"], "")):
        assert remora("init", str(folder), *arguments, answers=answers).code == 2
        assert file.read_text(encoding="utf-8") == "mine"
    assert remora("init", str(folder), "--yes", "--force").code == 0
    assert find_project(folder).name == "base"


def test_a_wrong_answer_leaves_the_folder_as_it_was(remora: Remora, folder: Path) -> None:
    before = sorted(folder.iterdir())
    ran = remora("init", str(folder), answers="a b\ny\ny\n8000\n")
    assert ran.code == 2
    assert "'a b' is not a usable name" in ran.err
    assert sorted(folder.iterdir()) == before


def test_json_asks_nothing(remora: Remora, folder: Path) -> None:
    events = remora("init", str(folder), "--json").events
    assert [event["event"] for event in events] == ["found", "found", "found", "written"]
    assert events[-1]["path"] == str(folder / "remora.toml")
