from __future__ import annotations

import tomllib
from pathlib import Path

from remora.project.config import Config
from remora.project.project import find_project
from remora.project.template import render
from tests.trees import make_adapter, make_base


def test_what_is_written_loads_as_what_was_chosen(tmp_path: Path) -> None:
    base = make_base(tmp_path / 'a "quoted" base')
    tone = make_adapter(tmp_path / "adapters" / "tone.v2")
    text = render(
        tmp_path,
        base=base,
        name="sea",
        adapters={"tone.v2": tone},
        prompts={},
        server={"port": 8000},
    )
    (tmp_path / "remora.toml").write_text(text, encoding="utf-8")
    found = find_project(tmp_path)
    assert (found.base, found.name, found.server.port) == (base, "sea", 8000)
    assert found.adapters == {"tone.v2": tone}


def test_every_key_is_shown_and_every_comment_is_a_key_that_loads(tmp_path: Path) -> None:
    text = render(tmp_path, base=tmp_path / "b", name="n", adapters={}, prompts={}, server={})
    lines = [
        line.removeprefix("# ") if " = " in line or line.startswith("# [") else line
        for line in text.splitlines()
    ]
    loaded = tomllib.loads("\n".join(lines))
    config = Config.model_validate(loaded)
    for table in set(Config.model_fields) - {"adapters"}:
        assert set(loaded[table]) == set(type(getattr(config, table)).model_fields)


def test_a_base_outside_of_the_folder_is_written_from_there(tmp_path: Path) -> None:
    text = render(tmp_path / "p", base=tmp_path / "b", name="n", adapters={}, prompts={}, server={})
    assert 'base = "../b"' in text
