"""A target: where releases run, and what a deployment asks of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from remora.release.manifest import Role
from remora.release.report import Report
from remora.release.runtime import Runtime
from remora.release.share import Share


class Life(StrEnum):
    """Whether a target's server runs."""

    RUNNING = "running"
    WAITING = "waiting"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class TargetState:
    """``detail`` says what a failed server ended with, ``restarts`` how often it was started again
    after it had died."""

    life: Life
    detail: str = ""
    restarts: int = 0


class Target(Protocol):
    """One place where one release is served at a time."""

    @property
    def name(self) -> str:
        """``local`` or ``azure``."""
        ...

    @property
    def share(self) -> Share:
        """What its server sees."""
        ...

    @property
    def url(self) -> str | None:
        """Where it answers, None before the first start."""
        ...

    @property
    def runtime(self) -> Runtime:
        """The Python and the platform that its server runs on."""
        ...

    @property
    def containers(self) -> Collection[Role]:
        """The containers that a deployment brings Remora to; none where it is installed."""
        ...

    def start(self) -> bool:
        """Let a server run over the share; returns False if one did already."""
        ...

    def state(self) -> TargetState: ...

    def report(self) -> Report | None:
        """What the server says of its release; None while it does not answer."""
        ...

    def push(self) -> None:
        """Let the server look at the share at once; nothing while it does not answer."""
        ...

    def logs(self, *, follow: bool) -> Iterator[str]:
        """Lines of the server's log; with ``follow`` it goes on while lines come."""
        ...

    def down(self) -> bool:
        """End the server and all that belongs to it; returns False if there was none.

        The share and its releases stay.
        """
        ...
