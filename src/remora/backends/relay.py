"""The seam between HTTP and another server that answers: requests are handed on as they came.

Nothing of an answer is read on its way but where its events end, so that it costs next to nothing,
and a parameter that only the other server knows works, too.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from remora.backends.backend import ModelCard, Service


class Presence(StrEnum):
    """Whether the other server runs; one at zero replicas sleeps."""

    ASLEEP = "asleep"
    WAKING = "waking"
    AWAKE = "awake"


@dataclass(frozen=True, slots=True)
class UpstreamStatus:
    """What is known of the other server. ``since`` is in seconds since 1970, None where nothing
    was seen yet; ``detail`` says in words how far a wake has come, or why the last one failed.

    ``hours_awake`` are those of this day (UTC), ``max_hours_awake`` what is allowed (0: any).
    """

    presence: Presence
    since: float | None
    detail: str = ""
    progress: float | None = None
    running: int = 0
    waiting: int = 0
    replicas: int = 0
    hours_awake: float = 0.0
    max_hours_awake: float = 0.0


@dataclass(frozen=True, slots=True)
class RelayRequest:
    """A request to hand on. ``path`` begins with a slash and has the query; ``headers`` are those
    of the client that the other server needs.

    ``model`` is what it names, None where it names none. It wakes the other server only with
    ``wakes``. One that ``streams`` keeps its client listening, and so may wait longer for that.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""
    model: str | None = None
    wakes: bool = True
    streams: bool = False


class RelayAnswer(Protocol):
    """An answer that is on its way. It must be closed, read or not."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Those that are the client's business, with names in lower case."""
        ...

    def pieces(self) -> AsyncGenerator[bytes]:
        """The body as it arrives; raises `UpstreamFailure` if it breaks off."""
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What is known of the models without asking, by id: what the ``release`` serves, the base
    first, and what the other server has said of its own (entries of its ``/v1/models``)."""

    release: str | None = None
    cards: Mapping[str, ModelCard] = field(default_factory=dict)
    seen: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


class Relay(Service, Protocol):
    """Hands requests on to another server, and wakes it if it sleeps."""

    def upstream(self) -> UpstreamStatus: ...

    async def catalogue(self) -> Catalogue:
        """Wakes nobody."""
        ...

    async def check_model(self, name: str) -> None:
        """Raises `ModelNotFound` for what is not served, without waking anybody."""
        ...

    async def send(self, request: RelayRequest) -> RelayAnswer:
        """Hand a request on; returns when the answer begins.

        Raises `Asleep`, `Waking`, `WakeFailed`, `HoursSpent`, `QueueFull` and `UpstreamFailure`.
        """
        ...
