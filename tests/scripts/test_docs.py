"""The docs say what the code does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import reference
from bootstrap import ROOT

from remora.cli.main import app

COMMANDS = [
    c.name or c.callback.__name__ for c in app.registered_commands if c.callback is not None
]


@pytest.fixture
def docs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(reference, "DOCS", tmp_path)
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["reference", *arguments])
    return reference.main()


@pytest.mark.parametrize("path", reference.files(), ids=lambda path: path.name)
def test_the_generated_files_are_up_to_date(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == reference.files()[path](), "run scripts/docs"


def test_a_stale_page_is_shown_and_then_written(
    docs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "--check") == 1
    assert "+## remora serve" in capsys.readouterr().out
    assert not list(docs.iterdir()), "a check writes nothing"
    assert run(monkeypatch) == 0
    assert run(monkeypatch, "--check") == 0


def test_the_reference_has_every_option_and_key() -> None:
    page = reference.cli_page()
    assert all(f"## remora {name}" in page for name in COMMANDS)
    assert all(option in page for option in ("`--api-key-file` PATH", "`--yes`, `-y`", "NAME=DIR"))
    page = reference.configuration_page()
    assert all(key in page for key in ("`base` | string | required", "`port` | integer | `7860`"))


def test_the_readme_lists_every_command() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    listed = [line.split("`")[1] for line in readme.splitlines() if line.startswith("| `remora ")]
    assert listed == [f"remora {name}" for name in COMMANDS]


@pytest.mark.slow
def test_the_site_is_built_without_a_warning_and_loads_nothing_from_elsewhere(
    tmp_path: Path,
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for page in tmp_path.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert 'src="http' not in text
        assert "fonts.g" not in text
