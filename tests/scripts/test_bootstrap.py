"""What the scripts decide before they install anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bootstrap
import pytest

PYPROJECT: dict[str, Any] = {
    "build-system": {"requires": ["hatchling"]},
    "project": {"name": "x", "description": "one", "dependencies": ["a>=1"]},
    "tool": {"ruff": {"line-length": 100}},
}


@pytest.mark.parametrize(
    ("find_links", "platform", "nvidia", "first"),
    [
        (False, "linux", False, bootstrap.TORCH_CPU_INDEX),
        (False, "win32", False, bootstrap.TORCH_CPU_INDEX),
        (False, "linux", True, None),
        (False, "darwin", False, None),
        (True, "linux", False, None),
    ],
)
def test_where_torch_comes_from(
    find_links: bool, platform: str, nvidia: bool, first: str | None
) -> None:
    sources = bootstrap.torch_sources(find_links=find_links, platform=platform, nvidia=nvidia)
    assert (bootstrap.TORCH_CPU_INDEX in sources[0]) == (first is not None)
    assert sources[-1] == [], "the default index is the last resort"


def test_a_folder_of_wheels_is_seen_in_the_environment_and_in_pips_configuration() -> None:
    assert bootstrap.has_find_links({"PIP_FIND_LINKS": "wheels"}, "")
    assert bootstrap.has_find_links({}, "global.find-links='wheels'\n")
    assert not bootstrap.has_find_links({"PIP_FIND_LINKS": ""}, "global.cert='x'\n")


def test_the_digest_follows_what_is_installed_and_nothing_else() -> None:
    def digest(extra: str = "dev", python: str = "3.11", **project: Any) -> str:
        changed = PYPROJECT | {"project": PYPROJECT["project"] | project}
        return bootstrap.digest(changed, extra, python)

    same = digest()
    assert digest(description="two") == same
    assert bootstrap.digest(PYPROJECT | {"tool": {}}, "dev", "3.11") == same
    assert digest(dependencies=["a>=2"]) != same
    assert digest(extra="serve") != same
    assert digest(python="3.12") != same


def test_the_environment_stands_beside_the_project_unless_named(tmp_path: Path) -> None:
    assert bootstrap.environment({}) == bootstrap.ROOT / ".venv"
    assert bootstrap.environment({"REMORA_VENV": ""}) == bootstrap.ROOT / ".venv"
    assert bootstrap.environment({"REMORA_VENV": str(tmp_path)}) == tmp_path


def test_programs_are_found_on_windows_too(tmp_path: Path) -> None:
    on_linux = bootstrap.executable(tmp_path, "remora", platform="linux")
    on_windows = bootstrap.executable(tmp_path, "remora", platform="win32")
    assert on_linux == tmp_path / "bin" / "remora"
    assert on_windows == tmp_path / "Scripts" / "remora.exe"
