"""A call as a JSON object, which all the formats have in common: a name and arguments."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from remora.grammar.expression import Chain, Expression, Json, Literal, OneOf
from remora.tools.reader import Arguments, CallBegins, Reader, Reading
from remora.tools.tools import Tools

_ARGUMENTS = ("arguments", "parameters")
_NO_PARAMETERS = {"type": "object", "properties": {}, "additionalProperties": False}


class NotACall(Exception):
    """What was taken for a call is none, as its beginning shows."""


def read_call(reader: Reader, names: Collection[str] | None = None) -> Reading[None]:
    """Read ``{"name": …, "arguments": {…}}``, in any order; ``names`` are those that count.

    Raises `NotACall` before anything has been yielded. What is wrong later ends the call.
    """
    begun = False
    arguments: str | None = None
    if not (yield from reader.accept("{")):
        raise NotACall
    while not (yield from reader.accept("}")):
        key = yield from reader.string()
        yield from reader.skip_space()
        colon = yield from reader.accept(":")
        if key is None or not colon:
            break
        yield from reader.skip_space()
        if key == "name" and not begun:
            name = yield from reader.string()
            if name is None or (names is not None and name not in names):
                break
            begun = True
            yield CallBegins(name)
            if arguments is not None:
                yield Arguments(arguments)
        elif key in _ARGUMENTS and arguments is None:
            arguments = yield from _read_arguments(reader, now=begun)
        else:
            yield from reader.value()
        yield from reader.skip_space()
        yield from reader.accept(",")
        yield from reader.skip_space()
    if not begun:
        raise NotACall
    if arguments is None:
        yield Arguments("{}")


def _read_arguments(reader: Reader, *, now: bool) -> Reading[str]:
    """Read the arguments, and yield them at once if the call has begun."""
    if (yield from reader.look()) == '"':
        # Some models write the JSON of the arguments as a string.
        text = (yield from reader.string()) or ""
        if now:
            yield Arguments(text)
        return text
    return (yield from reader.value(Arguments if now else None))


def any_call(tools: Tools, key: str, *, enforced: bool) -> Expression:
    """One call of any of the functions, with its arguments under ``key``.

    The arguments follow the function's schema if it is strict, or if that is ``enforced``.
    """
    calls = (_call(function, key, enforced=enforced) for function in tools.functions)
    return OneOf(tuple(calls))


def _call(function: Mapping[str, Any], key: str, *, enforced: bool) -> Expression:
    beginning = f'{{"name": {json.dumps(function["name"])}, "{key}": '
    return Chain((Literal(beginning), arguments_of(function, enforced=enforced), Literal("}")))


def arguments_of(function: Mapping[str, Any], *, enforced: bool) -> Json:
    """The arguments as an object, by the function's schema if it is strict or that is enforced."""
    schema: Any = {"type": "object"}
    if enforced or function.get("strict"):
        schema = function.get("parameters") or _NO_PARAMETERS
    return Json(json.dumps(schema))
