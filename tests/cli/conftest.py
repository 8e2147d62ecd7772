from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from remora.cli.main import main
from remora.gateway.logs import LOGGERS
from tests.cli.stub_endpoint import StubEndpoint


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


Remora = Callable[..., Ran]


@pytest.fixture
def _loggers_as_before() -> Iterator[None]:
    """Logs must not go to a stream that a test has captured and closed."""
    loggers = [logging.getLogger(name) for name in LOGGERS]
    before = [(logger.handlers, logger.propagate, logger.level) for logger in loggers]
    yield
    for logger, (handlers, propagate, level) in zip(loggers, before, strict=True):
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)


@pytest.fixture
def remora(
    _loggers_as_before: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Remora:
    """Runs the command line in this process, from `main` on."""

    def run(*arguments: str, answers: str = "") -> Ran:
        monkeypatch.setattr(sys, "argv", ["remora", *arguments])
        monkeypatch.setattr(sys, "stdin", io.StringIO(answers))
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        printed = capsys.readouterr()
        return Ran(code, printed.out, printed.err)

    return run


@pytest.fixture
def endpoint() -> Iterator[StubEndpoint]:
    with StubEndpoint() as stub:
        yield stub
