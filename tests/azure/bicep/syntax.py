"""The syntax tree of a Bicep file, in the subset of the language that the template uses.

tree-sitter-bicep parses; this says what each node means, and refuses what it does not know.
"""

from __future__ import annotations

from dataclasses import dataclass


class BicepError(ValueError):
    """A file is wrong, or uses what is not known here; names the line."""


@dataclass(frozen=True, slots=True)
class Text:
    """A string: its pieces in turn, literal ones as `str`."""

    parts: tuple[str | Expression, ...]

    @property
    def literal(self) -> str | None:
        """The string, unless something is put into it."""
        if all(isinstance(part, str) for part in self.parts):
            return "".join(part for part in self.parts if isinstance(part, str))
        return None


@dataclass(frozen=True, slots=True)
class Constant:
    """A number, true, false, or null."""

    value: int | bool | None


@dataclass(frozen=True, slots=True)
class Name:
    """Whatever has that name: a parameter, a variable, a resource, a module, or a lambda's."""

    name: str


@dataclass(frozen=True, slots=True)
class Member:
    """``target.name``."""

    target: Expression
    name: str


@dataclass(frozen=True, slots=True)
class Index:
    """``target[key]``."""

    target: Expression
    key: Expression


@dataclass(frozen=True, slots=True)
class Call:
    """``function(...)``, or ``target.function(...)``."""

    target: Expression | None
    function: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Unary:
    """``!operand`` or ``-operand``."""

    operator: str
    operand: Expression


@dataclass(frozen=True, slots=True)
class Binary:
    """``left operator right``."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Ternary:
    """``condition ? then : otherwise``."""

    condition: Expression
    then: Expression
    otherwise: Expression


@dataclass(frozen=True, slots=True)
class Lambda:
    """``(names) => body``."""

    names: tuple[str, ...]
    body: Expression


@dataclass(frozen=True, slots=True)
class Array:
    """``[...]``."""

    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Object:
    """``{...}``, in the order of the file; a key can have something put into it."""

    items: tuple[tuple[str | Text, Expression], ...]

    @property
    def plain(self) -> dict[str, Expression]:
        """The values by their keys, which must be literal here."""
        values = {key: value for key, value in self.items if isinstance(key, str)}
        if len(values) < len(self.items):
            raise BicepError("a key with something put into it is not known here")
        return values

    def get(self, key: str, default: Expression | None = None) -> Expression | None:
        """The value of a key."""
        return self.plain.get(key, default)


Expression = (
    Text | Constant | Name | Member | Index | Call
    | Unary | Binary | Ternary | Lambda | Array | Object
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Decorator:
    """``@name(...)``."""

    name: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Metadata:
    """``metadata name = value``."""

    name: str
    value: Expression


@dataclass(frozen=True, slots=True)
class Parameter:
    """``param name type = default``."""

    name: str
    type: str
    default: Expression | None
    decorators: tuple[Decorator, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """``var name = value``."""

    name: str
    value: Expression


@dataclass(frozen=True, slots=True)
class Resource:
    """``resource symbol 'type@version' [existing] = [if (condition)] {...}``."""

    symbol: str
    type: str
    api_version: str
    existing: bool
    condition: Expression | None
    body: Object


@dataclass(frozen=True, slots=True)
class Module:
    """``module symbol 'path' = {...}``."""

    symbol: str
    path: str
    body: Object


@dataclass(frozen=True, slots=True)
class Output:
    """``output name type = value``."""

    name: str
    type: str
    value: Expression


Declaration = Metadata | Parameter | Variable | Resource | Module | Output
