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
from tests.fake_endpoint import FakeEndpoint


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
def remora(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Remora]:
    """Runs the command line in this process, from `main` on.

    Loggers are as before in the end: they must not write to a stream that a test has closed.
    """
    loggers = [logging.getLogger(name) for name in LOGGERS]
    before = [(logger.handlers, logger.propagate, logger.level) for logger in loggers]

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

    yield run
    for logger, (handlers, propagate, level) in zip(loggers, before, strict=True):
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)


@pytest.fixture
def endpoint() -> Iterator[FakeEndpoint]:
    with FakeEndpoint() as fake:
        fake.answer = lambda body: [f"<{body['model']}>", " hi"]
        yield fake
