"""Parses expressions of Azure's template language.

https://learn.microsoft.com/azure/azure-resource-manager/templates/template-expressions
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.azure.arm.errors import TemplateError

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+)|(?P<name>[A-Za-z_]\w*)|(?P<mark>[()\[\],.]))"
)


@dataclass(frozen=True, slots=True)
class Literal:
    """A string or a number."""

    value: str | int


@dataclass(frozen=True, slots=True)
class Call:
    """A function with its arguments."""

    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Access:
    """A property, or an element by number or name, of a value."""

    target: Node
    key: Node


Node = Literal | Call | Access


def is_expression(text: str) -> bool:
    """Whether a string of a template is computed: ``[[`` stands for a bracket that is meant."""
    return text.startswith("[") and text.endswith("]") and not text.startswith("[[")


def parse(text: str) -> Node:
    """The syntax tree of a string for which ``is_expression`` holds."""
    parser = _Parser(text)
    parser.take("[")
    node = parser.node()
    parser.take("]")
    if parser.rest:
        raise TemplateError(f"{parser.rest[0]!r} follows the end of the expression", where=text)
    return node


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self.rest = list(self._tokens())

    def _tokens(self) -> list[str]:
        tokens, position = [], 0
        end = len(self._text.rstrip())
        while position < end:
            found = _TOKEN.match(self._text, position)
            if found is None:
                raise TemplateError(f"no token at character {position}", where=self._text)
            tokens.append(found.group().strip())
            position = found.end()
        return tokens

    def take(self, expected: str) -> None:
        if not self.rest or self.rest[0] != expected:
            found = self.rest[0] if self.rest else "the end"
            raise TemplateError(f"{expected!r} expected, {found!r} found", where=self._text)
        self.rest.pop(0)

    def node(self) -> Node:
        node = self._primary()
        while self.rest and self.rest[0] in {".", "["}:
            if self.rest.pop(0) == ".":
                node = Access(node, Literal(self._name()))
            else:
                node = Access(node, self.node())
                self.take("]")
        return node

    def _primary(self) -> Node:
        token = self.rest.pop(0) if self.rest else ""
        if token.startswith("'"):
            return Literal(token[1:-1].replace("''", "'"))
        if token.lstrip("-").isdigit():
            return Literal(int(token))
        if not token.isidentifier():
            raise TemplateError(f"a value expected, {token!r} found", where=self._text)
        self.take("(")
        arguments: list[Node] = []
        while self.rest and self.rest[0] != ")":
            if arguments:
                self.take(",")
            arguments.append(self.node())
        self.take(")")
        return Call(token, tuple(arguments))

    def _name(self) -> str:
        token = self.rest.pop(0) if self.rest else ""
        if not token.isidentifier():
            raise TemplateError(f"a name expected, {token!r} found", where=self._text)
        return token
