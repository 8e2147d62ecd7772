from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from remora.cli.plan import Plan, make_plan
from remora.engine.options import EngineOptions
from remora.errors import ConfigError, ProjectNotFound
from remora.gateway.settings import GatewaySettings
from tests.trees import make_adapter, make_base

TEXT = """\
[model]
base = "base"
dtype = "bfloat16"
[adapters]
tone = "tone"
[engine]
threads = 3
[server]
port = 8000
cors_origins = ["https://example.org"]
max_body_bytes = 1000
adapter_root = "more"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_base(tmp_path / "base")
    make_adapter(tmp_path / "tone")
    (tmp_path / "remora.toml").write_text(TEXT, encoding="utf-8")
    return tmp_path


def plan(folder: Path | None, **given: Any) -> Plan:
    unset: dict[str, Any] = {"base": None, "adapters": [], "model": {}, "engine": {}, "server": {}}
    return make_plan(folder, **(unset | given))


def test_the_file_says_what_is_started(folder: Path) -> None:
    made = plan(folder)
    assert made.options == EngineOptions(dtype="bfloat16", threads=3)
    assert made.settings == GatewaySettings(
        cors_origins=("https://example.org",), max_body_bytes=1000, adapter_root=folder / "more"
    )
    assert (made.host, made.port) == ("127.0.0.1", 8000)
    assert made.keys.made is None


def test_without_a_file_everything_is_at_its_default(tmp_path: Path) -> None:
    base = make_base(tmp_path / "base")
    made = plan(None, base=base)
    assert made.options == EngineOptions()
    assert made.settings == GatewaySettings()
    assert (made.project.name, made.project.adapters) == ("base", {})


def test_options_win_over_the_file(folder: Path) -> None:
    made = plan(
        folder,
        model={"name": "sea", "dtype": "float32", "device": None, "context_length": 64},
        engine={"threads": None, "max_queue": 0},
        server={"port": 0, "host": None},
    )
    assert made.options == EngineOptions(dtype="float32", context_length=64, threads=3, max_queue=0)
    assert (made.project.name, made.port) == ("sea", 0)


def test_adapters_of_options_join_those_of_the_project(folder: Path) -> None:
    other = make_adapter(folder / "other")
    made = plan(folder, adapters=[f"a={other}"])
    assert made.project.adapters == {"tone": folder / "tone", "a": other}


def test_a_base_alone_looks_for_no_project(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    alone = plan(None, base=Path("base"), adapters=["x=tone"])
    assert alone.options == EngineOptions()
    assert alone.project.adapters == {"x": folder / "tone"}
    assert plan(None).project.adapters == {"tone": folder / "tone"}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"adapters": ["tone"]}, "--adapter tone: NAME=DIR is expected"),
        ({"adapters": ["tone="]}, "NAME=DIR is expected"),
        ({"adapters": ["a b=x"]}, "'a b' is not a usable name"),
        ({"adapters": ["tone=base"]}, "the name 'tone' is taken"),
        ({"adapters": ["base=tone"]}, "the name 'base' is taken"),
        ({"adapters": ["x=nowhere"]}, "--adapter x=nowhere: the folder .*nowhere does not exist"),
        ({"model": {"dtype": "fp8"}}, "--dtype: must be 'auto'"),
        ({"model": {"name": "tone"}}, "--name: 'tone' is an adapter's name"),
        ({"engine": {"max_batch_size": 0}}, "--max-batch-size: must be greater than 0, not 0"),
        ({"base": Path("nowhere")}, "--base: the folder .*nowhere does not exist"),
    ],
)
def test_what_is_wrong_is_told_with_its_option(
    folder: Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], words: str
) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(ConfigError, match=words):
        plan(folder, **given)


def test_no_project(tmp_path: Path) -> None:
    with pytest.raises(ProjectNotFound):
        plan(tmp_path / "nowhere")


def test_an_address_that_others_reach_gets_a_key(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = plan(folder, server={"host": "0.0.0.0"})  # noqa: S104
    assert made.settings.api_keys == (made.keys.made,)
    monkeypatch.setenv("REMORA_API_KEY", "mine")
    monkeypatch.setenv("OTHER", "other")
    monkeypatch.setenv("REMORA_ADMIN_KEY", "admin")
    given = plan(folder, server={"host": "0.0.0.0"})  # noqa: S104
    assert (given.settings.api_keys, given.keys.made) == (("mine",), None)
    assert given.settings.admin_keys == ("admin",)
    assert plan(folder, server={"api_key_env": "OTHER"}).settings.api_keys == ("other",)


def test_one_adapter_is_merged_and_takes_the_name(folder: Path) -> None:
    make_adapter(folder / "other")
    made = plan(folder, adapters=[f"other={folder / 'other'}"], merge="tone")
    assert (made.project.name, made.project.adapters) == ("tone", {})
    assert made.merge == folder / "tone"
    with pytest.raises(ConfigError, match="no such adapter") as raised:
        plan(folder, merge="nobody")
    assert "tone" in str(raised.value.hint)
