"""Mistral since its tokenizer v11: ``[TOOL_CALLS]name[ARGS]{…}``, any number of them.

v11 also writes an id, ``[TOOL_CALLS]name[CALL_ID]…[ARGS]{…}``, which is not kept.
Source: https://github.com/mistralai/mistral-common
"""

from __future__ import annotations

from remora.grammar.expression import Chain, Embedded, Expression, Literal, OneOf, Repeat, Special
from remora.tools.call import arguments_of
from remora.tools.format import ToolFormat
from remora.tools.reader import Arguments, CallBegins, Content, Reader, Reading
from remora.tools.tools import Tools

_MARKER, _ID, _ARGUMENTS = "[TOOL_CALLS]", "[CALL_ID]", "[ARGS]"


def _read(reader: Reader, _: Tools) -> Reading[None]:
    while (space := (yield from reader.content_until(_MARKER))) is not None:
        reader.mark()
        yield from reader.skip_space()
        name = yield from reader.word()
        if (yield from reader.accept(_ID)):
            yield from reader.word()
        if not name or not (yield from reader.accept(_ARGUMENTS)):
            yield Content(space + _MARKER + reader.since_mark())
            continue
        reader.since_mark()
        yield CallBegins(name)
        yield from reader.skip_space()
        if not (yield from reader.value(Arguments)):
            yield Arguments("{}")
        yield from reader.skip_space()


def _after_marker(tools: Tools, *, enforced: bool) -> Expression:
    calls = (
        Chain(
            (
                Literal(function["name"]),
                Special(_ARGUMENTS),
                arguments_of(function, enforced=enforced),
            )
        )
        for function in tools.functions
    )
    return OneOf(tuple(calls))


def _calls(tools: Tools) -> Expression:
    call = Chain((Special(_MARKER), _after_marker(tools, enforced=True)))
    return Repeat(call, "") if tools.parallel else call


def _answers(tools: Tools) -> Expression:
    return Embedded(Special(_MARKER), _after_marker(tools, enforced=False))


MISTRAL_ARGS = ToolFormat("mistral-args", (_MARKER, _ID, _ARGUMENTS), _read, _calls, _answers)
