from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from remora.project.git import commit_of


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_the_commit_and_whether_files_differ(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=me", "-c", "user.email=me@example.org"]
        command = ["git", "-C", str(tmp_path), *identity, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    git("init")
    assert commit_of(tmp_path) is None
    (tmp_path / "file").write_text("one", encoding="utf-8")
    git("add", ".")
    git("commit", "-m", "one")
    assert commit_of(tmp_path) == (git("rev-parse", "HEAD"), False)
    (tmp_path / "file").write_text("two", encoding="utf-8")
    assert commit_of(tmp_path) == (git("rev-parse", "HEAD"), True)


def test_no_git_is_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert commit_of(tmp_path) is None
