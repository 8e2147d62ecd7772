"""A peer that can't be installed is left out, and said to be."""

from __future__ import annotations

import subprocess
import venv
from pathlib import Path

import pytest

from benchmarks import environments
from benchmarks.machine import machine
from benchmarks.peers import peers
from benchmarks.results import Results
from benchmarks.rounds import prepare


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def pip(python: Path, *arguments: str) -> str:
        if arguments[0] == "install":
            raise subprocess.CalledProcessError(1, "pip", stderr="retrying\nERROR: no network\n")
        return ""

    monkeypatch.setattr(environments, "FOLDER", tmp_path)
    monkeypatch.setattr(environments, "pip", pip)
    monkeypatch.setattr(venv, "create", lambda folder, with_pip: folder.mkdir(parents=True))


@pytest.mark.usefixtures("offline")
def test_a_peer_that_cannot_be_installed_is_noted_with_what_pip_said() -> None:
    results = Results("2026-11-22", machine(), "cpu", 128, 64, rounds=1, repeats=1)
    everyone = peers()
    assert prepare(everyone, results) == {}
    said = "can't be installed: ERROR: no network"
    assert results.failures == {peer.name: said for peer in everyone}


@pytest.mark.usefixtures("offline")
def test_an_environment_that_failed_is_tried_again() -> None:
    for _ in range(2):
        with pytest.raises(environments.CannotInstall, match="no network"):
            environments.ensure("some", ("a-package",))
