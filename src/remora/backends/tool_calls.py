"""Requests with tools: what their answers must be, and the calls that are read from them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from remora.backends.backend import Generation, ModelCard
from remora.engine.request import Delta, FinishReason, Usage
from remora.errors import RequestError
from remora.grammar.expression import Constraint, Lark, OneOf
from remora.tools.format import ToolFormat
from remora.tools.parser import ToolParser
from remora.tools.tools import Tools


@dataclass(frozen=True, slots=True)
class CallingGeneration:
    """A generation in whose text calls are looked for."""

    generation: Generation
    tool_format: ToolFormat
    tools: Tools

    @property
    def model(self) -> ModelCard:
        return self.generation.model

    @property
    def fingerprint(self) -> str:
        return self.generation.fingerprint

    @property
    def usage(self) -> Usage:
        return self.generation.usage

    def cancel(self) -> None:
        self.generation.cancel()

    async def deltas(self) -> AsyncIterator[Delta]:
        parsers: dict[int, ToolParser] = {}
        async for delta in self.generation.deltas():
            if delta.index not in parsers:
                parsers[delta.index] = ToolParser(self.tool_format, self.tools)
            yield _parsed(delta, parsers[delta.index])


def _parsed(delta: Delta, parser: ToolParser) -> Delta:
    text, calls = parser.push(delta.text)
    reason = delta.finish_reason
    if reason is not None:
        last_text, last_calls = parser.finish()
        text, calls = text + last_text, calls + last_calls
        if reason is FinishReason.STOP and parser.has_called:
            reason = FinishReason.TOOL_CALLS
    return replace(delta, text=text, tool_calls=calls, finish_reason=reason)


def constraint_with(
    tool_format: ToolFormat, tools: Tools, wanted: Constraint | None
) -> Constraint | None:
    """What an answer with tools must be, when ``wanted`` bounds what it is without a call."""
    if tools.choice == "required":
        return Constraint(tool_format.calls(tools), "tools")
    if wanted is None:
        return Constraint(tool_format.answers(tools), "tools") if tools.is_strict else None
    if isinstance(wanted.expression, Lark):
        raise RequestError(
            "A grammar can't be combined with tools that the model may call.", param=wanted.param
        )
    return Constraint(OneOf((tool_format.calls(tools), wanted.expression)), wanted.param)


def with_names(messages: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Messages in which a tool's answer names the function, as some templates write it."""
    names = {
        call["id"]: call["function"]["name"]
        for message in messages
        for call in message.get("tool_calls", ())
    }
    return [
        {"name": names[message["tool_call_id"]], **message}
        if message.get("tool_call_id") in names
        else message
        for message in messages
    ]


def with_objects(messages: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Messages whose calls have objects as arguments, where the OpenAI API has their JSON text.

    Raises `RequestError` for arguments that are not JSON.
    """
    return [
        {**message, "tool_calls": _with_objects(calls, f"messages[{place}].tool_calls")}
        if (calls := message.get("tool_calls"))
        else message
        for place, message in enumerate(messages)
    ]


def _with_objects(calls: Sequence[Mapping[str, Any]], where: str) -> list[Mapping[str, Any]]:
    changed: list[Mapping[str, Any]] = []
    for place, call in enumerate(calls):
        function = call["function"]
        try:
            arguments = json.loads(function["arguments"] or "{}")
        except ValueError:
            param = f"{where}[{place}].function.arguments"
            raise RequestError(f"'{param}' is not JSON.", param=param) from None
        changed.append({**call, "function": {**function, "arguments": arguments}})
    return changed
