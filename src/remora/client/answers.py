"""What an endpoint answers, as values; what is not the OpenAI API is refused here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from remora.errors import EndpointError

DONE = "[DONE]"


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of an answer; the last ones carry why it ended and what it took."""

    text: str = ""
    finish_reason: str | None = None
    usage: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Model:
    """An entry of ``/v1/models``. All but the id is Remora's own, and absent elsewhere."""

    id: str
    parent: str | None = None
    state: str = "ready"
    reason: str | None = None
    digest: str | None = None
    rank: int | None = None
    context_length: int | None = None
    probe: Any = None
    defaults: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Readiness:
    """``/readyz``: whether the endpoint answers, what it does meanwhile, how far it is (0 to 1)."""

    ready: bool
    detail: str = ""
    progress: float | None = None


def chunk_of(data: str, address: str) -> Chunk:
    """One event of a streamed chat; raises `EndpointError` for an error that it carries."""
    try:
        value = json.loads(data)
        if error := value.get("error"):
            raise EndpointError(str(error.get("message", error)))
        usage = value.get("usage") or {}
        if not value.get("choices"):
            return Chunk(usage=usage)
        choice = value["choices"][0]
        return Chunk(choice["delta"].get("content") or "", choice.get("finish_reason"), usage)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise not_openai(address) from error


def models_of(response: httpx.Response, address: str) -> list[Model]:
    """The models of ``GET /v1/models``, in the endpoint's order."""
    try:
        return [_model(entry) for entry in response.json()["data"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise not_openai(address) from error


def _model(entry: Mapping[str, Any]) -> Model:
    return Model(
        id=str(entry["id"]),
        parent=entry.get("parent"),
        state=str(entry.get("state") or "ready"),
        reason=entry.get("reason"),
        digest=entry.get("digest"),
        rank=entry.get("rank"),
        context_length=entry.get("max_model_len"),
        probe=entry.get("probe"),
        defaults=entry.get("defaults") or {},
    )


def release_of(response: httpx.Response) -> str | None:
    """The id of the release that ``GET /v1/models`` names; None where there is none."""
    try:
        found = response.json().get("release")
    except (ValueError, AttributeError):
        return None
    return found if isinstance(found, str) else None


def not_openai(address: str) -> EndpointError:
    """The error for an endpoint that speaks another language."""
    return EndpointError(
        f"{address} does not answer as the OpenAI API does",
        hint="Name the address before /v1, as http://127.0.0.1:7860.",
    )
