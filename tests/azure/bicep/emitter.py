"""Writes expressions of Bicep in Azure's template language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.azure.bicep.syntax import (
    Array,
    BicepError,
    Binary,
    Call,
    Constant,
    Expression,
    Index,
    Lambda,
    Member,
    Module,
    Name,
    Object,
    Resource,
    Ternary,
    Text,
    Unary,
)

_BINARY = {
    "==": "equals",
    "&&": "and",
    "||": "or",
    "??": "coalesce",
    "+": "add",
    "-": "sub",
    "*": "mul",
    "<": "less",
    "<=": "lessOrEquals",
    ">": "greater",
    ">=": "greaterOrEquals",
}
_FUNCTIONS = {
    "concat", "contains", "empty", "endsWith", "filter", "first", "format", "join", "json", "last",
    "length", "map", "max", "min", "replace", "resourceGroup", "split", "startsWith", "string",
    "subscription", "substring", "take", "toLower", "toUpper", "union", "uniqueString",
}  # fmt: skip
_DEPLOYMENTS = "Microsoft.Resources/deployments"


@dataclass(frozen=True, slots=True)
class Scope:
    """What the names of a file stand for."""

    folder: Path
    parameters: frozenset[str] = frozenset()
    variables: frozenset[str] = frozenset()
    resources: Mapping[str, Resource] = field(default_factory=dict)
    modules: Mapping[str, Module] = field(default_factory=dict)


class Emitter:
    """Collects the names that were used, and the texts of files that were loaded."""

    def __init__(self, scope: Scope) -> None:
        self.used: set[str] = set()
        self.texts: dict[str, str] = {}
        self._scope = scope
        self._lambdas: list[tuple[str, ...]] = []

    def value(self, expression: Expression) -> Any:
        """As JSON: plain where it is plain, else a string in brackets."""
        if isinstance(expression, Text) and expression.literal is not None:
            text = expression.literal
            return f"[{text}" if text.startswith("[") else text
        if isinstance(expression, Constant):
            return expression.value
        if isinstance(expression, Array):
            return [self.value(item) for item in expression.items]
        if isinstance(expression, Object):
            return {self._key(key): self.value(value) for key, value in expression.items}
        return f"[{self.expression(expression)}]"

    def expression(self, node: Expression) -> str:
        """Within brackets."""
        match node:
            case Text():
                return self._text(node)
            case Constant(value):
                return _constant(value)
            case Name(name):
                return self._name(name)
            case Member() | Index():
                return self._access(node)
            case Call():
                return self._call(node)
            case Array() | Object():
                return self._literal(node)
        return self._operation(node)

    def _access(self, node: Member | Index) -> str:
        match node:
            case Member(Name(symbol), name) if self._is_deployed(symbol):
                return self._property(symbol, name)
            case Member(target, name):
                return f"{self.expression(target)}.{name}"
        return f"{self.expression(node.target)}[{self.expression(node.key)}]"

    def _literal(self, node: Array | Object) -> str:
        if isinstance(node, Array):
            return f"createArray({', '.join(self.expression(item) for item in node.items)})"
        pairs = (
            f"{_quoted(key) if isinstance(key, str) else self._text(key)}, {self.expression(value)}"
            for key, value in node.items
        )
        return f"createObject({', '.join(pairs)})"

    def _operation(self, node: Expression) -> str:
        match node:
            case Unary("!", operand):
                return f"not({self.expression(operand)})"
            case Binary("!=", left, right):
                return f"not(equals({self.expression(left)}, {self.expression(right)}))"
            case Binary(operator, left, right) if operator in _BINARY:
                arguments = f"{self.expression(left)}, {self.expression(right)}"
                return f"{_BINARY[operator]}({arguments})"
            case Ternary(condition, then, otherwise):
                parts = (self.expression(part) for part in (condition, then, otherwise))
                return f"if({', '.join(parts)})"
        raise BicepError(f"{node} is not known here")

    def resource_name(self, resource: Resource) -> Any:
        """The full name, with the parents' before it."""
        names = self._names(resource)
        if len(names) == 1:
            return self.value(names[0])
        holes = "/".join(f"{{{index}}}" for index in range(len(names)))
        return f"[format({_quoted(holes)}, {', '.join(self.expression(n) for n in names)})]"

    def id_of(self, symbol: str) -> str:
        """The expression of a resource's, or a module's deployment's, id."""
        self.used.add(symbol)
        module = self._scope.modules.get(symbol)
        if module is not None:
            body, kind, names = module.body, _DEPLOYMENTS, [_required(module.body, "name", symbol)]
        else:
            resource = self._scope.resources[symbol]
            body, kind, names = resource.body, resource.type, self._names(resource)
        arguments = ", ".join([_quoted(kind), *(self.expression(name) for name in names)])
        scope = body.get("scope")
        if scope is None:
            return f"resourceId({arguments})"
        place = "/subscriptions/{0}/resourceGroups/{1}"
        group = f"subscription().subscriptionId, {self.expression(self.group_of(scope))}"
        return f"extensionResourceId(format({_quoted(place)}, {group}), {arguments})"

    def group_of(self, scope: Expression) -> Expression:
        """The name in ``resourceGroup(name)``, which is the one scope that is known here."""
        match scope:
            case Call(None, "resourceGroup", (name,)):
                return name
        raise BicepError(f"the scope {scope} is not known here")

    def _key(self, key: str | Text) -> str:
        return key if isinstance(key, str) else f"[{self._text(key)}]"

    def _is_deployed(self, symbol: str) -> bool:
        return symbol in self._scope.resources or symbol in self._scope.modules

    def _names(self, resource: Resource) -> list[Expression]:
        name = _required(resource.body, "name", resource.symbol)
        parent = resource.body.get("parent")
        if parent is None:
            return [name]
        if not isinstance(parent, Name) or parent.name not in self._scope.resources:
            raise BicepError(f"{resource.symbol}: the parent is a resource")
        return [*self._names(self._scope.resources[parent.name]), name]

    def _text(self, text: Text) -> str:
        if text.literal is not None:
            return _quoted(text.literal)
        pattern = ""
        values: list[str] = []
        for part in text.parts:
            if isinstance(part, str):
                pattern += part.replace("{", "{{").replace("}", "}}")
            else:
                pattern += f"{{{len(values)}}}"
                values.append(self.expression(part))
        return f"format({_quoted(pattern)}, {', '.join(values)})"

    def _name(self, name: str) -> str:
        if any(name in names for names in self._lambdas):
            return f"lambdaVariables({_quoted(name)})"
        self.used.add(name)
        if name in self._scope.parameters:
            return f"parameters({_quoted(name)})"
        if name in self._scope.variables:
            return f"variables({_quoted(name)})"
        raise BicepError(f"{name!r} can't be used here")

    def _property(self, symbol: str, name: str) -> str:
        id_ = self.id_of(symbol)
        if symbol in self._scope.modules:
            raise BicepError(f"{symbol}.{name}: outputs of modules are not known here")
        resource = self._scope.resources[symbol]
        if name == "id":
            return id_
        if name == "name":
            return self.expression(_required(resource.body, "name", symbol))
        version = _quoted(resource.api_version)
        if name == "properties":
            return f"reference({id_}, {version})"
        return f"reference({id_}, {version}, 'full').{name}"

    def _call(self, call: Call) -> str:
        match call:
            case Call(Name(symbol), "listKeys", ()) if symbol in self._scope.resources:
                version = _quoted(self._scope.resources[symbol].api_version)
                return f"listKeys({self.id_of(symbol)}, {version})"
            case Call(None, "loadTextContent", (Text() as path,)) if path.literal is not None:
                return self._loaded(path.literal)
            case Call(None, function, (items, Lambda(names, body))):
                bound = ", ".join(_quoted(name) for name in names)
                self._lambdas.append(names)
                inner = self.expression(body)
                self._lambdas.pop()
                return f"{function}({self.expression(items)}, lambda({bound}, {inner}))"
            case Call(None, function, arguments) if function in _FUNCTIONS:
                return f"{function}({', '.join(self.expression(a) for a in arguments)})"
        raise BicepError(f"the function {call.function} is not known here")

    def _loaded(self, path: str) -> str:
        text = (self._scope.folder / path).read_text(encoding="utf-8")
        escaped = f"[{text}" if text.startswith("[") else text
        name = next((name for name, known in self.texts.items() if known == escaped), None)
        if name is None:
            name = f"$fxv#{len(self.texts)}"
            self.texts[name] = escaped
        return f"variables({_quoted(name)})"


def _required(body: Object, key: str, symbol: str) -> Expression:
    value = body.get(key)
    if value is None:
        raise BicepError(f"{symbol} has no {key}")
    return value


def _quoted(text: str) -> str:
    escaped = text.replace("'", "''")
    return f"'{escaped}'"


def _constant(value: int | bool | None) -> str:
    if value is None:
        return "null()"
    return f"{str(value).lower()}()" if isinstance(value, bool) else str(value)
