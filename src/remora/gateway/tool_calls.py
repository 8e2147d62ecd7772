"""Tool calls in the shapes of the OpenAI API."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from remora.engine.request import ToolCallDelta


def whole_calls(deltas: Iterable[ToolCallDelta]) -> tuple[ToolCallDelta, ...]:
    """One delta for each call, with all that it gained."""
    calls: dict[int, ToolCallDelta] = {}
    for delta in deltas:
        known = calls.get(delta.index)
        calls[delta.index] = (
            delta if known is None else replace(known, arguments=known.arguments + delta.arguments)
        )
    return tuple(calls.values())


def call_body(call: ToolCallDelta) -> dict[str, Any]:
    """An entry of ``message.tool_calls``."""
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id, "type": "function", "function": function}


def call_chunk(delta: ToolCallDelta) -> dict[str, Any]:
    """An entry of ``delta.tool_calls``; the id and the name come with a call's first."""
    if delta.id is None:
        return {"index": delta.index, "function": {"arguments": delta.arguments}}
    return {"index": delta.index, **call_body(delta)}
