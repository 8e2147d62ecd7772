"""Mistral: ``[TOOL_CALLS][{"name": …, "arguments": {…}}, …]``.

Source: https://docs.mistral.ai/guides/tokenization/
"""

from __future__ import annotations

from remora.grammar.expression import Chain, Embedded, Expression, Literal, Repeat, Special
from remora.tools.call import NotACall, any_call, read_call
from remora.tools.format import ToolFormat
from remora.tools.reader import Content, Reader, Reading
from remora.tools.tools import Tools

_MARKER = "[TOOL_CALLS]"


def _read(reader: Reader, _: Tools) -> Reading[None]:
    while (space := (yield from reader.content_until(_MARKER))) is not None:
        reader.mark()
        called = False
        try:
            yield from reader.skip_space()
            if not (yield from reader.accept("[")):
                raise NotACall
            while True:
                yield from reader.skip_space()
                yield from read_call(reader)
                called = True
                yield from reader.skip_space()
                if not (yield from reader.accept(",")):
                    break
        except NotACall:
            pass
        text = reader.since_mark()
        if called:
            yield from reader.accept("]")
            yield from reader.skip_space()
        else:
            yield Content(space + _MARKER + text)


def _after_marker(tools: Tools, *, enforced: bool) -> Expression:
    call = any_call(tools, "arguments", enforced=enforced)
    items = Repeat(call, ", ") if tools.parallel else call
    return Chain((Literal("["), items, Literal("]")))


def _calls(tools: Tools) -> Expression:
    return Chain((Special(_MARKER), _after_marker(tools, enforced=True)))


def _answers(tools: Tools) -> Expression:
    return Embedded(Special(_MARKER), _after_marker(tools, enforced=False))


MISTRAL = ToolFormat("mistral", (_MARKER,), _read, _calls, _answers)
