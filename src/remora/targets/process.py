"""Processes that outlive the command that started them: how they are started, found and ended."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    import psutil


class ProcessId(BaseModel):
    """A process for all time: a number is used again, but not with the same moment of birth."""

    model_config = ConfigDict(frozen=True)

    pid: int
    created: float


def identity_of(pid: int) -> ProcessId | None:
    """The identity of a process that runs now."""
    import psutil

    try:
        return ProcessId(pid=pid, created=psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return None


def is_running(process: ProcessId | None) -> bool:
    """Whether a process still runs; one that has ended and was not waited for does not."""
    return process is not None and _find(process) is not None


def terminate(process: ProcessId) -> None:
    """Ask a process to end; Windows ends it at once."""
    _signal(process, "terminate")


def kill(process: ProcessId) -> None:
    """End a process at once."""
    _signal(process, "kill")


def start_detached(command: Sequence[str], *, folder: Path, output: IO[bytes]) -> int:
    """Start a process that no terminal, session or parent ends; returns its number."""
    flags = 0
    if sys.platform == "win32":  # Not yet run on Windows.
        flags = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
    process = subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=sys.platform != "win32",
        creationflags=flags,
        close_fds=True,
    )
    process.returncode = 0  # It is not waited for: what it does is in its state file.
    return process.pid


def environment() -> dict[str, str]:
    """The environment of a server: this one, with output that arrives as it is written."""
    return os.environ | {"PYTHONUNBUFFERED": "1"}


def _signal(process: ProcessId, method: str) -> None:
    import psutil

    found = _find(process)
    if found is not None:
        try:
            getattr(found, method)()
        except psutil.NoSuchProcess:
            return


def _find(process: ProcessId) -> psutil.Process | None:
    import psutil

    try:
        found = psutil.Process(process.pid)
        same = found.create_time() == process.created
        return found if same and found.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None
