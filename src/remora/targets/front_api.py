"""What a front knows of the server behind it. It is asked without the server's being asked, so that
looking neither wakes it nor keeps it awake."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from pydantic import BaseModel, ValidationError

from remora.errors import EndpointError
from remora.release.report import Report, Served, ServedModel, Standing
from remora.targets.asking import ask

M = TypeVar("M", bound=BaseModel)


class Seen(BaseModel):
    """The answer to ``GET /status``, as far as it matters to a person."""

    presence: Literal["asleep", "waking", "awake"]
    since: dt.datetime | None
    detail: str
    running: int
    waiting: int
    hours_awake: float
    max_hours_awake: float


class _Listed(BaseModel):
    id: str
    parent: str | None
    digest: str
    state: str
    reason: str | None
    probe: dict[str, object] | None


class _Listing(BaseModel):
    """The answer to ``GET /v1/models``."""

    release: str | None
    data: tuple[_Listed, ...]


@dataclass(frozen=True, slots=True)
class FrontApi:
    """A front's address, and an API key."""

    url: str
    key: str = field(repr=False)

    def seen(self) -> Seen | None:
        """Whether the server sleeps, and since when; None while no front answers."""
        return self._ask("/status", Seen)

    def report(self) -> Report | None:
        """What a server that is awake serves: the share's release, and of each model what the front
        last heard. None while no front answers, or nothing was released."""
        listing = self._ask("/v1/models", _Listing)
        if listing is None or listing.release is None:
            return None
        models = tuple(
            ServedModel(name=one.id, **one.model_dump(exclude={"id"})) for one in listing.data
        )
        served = Served(release=listing.release)
        return Report(standing=Standing.READY, served=served, wanted=None, models=models)

    def _ask(self, path: str, kind: type[M]) -> M | None:
        """Raises `EndpointError` where something else answers than a front of this version."""
        answer = ask(self.url, path, self.key)
        if answer is None or answer[0] != 200:
            return None
        try:
            return kind.model_validate_json(answer[1])
        except ValidationError as error:
            raise EndpointError(f"{self.url} is no front of this version of Remora") from error
