"""A `remora serve` in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Self

COMMAND = [sys.executable, "-c", "from remora.cli.main import main; main()"]


class Serving:
    """The process; what it prints is read as it comes."""

    def __init__(
        self,
        *arguments: str,
        env: dict[str, str] | None = None,
        command: tuple[str, ...] = ("serve",),
    ) -> None:
        self._log: IO[str] = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115  __exit__
        self.process = subprocess.Popen(
            [*COMMAND, *command, *arguments],
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            encoding="utf-8",
            env=os.environ | (env or {}),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()
        self._log.close()

    def lines(self) -> Iterator[str]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            yield line.rstrip("\n")

    def events(self) -> Iterator[dict[str, Any]]:
        return (json.loads(line) for line in self.lines())

    def until(self, event: str) -> list[dict[str, Any]]:
        """The events up to the one of that name; fails if the process ends before."""
        seen = []
        for found in self.events():
            seen.append(found)
            if found["event"] == event:
                return seen
        raise AssertionError(f"no {event!r} in {seen}; {self.log()}")

    def log(self) -> str:
        self._log.seek(0)
        return self._log.read()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(60)


def named(events: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(event for event in events if event["event"] == name)


def folder_of(base: Path, adapter: Path, project: Path) -> Path:
    """A project with a file that names both."""
    project.mkdir()
    text = f'[model]\nbase = "{base.as_posix()}"\nname = "tiny"\n'
    text += 'dtype = "float32"\ncontext_length = 96\n'
    text += f'[adapters]\ntone = "{adapter.as_posix()}"\n[server]\nport = 0\n'
    (project / "remora.toml").write_text(text, encoding="utf-8")
    return project
