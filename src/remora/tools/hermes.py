"""Hermes and Qwen: ``<tool_call>{"name": …, "arguments": {…}}</tool_call>``, any number of them.

Source: https://github.com/NousResearch/Hermes-Function-Calling
"""

from __future__ import annotations

from remora.grammar.expression import Chain, Embedded, Expression, Literal, Repeat, Special
from remora.tools.call import NotACall, any_call, read_call
from remora.tools.format import ToolFormat
from remora.tools.reader import Content, Reader, Reading
from remora.tools.tools import Tools

_BEGIN, _END = "<tool_call>", "</tool_call>"


def _read(reader: Reader, _: Tools) -> Reading[None]:
    while (space := (yield from reader.content_until(_BEGIN))) is not None:
        reader.mark()
        try:
            yield from reader.skip_space()
            yield from read_call(reader)
        except NotACall:
            yield Content(space + _BEGIN + reader.since_mark())
        else:
            reader.since_mark()
            yield from reader.skip_past(_END)
            yield from reader.skip_space()


def _after_marker(tools: Tools, *, enforced: bool) -> Expression:
    call = any_call(tools, "arguments", enforced=enforced)
    return Chain((Literal("\n"), call, Literal("\n"), Special(_END)))


def _calls(tools: Tools) -> Expression:
    call = Chain((Special(_BEGIN), _after_marker(tools, enforced=True)))
    return Repeat(call, "\n") if tools.parallel else call


def _answers(tools: Tools) -> Expression:
    return Embedded(Special(_BEGIN), _after_marker(tools, enforced=False))


HERMES = ToolFormat("hermes", (_BEGIN, _END), _read, _calls, _answers)
