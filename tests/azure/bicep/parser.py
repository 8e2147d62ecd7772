"""Parses Bicep with tree-sitter into ``syntax``, strictly."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator

import tree_sitter
import tree_sitter_bicep
from tree_sitter import Node

from tests.azure.bicep.syntax import (
    Array,
    BicepError,
    Binary,
    Call,
    Constant,
    Declaration,
    Decorator,
    Expression,
    Index,
    Lambda,
    Member,
    Metadata,
    Module,
    Name,
    Object,
    Output,
    Parameter,
    Resource,
    Ternary,
    Text,
    Unary,
    Variable,
)

_LANGUAGE = tree_sitter.Language(tree_sitter_bicep.language())
_OPERATIONS = {"ternary_expression", "binary_expression", "unary_expression"}
_MISREAD = "parentheses are needed: the parser knows no precedence"
_ESCAPES = {r"\\": "\\", r"\'": "'", r"\n": "\n", r"\r": "\r", r"\t": "\t"}


def parse(source: str) -> list[Declaration]:
    """The declarations of a file, in its order."""
    root = tree_sitter.Parser(_LANGUAGE).parse(source.encode()).root_node
    for node in _walk(root):
        if node.type == "ERROR" or node.is_missing:
            raise _fault(node, "this can't be parsed")
    declarations: list[Declaration] = []
    decorators: tuple[Decorator, ...] = ()
    for node in _named(root):
        if node.type == "decorators":
            decorators = tuple(_decorator(one) for one in _named(node))
            continue
        declare = _DECLARATIONS.get(node.type)
        if declare is None:
            raise _fault(node, f"{node.type} is not known here")
        declarations.append(declare(node, decorators))
        decorators = ()
    return declarations


def _walk(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from _walk(child)


def _named(node: Node) -> list[Node]:
    return [child for child in node.children if child.is_named and child.type != "comment"]


def _text(node: Node) -> str:
    return (node.text or b"").decode()


def _fault(node: Node, message: str) -> BicepError:
    return BicepError(f"line {node.start_point[0] + 1}: {message}: {_text(node)[:60]}")


def _tokens(node: Node) -> set[str]:
    return {child.type for child in node.children if not child.is_named}


def _decorator(node: Node) -> Decorator:
    call = _expression(_named(node)[0])
    if not isinstance(call, Call) or call.target is not None:
        raise _fault(node, "a decorator is a call")
    return Decorator(call.function, call.arguments)


def _metadata(node: Node, decorators: tuple[Decorator, ...]) -> Metadata:
    _undecorated(node, decorators)
    name, value = _named(node)
    return Metadata(_text(name), _expression(value))


def _parameter(node: Node, decorators: tuple[Decorator, ...]) -> Parameter:
    name, kind, *default = _named(node)
    value = _expression(default[0]) if default else None
    return Parameter(_text(name), _type(kind), value, decorators)


def _variable(node: Node, decorators: tuple[Decorator, ...]) -> Variable:
    _undecorated(node, decorators)
    name, value = _named(node)
    return Variable(_text(name), _expression(value))


def _resource(node: Node, decorators: tuple[Decorator, ...]) -> Resource:
    _undecorated(node, decorators)
    symbol, kind, body = _named(node)
    type_, _, api_version = _literal(kind).partition("@")
    condition = None
    if body.type == "if_statement":
        test, body = _named(body)
        condition = _expression(test)
    existing = "existing" in _tokens(node)
    return Resource(_text(symbol), type_, api_version, existing, condition, _object(body))


def _module(node: Node, decorators: tuple[Decorator, ...]) -> Module:
    _undecorated(node, decorators)
    symbol, path, body = _named(node)
    return Module(_text(symbol), _literal(path), _object(body))


def _output(node: Node, decorators: tuple[Decorator, ...]) -> Output:
    _undecorated(node, decorators)
    name, kind, value = _named(node)
    return Output(_text(name), _type(kind), _expression(value))


_DECLARATIONS: dict[str, Callable[[Node, tuple[Decorator, ...]], Declaration]] = {
    "metadata_declaration": _metadata,
    "parameter_declaration": _parameter,
    "variable_declaration": _variable,
    "resource_declaration": _resource,
    "module_declaration": _module,
    "output_declaration": _output,
}


def _undecorated(node: Node, decorators: tuple[Decorator, ...]) -> None:
    if decorators:
        raise _fault(node, "decorators of this are not known here")


def _type(node: Node) -> str:
    kind = _text(node)
    if kind not in {"string", "int", "bool", "array", "object"}:
        raise _fault(node, "this type is not known here")
    return kind


def _literal(node: Node) -> str:
    text = _expression(node)
    if not isinstance(text, Text) or text.literal is None:
        raise _fault(node, "a plain string is expected")
    return text.literal


def _expression(node: Node) -> Expression:
    convert = _EXPRESSIONS.get(node.type)
    if convert is None:
        raise _fault(node, f"{node.type} is not known here")
    return convert(node)


def _string(node: Node) -> Text:
    if node.children[0].type != "'":
        raise _fault(node, "strings of several lines are not known here")
    parts: list[str | Expression] = []
    written = node.text or b""
    opened, *children = node.children
    end = opened.end_byte
    for child in children:
        # The parser passes over white space between two pieces, or has it before the last quote.
        passed = written[end - node.start_byte : child.start_byte - node.start_byte].decode()
        if passed.strip() or (b"\\" in (child.text or b"") and child.type == "string_content"):
            raise _fault(node, "the parser misreads this string")
        parts.append(passed)
        end = child.end_byte
        if child.type == "string_content":
            parts.append(_text(child))
        elif child.type == "escape_sequence":
            parts.append(_escape(child))
        elif child.type == "interpolation":
            parts.append(_expression(_named(child)[0]))
        elif child.is_named:
            raise _fault(child, f"{child.type} is not known here")
        else:
            parts.append(_text(child).removesuffix("'"))
    return Text(tuple(part for part in parts if part != ""))


def _escape(node: Node) -> str:
    sequence = _text(node)
    if sequence not in _ESCAPES:
        raise _fault(node, "this escape is not known here")
    return _ESCAPES[sequence]


def _array(node: Node) -> Array:
    children = [child for child in node.children[1:-1] if child.type != "comment"]
    for before, after in itertools.pairwise(children):
        apart = "," in {before.type, after.type} or before.end_point[0] < after.start_point[0]
        if not apart:
            # The grammar takes `[f(x)]` for the two elements `f` and `(x)`.
            raise _fault(node, "the parser misreads this array: name the element by a variable")
    return Array(tuple(_expression(child) for child in children if child.type != ","))


def _object(node: Node) -> Object:
    if node.type != "object":
        raise _fault(node, "an object is expected")
    items: list[tuple[str | Text, Expression]] = []
    for child in _named(node):
        if child.type != "object_property":
            raise _fault(child, f"{child.type} is not known here")
        key, value = _named(child)
        name = _string(key) if key.type == "string" else Text((_text(key),))
        items.append((name if name.literal is None else name.literal, _expression(value)))
    if len(dict(items)) != len(items):
        raise _fault(node, "a key is there twice")
    return Object(tuple(items))


def _call(node: Node) -> Expression:
    function, arguments = _named(node)
    given = tuple(_expression(child) for child in _named(arguments))
    if function.type == "identifier":
        return Call(None, _text(function), given)

    def make(callee: Expression) -> Expression:
        if isinstance(callee, Member):
            return Call(callee.target, callee.name, given)
        if isinstance(callee, Name):
            return Call(None, callee.name, given)
        raise _fault(node, "this can't be called")

    return _bound(function, make)


def _member(node: Node) -> Expression:
    if not _tokens(node) <= {".", "!"}:
        raise _fault(node, "this operator is not known here")
    target, name = _named(node)
    return _bound(target, lambda value: Member(value, _text(name)))


def _subscript(node: Node) -> Expression:
    if _tokens(node) != {"[", "]"}:
        raise _fault(node, "this operator is not known here")
    target, key = _named(node)
    return _bound(target, lambda value: Index(value, _expression(key)))


def _bound(target: Node, make: Callable[[Expression], Expression]) -> Expression:
    """What follows an operand belongs to it alone: the grammar gives it to all of ``a ? b : c``."""
    whole = _expression(target)
    if target.type == "parenthesized_expression":
        return make(whole)
    if isinstance(whole, Ternary):
        return Ternary(whole.condition, whole.then, make(whole.otherwise))
    if isinstance(whole, (Binary, Unary)):
        raise _fault(target, _MISREAD)
    return make(whole)


def _unary(node: Node) -> Unary:
    operator, operand = node.children
    if operand.type in _OPERATIONS:
        raise _fault(node, _MISREAD)
    return Unary(operator.type, _expression(operand))


def _binary(node: Node) -> Binary:
    left, operator, right = node.children
    for side in (left, right):
        same = side.type == "binary_expression" and side.children[1].type == operator.type
        if side.type in _OPERATIONS - {"unary_expression"} and not same:
            raise _fault(node, _MISREAD)
    return Binary(operator.type, _expression(left), _expression(right))


def _ternary(node: Node) -> Ternary:
    condition, then, otherwise = _named(node)
    if {condition.type, then.type} & {"ternary_expression"} or otherwise.type in _OPERATIONS:
        raise _fault(node, _MISREAD)
    return Ternary(_expression(condition), _expression(then), _expression(otherwise))


def _parenthesized(node: Node) -> Expression:
    inner = _named(node)
    if len(inner) != 1:
        raise _fault(node, "one expression is expected")
    return _expression(inner[0])


def _lambda(node: Node) -> Lambda:
    parameters, body = _named(node)
    names = _named(parameters) if parameters.type == "parenthesized_expression" else [parameters]
    return Lambda(tuple(_text(name) for name in names), _expression(body))


def _number(node: Node) -> Constant:
    if not re.fullmatch(r"\d+", _text(node)):
        raise _fault(node, "an integer is expected")
    return Constant(int(_text(node)))


_EXPRESSIONS: dict[str, Callable[[Node], Expression]] = {
    "string": _string,
    "number": _number,
    "boolean": lambda node: Constant(_text(node) == "true"),
    "null": lambda _: Constant(None),
    "identifier": lambda node: Name(_text(node)),
    "member_expression": _member,
    "subscript_expression": _subscript,
    "call_expression": _call,
    "unary_expression": _unary,
    "binary_expression": _binary,
    "ternary_expression": _ternary,
    "parenthesized_expression": _parenthesized,
    "lambda_expression": _lambda,
    "array": _array,
    "object": _object,
}
