"""Checks the parameters of a deployment as Azure does, and fills in defaults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.azure.arm.errors import TemplateError

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "securestring": (str,),
    "int": (int,),
    "bool": (bool,),
    "object": (dict,),
    "secureobject": (dict,),
    "array": (list,),
}
_KEYS = {
    "type", "defaultValue", "metadata",
    "allowedValues", "minValue", "maxValue", "minLength", "maxLength",
}  # fmt: skip


def is_secure(declaration: Mapping[str, Any]) -> bool:
    """Whether Azure never shows the parameter's value."""
    return str(declaration["type"]).lower().startswith("secure")


def given_values(
    declarations: Mapping[str, Mapping[str, Any]], given: Mapping[str, Any]
) -> dict[str, Any]:
    """The values of a parameters object, ``{name: {"value": ...}}``, without defaults.

    :raises TemplateError: one is unknown, missing, null, or not what its declaration allows.
    """
    declared = {name.lower(): name for name in declarations}
    unknown = [name for name in given if name.lower() not in declared]
    if unknown:
        raise TemplateError(f"the template has no parameter {', '.join(unknown)}")
    values = {}
    for name, holder in given.items():
        if not isinstance(holder, Mapping) or set(holder) != {"value"}:
            raise TemplateError('a parameter is given as {"value": ...}', where=name)
        values[declared[name.lower()]] = holder["value"]
    for name, declaration in declarations.items():
        if name in values:
            check_value(name, declaration, values[name])
        elif "defaultValue" not in declaration:
            raise TemplateError("the parameter has no value and no default", where=name)
    return values


def check_value(name: str, declaration: Mapping[str, Any], value: Any) -> None:
    """Raises ``TemplateError`` if the value is not of the type, or out of the limits."""
    unknown = set(declaration) - _KEYS
    if unknown:
        raise TemplateError(f"unknown keys {sorted(unknown)}", where=f"parameters.{name}")
    types = _TYPES.get(str(declaration["type"]).lower())
    if types is None:
        raise TemplateError(f"unknown type {declaration['type']!r}", where=f"parameters.{name}")
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        shown = "a value" if is_secure(declaration) else repr(value)
        raise TemplateError(f"{declaration['type']} expected, {shown} given", where=name)
    allowed = declaration.get("allowedValues")
    if allowed is not None and value not in allowed:
        raise TemplateError(f"{value!r} is none of {allowed}", where=name)
    if isinstance(value, int):
        _check_limits(name, declaration, "Value", value)
    elif isinstance(value, (str, list)):
        _check_limits(name, declaration, "Length", len(value))


def _check_limits(name: str, declaration: Mapping[str, Any], suffix: str, measure: int) -> None:
    least, most = declaration.get(f"min{suffix}"), declaration.get(f"max{suffix}")
    if (least is not None and measure < least) or (most is not None and measure > most):
        least_, most_ = least if least is not None else "any", most if most is not None else "any"
        raise TemplateError(f"{suffix.lower()} {measure} is not {least_} to {most_}", where=name)
