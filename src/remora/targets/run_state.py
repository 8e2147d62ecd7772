"""What a supervisor runs, and what it says about it: two small files in the target's folder."""

from __future__ import annotations

import uuid
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from remora.targets.process import ProcessId

Document = TypeVar("Document", bound=BaseModel)

LAUNCH_FILE = "launch.json"
STATE_FILE = "state.json"
LOCK_FILE = "supervisor.lock"
LOG_FILE = "server.log"


class Launch(BaseModel):
    """What is run: a command without secrets, the share that it serves, and where it answers.

    ``server`` are the settings that the command was made from, and ``patience`` [s] is what it
    gets to end by itself.
    """

    model_config = ConfigDict(frozen=True)

    command: tuple[str, ...]
    share: str
    url: str
    server: dict[str, Any] = Field(default_factory=dict)
    patience: float = 40.0


class Phase(StrEnum):
    """Where a supervisor and its server are."""

    RUNNING = "running"
    WAITING = "waiting"
    FAILED = "failed"
    STOPPED = "stopped"


class RunState(BaseModel):
    """What a supervisor says. ``detail`` is for a person; ``restarts`` counts since its start."""

    model_config = ConfigDict(frozen=True)

    phase: Phase
    supervisor: ProcessId
    server: ProcessId | None = None
    restarts: int = 0
    exit_code: int | None = None
    detail: str = ""


def write(folder: Path, name: str, document: BaseModel) -> None:
    """Put a file in place at once."""
    beside = folder / f".{name}.{uuid.uuid4().hex}"
    beside.write_text(document.model_dump_json(indent=1) + "\n", encoding="utf-8")
    beside.replace(folder / name)


def read(folder: Path, name: str, kind: type[Document]) -> Document | None:
    """The file's content, or None if there is none that can be read."""
    try:
        return kind.model_validate_json((folder / name).read_bytes())
    except (OSError, ValidationError):
        return None
