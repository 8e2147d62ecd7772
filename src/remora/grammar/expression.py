"""Expressions: texts that a generation must be one of, as plain data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Literal:
    """Exactly this text."""

    text: str


@dataclass(frozen=True, slots=True)
class Special:
    """One special token of the tokenizer, such as ``[TOOL_CALLS]``."""

    token: str


@dataclass(frozen=True, slots=True)
class Json:
    """A JSON value that a schema (itself JSON text) accepts."""

    schema: str


@dataclass(frozen=True, slots=True)
class Regex:
    """A text that a regular expression matches as a whole."""

    pattern: str


@dataclass(frozen=True, slots=True)
class Lark:
    """A context-free grammar in Lark's notation, whose start rule is ``start``."""

    source: str


@dataclass(frozen=True, slots=True)
class Chain:
    """One expression after the other."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class OneOf:
    """Any one of several expressions."""

    options: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """An expression once or more, with a separator in between."""

    item: Expression
    separator: str


@dataclass(frozen=True, slots=True)
class Until:
    """Free text up to where a marker first appears in it, and the marker."""

    marker: Literal | Special


@dataclass(frozen=True, slots=True)
class Embedded:
    """Free text, in which each ``trigger`` begins the ``item``, any number of times."""

    trigger: Literal | Special
    item: Expression


Expression = Literal | Special | Json | Regex | Lark | Chain | OneOf | Repeat | Until | Embedded


@dataclass(frozen=True, slots=True)
class Constraint:
    """What an answer must be. ``param`` names the parameter that asked for it, for errors."""

    expression: Expression
    param: str
