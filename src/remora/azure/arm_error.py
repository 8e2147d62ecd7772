"""Errors as Azure Resource Manager writes them: nested, the cause innermost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Codes that only say that something inside of them failed.
_WRAPPERS = {
    "deploymentfailed",
    "resourcedeploymentfailure",
    "multipleerrorsoccurred",
    "invalidtemplatedeployment",
    "preflightvalidationcheckfailed",
    "badrequest",
    "conflict",
}


@dataclass(frozen=True, slots=True)
class ArmError:
    """A code and what Azure says of it; ``target`` is the resource or the property it is about."""

    code: str
    message: str
    target: str = ""


def innermost(value: Any) -> ArmError | None:
    """The cause inside of an error's JSON; None if it is none.

    An error stands under the key ``error`` or by itself, its causes under ``details``, and some
    providers write one as a text of JSON into the message of another.
    """
    if isinstance(value, str):
        return innermost(_json(value))
    if not isinstance(value, Mapping):
        return None
    if isinstance(value.get("error"), Mapping):
        return innermost(value["error"])
    code, message = value.get("code"), value.get("message")
    if not code and not message:
        return None
    own = ArmError(str(code or ""), str(message or code), str(value.get("target") or ""))
    inner = [innermost(detail) for detail in value.get("details") or ()]
    causes = [error for error in [*inner, innermost(_json(own.message))] if error is not None]
    telling = [error for error in causes if error.code.lower() not in _WRAPPERS]
    if telling:
        return telling[0]
    return causes[0] if causes and own.code.lower() in _WRAPPERS else own


def _json(text: str) -> Any:
    if not text.lstrip().startswith("{"):
        return None
    try:
        return json.loads(text)
    except ValueError:
        return None
