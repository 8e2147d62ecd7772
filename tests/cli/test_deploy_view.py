"""What `remora deploy` says while a server is waited for."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator

import pytest

from remora.cli.deploy_view import DeployView
from remora.cli.output import Output
from remora.release.report import Report, Standing
from remora.targets.target import Life, TargetState

LOADING = Report(standing=Standing.CHANGING, served=None, wanted=None, reason=None, hint=None)


def test_phases_are_told_as_they_begin_and_end_and_the_log_beside_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    read = threading.Event()

    def log() -> Iterator[str]:
        yield "[a line] of the container"
        read.set()

    with DeployView(Output(as_json=True), log) as view:
        view.phase("serve", None)
        view.waiting(TargetState(Life.ASLEEP))
        view.waiting(TargetState(Life.WAITING, phase="scheduling"))
        view.waiting(TargetState(Life.WAITING, phase="scheduling"))
        assert read.wait(30)
        view.waiting(TargetState(Life.RUNNING, phase="starting"))
        view.served(LOADING)
        view.phase("serve", 1.5)
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    phases = [
        (event["phase"], event["seconds"] is None) for event in events if event["event"] == "phase"
    ]
    assert phases == [
        ("serve", True),
        ("scheduling", True),
        ("scheduling", False),
        ("starting", True),
        ("starting", False),
        ("loading", True),
        ("loading", False),
        ("serve", False),
    ]
    assert {"event": "log", "line": "[a line] of the container"} in events


def test_a_person_sees_the_log_as_it_was_written(capsys: pytest.CaptureFixture[str]) -> None:
    read = threading.Event()

    def log() -> Iterator[str]:
        yield "[a line] of the container"
        read.set()

    with DeployView(Output(as_json=False), log) as view:
        view.waiting(TargetState(Life.WAITING, phase="starting"))
        assert read.wait(30)
    assert capsys.readouterr().out == "  [a line] of the container\n"
