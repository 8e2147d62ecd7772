"""Llama 3.1 to 3.3: the answer is ``{"name": …, "parameters": {…}}``, or it is text.

Source: https://www.llama.com/docs/model-cards-and-prompt-formats/llama3_1/#json-based-tool-calling
"""

from __future__ import annotations

from remora.grammar.expression import Expression, OneOf, Regex
from remora.tools.call import NotACall, any_call, read_call
from remora.tools.format import ToolFormat
from remora.tools.reader import Content, Reader, Reading
from remora.tools.tools import Tools

_TAG = "<|python_tag|>"


def _read(reader: Reader, tools: Tools) -> Reading[None]:
    called = False
    reader.mark()
    try:
        while True:
            yield from reader.skip_space()
            yield from reader.accept(_TAG)
            yield from reader.skip_space()
            # JSON that calls none of the functions is an answer.
            yield from read_call(reader, tools.names)
            called = True
            reader.mark()
            yield from reader.skip_space()
            if not (yield from reader.accept(";")):
                break
    except NotACall:
        pass
    text = reader.since_mark()
    if not called or text.strip():
        yield Content(text)
    yield from reader.rest()


def _calls(tools: Tools) -> Expression:
    # These models are trained to make one call at a time.
    return any_call(tools, "parameters", enforced=True)


def _answers(tools: Tools) -> Expression:
    return OneOf((any_call(tools, "parameters", enforced=False), Regex(r"([^\s{](.|\n)*)?")))


LLAMA = ToolFormat("llama", (_TAG,), _read, _calls, _answers)
