"""What the answers of both generation endpoints have around their choices."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

from remora.engine.request import Usage
from remora.gateway.answer import Answer


def envelope(prefix: str, kind: str, answer: Answer) -> dict[str, Any]:
    """The fields before ``choices``; ``prefix`` begins the id, ``kind`` is the ``object``."""
    return {
        "id": f"{prefix}-{uuid.uuid4().hex}",
        "object": kind,
        "created": int(time.time()),
        "model": answer.model,
        "system_fingerprint": answer.fingerprint,
    }


def usage_body(usage: Usage) -> dict[str, Any]:
    """``usage`` of both endpoints."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    }


class Events:
    """Server-sent events around one choice each, of which all but the choice is encoded once."""

    def __init__(self, fields: dict[str, Any], *, include_usage: bool) -> None:
        self._head = "data: " + json.dumps(fields)[:-1] + ', "choices": ['
        self._tail = '], "usage": null}\n\n' if include_usage else "]}\n\n"
        self._include_usage = include_usage

    def choice(self, encoded: str) -> bytes:
        """The event of a choice's encoded JSON object."""
        return f"{self._head}{encoded}{self._tail}".encode()

    def usage(self, usage: Usage) -> bytes:
        """The event with the token counts; empty if the client did not ask for it."""
        if not self._include_usage:
            return b""
        return f'{self._head}], "usage": {json.dumps(usage_body(usage))}}}\n\n'.encode()
