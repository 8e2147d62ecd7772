"""What a server says about the release that it serves."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

RESTART = 75  # exit code of a server that asks to be started anew, with another release


class Standing(StrEnum):
    """Where a server is on the way to the share's current release."""

    LOADING = "loading"
    CHANGING = "changing"
    RESTARTING = "restarting"
    READY = "ready"
    FAILED = "failed"


class Served(BaseModel):
    """A release, and the entry of the share's log that asks for it."""

    model_config = ConfigDict(frozen=True)

    release: str = Field(description="The release's id.")
    sequence: int | None = Field(
        None, description="The number of the log's entry; null where it is not known."
    )


class ServedModel(BaseModel):
    """The base model or an adapter, as it is served."""

    model_config = ConfigDict(frozen=True)

    name: str
    parent: str | None = Field(None, description="The base model; null for the base itself.")
    digest: str = Field(description="The digest of its files, as in the release.")
    state: str = Field(description="`registered`, `loading`, `ready` or `failed`.")
    reason: str | None = Field(None, description="Why it failed.")
    probe: dict[str, object] | None = Field(None, description="What its proof at load found.")


class Report(BaseModel):
    """The release that answers, and the one that should.

    The two differ while the server changes over, and where the wanted one can't be served: then
    ``reason`` and ``hint`` say why, and the served one goes on.
    """

    model_config = ConfigDict(frozen=True)

    standing: Standing
    served: Served | None = Field(description="What answers requests.")
    wanted: Served | None = Field(description="What the share says is current.")
    reason: str | None = Field(None, description="Why the wanted release isn't served.")
    hint: str | None = Field(None, description="What to do about it.")
    detail: str = Field("", description="What is being done now, for a person.")
    models: tuple[ServedModel, ...] = Field((), description="The base first, then the adapters.")
