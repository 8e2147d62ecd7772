"""Strict pydantic models from the TypedDicts of Azure's own libraries.

The TypedDicts name every property of a resource. The models refuse what is not among them, wrong
types, null, values that an enumeration lacks, and properties that only Azure may set.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from enum import Enum
from types import ModuleType, NoneType
from typing import Any, Literal, Required, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, create_model
from typing_extensions import get_type_hints, is_typeddict


class Library:
    """One of Azure's libraries: its TypedDicts, with the enumerations and models beside them."""

    def __init__(self, types: ModuleType, models: ModuleType, *, any_case: bool = False) -> None:
        """With `any_case`, values of enumerations may be written in lower case, too."""
        self._any_case = any_case
        self._types = types
        self._models = models
        enums = {name: value for name, value in vars(models).items() if _is_enum(value)}
        self._names: Mapping[str, Any] = {**vars(types), **enums, **_typed_dicts(types)}
        self.model = functools.cache(self._model)

    def _model(self, name: str) -> type[BaseModel]:
        """The strict model of the TypedDict of that name."""
        typed = getattr(self._types, name)
        read_only = self._read_only(name)
        fields: dict[str, Any] = {}
        # Only a key that says so is required: `total` is left out where a class has a base.
        hints = get_type_hints(typed, globalns=dict(self._names), include_extras=True)
        for key, hint in hints.items():
            if key not in read_only:
                origin: Any = get_origin(hint)
                required = origin is Required
                kind = get_args(hint)[0] if required else hint
                fields[key] = (self._strict(kind), ... if required else None)
        config = ConfigDict(extra="forbid", strict=True, protected_namespaces=())
        return create_model(f"Strict{name}", __config__=config, **fields)

    def _strict(self, hint: Any) -> Any:
        """A type with the same values, less those that Azure would refuse."""
        if is_typeddict(hint):
            return self.model(hint.__name__)
        origin, arguments = get_origin(hint), get_args(hint)
        if origin is Union:
            enums = [kind for kind in arguments if _is_enum(kind)]
            if enums:
                values = [item.value for kind in enums for item in kind]
                lower = [value.lower() for value in values] if self._any_case else []
                return Literal[tuple(dict.fromkeys(values + lower))]
            kept = [self._strict(kind) for kind in arguments if kind is not NoneType]
            return functools.reduce(lambda a, b: a | b, kept)
        if origin is list:
            return list[self._strict(arguments[0])]  # type: ignore[misc]
        if origin is dict:
            return dict[str, self._strict(arguments[1])]  # type: ignore[misc]
        return hint

    def _read_only(self, name: str) -> set[str]:
        # The libraries keep what may be sent in fields of a class that is private to them.
        bases = getattr(self._models, name).__mro__ if hasattr(self._models, name) else ()
        fields = [(key, field) for base in bases for key, field in vars(base).items()]
        return {
            field._rest_name_input or key
            for key, field in fields
            if getattr(field, "_visibility", None) == ["read"]
        }


def _typed_dicts(module: ModuleType) -> dict[str, Any]:
    return {name: value for name, value in vars(module).items() if is_typeddict(value)}


def _is_enum(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, Enum)
