"""A target: where releases run, and what a deployment asks of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from remora.release.changes import Change
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
    ASLEEP = "asleep"


@dataclass(frozen=True, slots=True)
class TargetState:
    """``detail`` says what a failed server ended with, or how far one is that is waited for in
    ``phase``; ``hint`` what to do about it. ``restarts`` is how often it was started again after it
    had died, ``since`` when it began to run."""

    life: Life
    detail: str = ""
    restarts: int = 0
    phase: str = ""
    hint: str | None = None
    since: dt.datetime | None = None


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

    @property
    def poll(self) -> float:
        """Seconds between two looks at its server."""
        ...

    def start(self, changed: Collection[Change] = (), *, wakes: bool = True) -> bool:
        """Let a server run over the share; returns False if one did already.

        ``changed`` is what the new release changes of what was served. Without ``wakes`` a server
        that sleeps goes on sleeping.
        """
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
