"""Functions of Azure's template language whose result depends on their arguments alone.

The template uses them, or its users may; any other is an error. After
https://learn.microsoft.com/azure/azure-resource-manager/templates/template-functions
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from remora.azure.unique_string import unique_string
from tests.azure.arm.errors import TemplateError

Value = Any
_TRUE = {"true", "1"}


@dataclass(frozen=True, slots=True)
class Function:
    """How many arguments a function takes, and what it makes of them."""

    least: int
    most: int | None
    apply: Callable[..., Value]


def expect(value: Value, *types: type) -> Any:
    """The value, if it is of one of the types; true and false are no integers."""
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        names = " or ".join(kind.__name__ for kind in types)
        raise TemplateError(f"{names} expected, {value!r} found")
    return value


def as_text(value: Value) -> str:
    """How a value is written into a text."""
    if isinstance(value, (dict, list)):
        return json.dumps(value, separators=(",", ":"))
    return str(expect(value, str, int, bool, float))


def is_empty(value: Value) -> bool:
    """Whether there is nothing in it; null is empty, too."""
    return value is None or len(expect(value, str, list, dict)) == 0


def merge(first: dict[str, Value], second: dict[str, Value]) -> dict[str, Value]:
    """Both objects in one: objects in them are merged, anything else of the second wins."""
    merged = dict(first)
    for key, value in second.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = merge(merged[key], value) if both else value
    return merged


def _concat(*values: Value) -> Value:
    if all(isinstance(value, list) for value in values):
        return [item for value in values for item in value]
    return "".join(as_text(expect(value, str, int, bool)) for value in values)


def _contains(container: Value, item: Value) -> bool:
    if isinstance(container, dict):
        return expect(item, str).lower() in {key.lower() for key in container}
    if isinstance(container, str):
        return expect(item, str) in container
    return item in expect(container, list)


def _create_object(*pairs: Value) -> dict[str, Value]:
    if len(pairs) % 2:
        raise TemplateError("createObject takes keys and values in turns")
    return {expect(key, str): value for key, value in zip(pairs[::2], pairs[1::2], strict=True)}


def _format(pattern: Value, *values: Value) -> str:
    return expect(pattern, str).format(*(as_text(value) for value in values))


def _union(*values: Value) -> Value:
    if all(isinstance(value, dict) for value in values):
        united: dict[str, Value] = {}
        for value in values:
            united = merge(united, value)
        return united
    items: list[Value] = []
    for item in _concat(*(expect(value, list) for value in values)):
        if item not in items:
            items.append(item)
    return items


def _integer(value: Value) -> int:
    try:
        return int(expect(value, str, int))
    except ValueError:
        raise TemplateError(f"{value!r} is no integer") from None


def _substring(text: Value, start: Value, length: Value | None = None) -> str:
    whole, begin = expect(text, str), expect(start, int)
    count = len(whole) - begin if length is None else expect(length, int)
    if not 0 <= begin <= begin + count <= len(whole):
        raise TemplateError(f"substring({whole!r}, {begin}, {count}) reaches beyond the text")
    return str(whole[begin : begin + count])


def _json(text: Value) -> Value:
    try:
        return json.loads(expect(text, str))
    except ValueError:
        raise TemplateError(f"json({text!r}): this is no JSON") from None


def _try_get(target: Value, *keys: Value) -> Value:
    for key in keys:
        inside = isinstance(target, dict) or (isinstance(target, list) and isinstance(key, int))
        found = key in target if isinstance(target, dict) else inside and 0 <= key < len(target)
        if not found:
            return None
        target = target[key]
    return target


FUNCTIONS = {
    "add": Function(2, 2, lambda a, b: expect(a, int) + expect(b, int)),
    "array": Function(1, 1, lambda value: value if isinstance(value, list) else [value]),
    "base64": Function(1, 1, lambda text: base64.b64encode(expect(text, str).encode()).decode()),
    "bool": Function(
        1, 1, lambda value: str(expect(value, str, int, bool)).lower() in {"true", "1"}
    ),
    "concat": Function(1, None, _concat),
    "contains": Function(2, 2, _contains),
    "createarray": Function(0, None, lambda *items: list(items)),
    "createobject": Function(0, None, _create_object),
    "empty": Function(1, 1, is_empty),
    "endswith": Function(
        2, 2, lambda text, end: expect(text, str).lower().endswith(expect(end, str).lower())
    ),
    "equals": Function(2, 2, lambda a, b: type(a) is type(b) and a == b),
    "false": Function(0, 0, lambda: False),
    "first": Function(1, 1, lambda value: next(iter(expect(value, str, list)), None)),
    "flatten": Function(1, 1, lambda value: _concat(*(expect(v, list) for v in value), [])),
    "format": Function(1, None, _format),
    "greater": Function(2, 2, lambda a, b: expect(a, int, str) > expect(b, int, str)),
    "greaterorequals": Function(2, 2, lambda a, b: expect(a, int, str) >= expect(b, int, str)),
    "indexof": Function(
        2, 2, lambda text, part: expect(text, str).lower().find(expect(part, str).lower())
    ),
    "int": Function(1, 1, _integer),
    "intersection": Function(
        2, None, lambda first, *rest: [i for i in first if all(i in other for other in rest)]
    ),
    "items": Function(
        1, 1, lambda o: [{"key": key, "value": o[key]} for key in sorted(expect(o, dict))]
    ),
    "join": Function(
        2, 2, lambda items, between: between.join(as_text(i) for i in expect(items, list))
    ),
    "json": Function(1, 1, _json),
    "last": Function(1, 1, lambda value: value[-1] if len(expect(value, str, list)) else None),
    "length": Function(1, 1, lambda value: len(expect(value, str, list, dict))),
    "less": Function(2, 2, lambda a, b: expect(a, int, str) < expect(b, int, str)),
    "lessorequals": Function(2, 2, lambda a, b: expect(a, int, str) <= expect(b, int, str)),
    "max": Function(1, None, lambda *n: max(n[0] if isinstance(n[0], list) else n)),
    "min": Function(1, None, lambda *n: min(n[0] if isinstance(n[0], list) else n)),
    "mul": Function(2, 2, lambda a, b: expect(a, int) * expect(b, int)),
    "not": Function(1, 1, lambda value: not expect(value, bool)),
    "null": Function(0, 0, lambda: None),
    "range": Function(2, 2, lambda start, count: list(range(start, start + count))),
    "replace": Function(3, 3, lambda text, old, new: expect(text, str).replace(old, new)),
    "skip": Function(2, 2, lambda value, count: expect(value, str, list)[max(0, count) :]),
    "split": Function(2, 2, lambda text, mark: expect(text, str).split(expect(mark, str))),
    "startswith": Function(
        2, 2, lambda text, start: expect(text, str).lower().startswith(expect(start, str).lower())
    ),
    "string": Function(1, 1, as_text),
    "sub": Function(2, 2, lambda a, b: expect(a, int) - expect(b, int)),
    "substring": Function(2, 3, _substring),
    "take": Function(2, 2, lambda value, count: expect(value, str, list)[: max(0, count)]),
    "tolower": Function(1, 1, lambda text: expect(text, str).lower()),
    "toupper": Function(1, 1, lambda text: expect(text, str).upper()),
    "trim": Function(1, 1, lambda text: expect(text, str).strip()),
    "true": Function(0, 0, lambda: True),
    "tryget": Function(2, None, _try_get),
    "union": Function(1, None, _union),
    "uniquestring": Function(
        1, None, lambda *texts: unique_string(*(expect(t, str) for t in texts))
    ),
}
