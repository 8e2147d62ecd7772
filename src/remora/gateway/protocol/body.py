"""What all request bodies share: strict types, and no parameter that is silently ignored."""

from __future__ import annotations

import difflib
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from remora.errors import RequestError


def _closed(schema: dict[str, Any]) -> None:
    schema["additionalProperties"] = False


class Body(BaseModel):
    """A JSON object. Unknown names are kept by pydantic, and refused by `refuse_unknown`.

    ``unsupported`` names parameters of the OpenAI API (or of vLLM's) that this endpoint does not
    have, each with the values besides null and empty that ask for nothing.
    """

    model_config = ConfigDict(
        strict=True, extra="allow", allow_inf_nan=False, json_schema_extra=_closed
    )

    unsupported: ClassVar[dict[str, tuple[Any, ...]]] = {}


def refuse_unknown(body: Body, path: str = "") -> None:
    """Raises `RequestError` for the first parameter that would have no effect."""
    for name, value in (body.model_extra or {}).items():
        if name in body.unsupported:
            if value in (None, False, "", [], {}) or value in body.unsupported[name]:
                continue
            raise RequestError(
                f"'{path}{name}' is not supported by this endpoint.",
                param=path + name,
                code="unsupported_parameter",
            )
        near = difflib.get_close_matches(name, list(type(body).model_fields), n=1)
        raise RequestError(
            f"'{path}{name}' is not a parameter of this endpoint.",
            param=path + name,
            code="unknown_parameter",
            hint=f"Did you mean '{near[0]}'?" if near else None,
        )
    for name in type(body).model_fields:
        value = getattr(body, name)
        if isinstance(value, Body):
            refuse_unknown(value, f"{path}{name}.")
        elif isinstance(value, list) and value and isinstance(value[0], Body):
            for index, item in enumerate(value):
                refuse_unknown(item, f"{path}{name}[{index}].")
