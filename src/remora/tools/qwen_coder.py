"""Qwen3-Coder: a call as tags, with each argument as it is, and not as JSON.

    <tool_call>
    <function=weather>
    <parameter=city>
    Oslo
    </parameter>
    </function>
    </tool_call>

What is text and what is JSON, the function's schema tells.
Source: https://huggingface.co/Qwen/Qwen3-Coder-30B-A3B-Instruct (chat_template.jinja)
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from remora.grammar.expression import (
    Chain,
    Embedded,
    Expression,
    Json,
    Literal,
    OneOf,
    Regex,
    Repeat,
    Special,
    Until,
)
from remora.tools.format import ToolFormat
from remora.tools.reader import Arguments, CallBegins, Content, Reader, Reading
from remora.tools.tools import Tools

_BEGIN, _END = "<tool_call>", "</tool_call>"
_FUNCTION, _FUNCTION_END = "<function=", "</function>"
_PARAMETER, _PARAMETER_END = "<parameter=", "</parameter>"
_CLOSING = f"\n{_PARAMETER_END}\n"
_NOTHING = Literal("")
_WORDS = {"None": "null", "True": "true", "False": "false"}  # as templates write them


def _read(reader: Reader, tools: Tools) -> Reading[None]:
    while (space := (yield from reader.content_until(_BEGIN))) is not None:
        reader.mark()
        yield from reader.skip_space()
        begun = yield from reader.accept(_FUNCTION)
        name = (yield from reader.word()) if begun else ""
        if not name or not (yield from reader.accept(">")):
            yield Content(space + _BEGIN + reader.since_mark())
            continue
        reader.since_mark()
        yield CallBegins(name)
        function = next((each for each in tools.functions if each["name"] == name), {})
        yield from _read_arguments(reader, _properties(function))
        yield from reader.skip_past(_END)
        yield from reader.skip_space()


def _read_arguments(reader: Reader, schemas: Mapping[str, Any]) -> Reading[None]:
    """Read the parameters as an object, which has no end if the text ends before it."""
    before = "{"
    while True:
        yield from reader.skip_space()
        if not (yield from reader.accept(_PARAMETER)):
            break
        name = yield from reader.until(">")
        if name is None:
            return
        yield Arguments(f"{before}{json.dumps(name, ensure_ascii=False)}: ")
        before = ", "
        yield from reader.accept("\n")
        types = _types(schemas.get(name))
        if types <= {"string"}:
            yield Arguments('"')
            if (yield from reader.until(_PARAMETER_END, _text)) is None:
                return
            yield Arguments('"')
        else:
            value = yield from reader.until(_PARAMETER_END)
            if value is None:
                return
            yield Arguments(_json(value, types))
    if before == "{":
        yield Arguments(before)
    if (yield from reader.look()):
        yield Arguments("}")


def _text(piece: str) -> Arguments:
    return Arguments(json.dumps(piece, ensure_ascii=False)[1:-1])


def _json(value: str, types: set[str]) -> str:
    word = _WORDS.get(value.strip(), value.strip())
    if "string" not in types or (word == "null" and "null" in types):
        try:
            return json.dumps(json.loads(word), ensure_ascii=False)
        except (ValueError, RecursionError):
            pass  # Not what the schema asks for: the caller gets what was written.
    return json.dumps(value, ensure_ascii=False)


def _properties(function: Mapping[str, Any]) -> Mapping[str, Any]:
    found = (function.get("parameters") or {}).get("properties")
    return found if isinstance(found, Mapping) else {}


def _types(schema: Any) -> set[str]:
    """The types that a value may have by its schema; empty if that says nothing of them."""
    if not isinstance(schema, Mapping):
        return set()
    named = schema.get("type")
    types = {named} if isinstance(named, str) else {each for each in named or () if each}
    for option in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        types |= _types(option)
    if types:
        return types
    values = [*schema.get("enum", ()), *([schema["const"]] if "const" in schema else ())]
    if "$ref" in schema or "allOf" in schema or any(not isinstance(each, str) for each in values):
        return {"object"}
    return set()


def _function(function: Mapping[str, Any], *, enforced: bool) -> Expression:
    opening = Literal(f"\n{_FUNCTION}{function['name']}>\n")
    schemas = _properties(function)
    if enforced or function.get("strict"):
        whole = function.get("parameters") or {}
        required = whole.get("required") or ()
        shared = {key: whole[key] for key in ("$defs", "definitions") if key in whole}
        parameters = [
            _parameter(name, schema, shared, required=name in required)
            for name, schema in schemas.items()
        ]
    else:
        name = Regex(r"[^<>\n]+")
        any_parameter = Chain((Literal(_PARAMETER), name, Literal(">\n"), Until(Literal(_CLOSING))))
        parameters = [OneOf((Repeat(any_parameter, ""), _NOTHING))]
    return Chain((opening, *parameters, Literal(f"{_FUNCTION_END}\n"), Special(_END)))


def _parameter(name: str, schema: Any, shared: Mapping[str, Any], *, required: bool) -> Expression:
    types = _types(schema)
    value: Expression = Until(Literal(_CLOSING))
    if "enum" in schema and types <= {"string"}:
        value = OneOf(tuple(Literal(f"{each}{_CLOSING}") for each in schema["enum"]))
    elif types and "string" not in types:
        value = Chain((Json(json.dumps({**schema, **shared})), Literal(_CLOSING)))
    whole = Chain((Literal(f"{_PARAMETER}{name}>\n"), value))
    return whole if required else OneOf((whole, _NOTHING))


def _after_marker(tools: Tools, *, enforced: bool) -> Expression:
    return OneOf(tuple(_function(each, enforced=enforced) for each in tools.functions))


def _calls(tools: Tools) -> Expression:
    call = Chain((Special(_BEGIN), _after_marker(tools, enforced=True)))
    return Repeat(call, "\n") if tools.parallel else call


def _answers(tools: Tools) -> Expression:
    return Embedded(Special(_BEGIN), _after_marker(tools, enforced=False))


QWEN_CODER = ToolFormat("qwen-coder", (_BEGIN, _END), _read, _calls, _answers)
