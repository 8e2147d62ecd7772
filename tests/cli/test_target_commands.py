"""The commands about a target, where there is no server: what they say, and their exit codes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from remora.azure.config_file import InferenceConfig
from tests.cli.conftest import Remora
from tests.trees import make_base

DEMO = Path(__file__).resolve().parents[2] / "examples" / "demo"


@pytest.mark.parametrize(
    ("command", "code", "event"),
    [
        (["status"], 0, "status"),
        (["releases"], 0, None),
        (["logs"], 0, None),
        (["prune"], 0, "pruned"),
        (["down"], 0, "down"),
        (["rollback", "--project"], 6, "error"),
        (["open"], 7, "error"),
        (["verify"], 7, "error"),
    ],
)
@pytest.mark.parametrize("provisioned", [False, True])
def test_where_nothing_was_deployed(
    tmp_path: Path,
    remora: Remora,
    command: list[str],
    code: int,
    event: str | None,
    provisioned: bool,
) -> None:
    if provisioned:
        config = tmp_path / "infra" / "inference.config.json"
        config.parent.mkdir()
        values = {name.upper(): "somewhere" for name in InferenceConfig.model_fields}
        config.write_text(json.dumps(values))
    here = ("--target", "local") if provisioned else ()
    ran = remora(*command, str(tmp_path), *here, "--json")
    assert ran.code == code
    assert [found["event"] for found in ran.events] == ([event] if event else [])
    if event == "error":
        assert ran.events[0]["hint"]
    assert not (tmp_path / ".remora").exists()


def test_a_person_is_told_the_same(tmp_path: Path, remora: Remora) -> None:
    assert remora("status", str(tmp_path)).out == "The server is stopped.\n"
    assert "remora deploy" in remora("releases", str(tmp_path)).out
    assert "no server" in remora("logs", str(tmp_path)).err
    assert "remora releases" in remora("rollback", "--project", str(tmp_path)).err


def test_a_log_is_shown_as_it_was_written_or_a_line_an_event(
    tmp_path: Path, remora: Remora
) -> None:
    folder = tmp_path / ".remora" / "local"
    folder.mkdir(parents=True)
    written = '{"event": "ready"}\n[brackets] stay\n'
    (folder / "server.log").write_text(written, encoding="utf-8")
    assert remora("logs", str(tmp_path)).out == written
    told = remora("logs", str(tmp_path), "--json").events
    assert told == [{"event": "log", "line": line} for line in written.splitlines()]


def test_a_dry_run_lists_what_would_go_and_changes_nothing(tmp_path: Path, remora: Remora) -> None:
    shutil.copytree(DEMO / "base", tmp_path / "project" / "base")
    shutil.copytree(DEMO / "adapters" / "tone", tmp_path / "project" / "adapters" / "tone")
    (tmp_path / "share").mkdir()
    arguments = (str(tmp_path / "project"), "--share", str(tmp_path / "share"), "--dry-run")
    ran = remora("deploy", *arguments, "--json")
    assert ran.code == 0, ran.err
    missing = {Path(event["path"]).name for event in ran.events if event["event"] == "missing"}
    assert {"model.safetensors", "adapter_model.safetensors"} <= missing
    assert not list((tmp_path / "share").iterdir())
    assert "bytes would be uploaded" in remora("deploy", *arguments).out


def test_a_base_that_cant_be_served_is_not_deployed(tmp_path: Path, remora: Remora) -> None:
    make_base(tmp_path / "base")
    ran = remora("deploy", str(tmp_path), "--json")
    assert ran.code == 3, ran.events
    assert ran.events[-1]["event"] == "error"
    assert not (tmp_path / ".remora" / "log").exists()


@pytest.mark.parametrize("command", [["deploy"], ["status"], ["releases"]])
def test_folders_that_do_not_exist_are_named(
    tmp_path: Path, remora: Remora, command: list[str]
) -> None:
    ran = remora(*command, str(tmp_path / "nowhere"))
    assert ran.code == 2
    assert "nowhere" in ran.err


def test_a_share_decides_what_is_served(tmp_path: Path, remora: Remora) -> None:
    ran = remora("serve", "--share", str(tmp_path), "--dtype", "float32")
    assert ran.code == 2
    assert "--dtype" in ran.err
    ran = remora("serve", "--share", str(tmp_path))
    assert ran.code == 6
    assert "nothing was released" in ran.err
