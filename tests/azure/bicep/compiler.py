"""Compiles Bicep to the JSON of Azure's template language, as the official compiler does.

It knows what the template uses and refuses the rest. It checks names, not types: those are held
against Azure's contracts when the compiled template is evaluated.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.azure.bicep.emitter import Emitter, Scope
from tests.azure.bicep.parser import parse
from tests.azure.bicep.syntax import (
    Array,
    BicepError,
    Metadata,
    Module,
    Name,
    Object,
    Output,
    Parameter,
    Resource,
    Variable,
)

SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
DEPLOYMENTS_VERSION = "2025-04-01"
_LIMITS = {"minValue", "maxValue", "minLength", "maxLength"}


def compile_file(path: Path) -> dict[str, Any]:
    """The template of a file and of the modules that it names."""
    return _File(path).template()


class _File:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._declarations = parse(path.read_text(encoding="utf-8"))
        self._parameters = [d for d in self._declarations if isinstance(d, Parameter)]
        self._variables = [d for d in self._declarations if isinstance(d, Variable)]
        self._resources = [d for d in self._declarations if isinstance(d, Resource)]
        self._modules = [d for d in self._declarations if isinstance(d, Module)]
        self._outputs = [d for d in self._declarations if isinstance(d, Output)]
        self._scope = Scope(
            folder=path.parent,
            parameters=frozenset(p.name for p in self._parameters),
            variables=frozenset(v.name for v in self._variables),
            resources={r.symbol: r for r in self._resources},
            modules={m.symbol: m for m in self._modules},
        )

    def template(self) -> dict[str, Any]:
        """All of it; raises if something is declared twice, or never used."""
        emitter = Emitter(self._scope)
        template: dict[str, Any] = {"$schema": SCHEMA, "contentVersion": "1.0.0.0"}
        metadata = {
            one.name: emitter.value(one.value)
            for one in self._declarations
            if isinstance(one, Metadata)
        }
        if metadata:
            template["metadata"] = metadata
        # Defaults may use other parameters alone.
        of_parameters = Emitter(Scope(self._path.parent, self._scope.parameters))
        template["parameters"] = {p.name: parameter(p, of_parameters) for p in self._parameters}
        variables = {v.name: emitter.value(v.value) for v in self._variables}
        resources = [self._resource(r, emitter) for r in self._resources if not r.existing]
        resources += [self._module(m, emitter) for m in self._modules]
        outputs = {o.name: {"type": o.type, "value": emitter.value(o.value)} for o in self._outputs}
        template["variables"] = emitter.texts | variables
        template["resources"] = resources
        if outputs:
            template["outputs"] = outputs
        self._check_names(emitter.used | of_parameters.used)
        return {key: value for key, value in template.items() if value or key == "resources"}

    def _check_names(self, used: set[str]) -> None:
        declared = [p.name for p in self._parameters] + [v.name for v in self._variables]
        declared += [r.symbol for r in self._resources] + [m.symbol for m in self._modules]
        twice = {name for name in declared if declared.count(name) > 1}
        if twice:
            raise BicepError(f"{self._path.name}: declared twice: {sorted(twice)}")
        unused = {p.name for p in self._parameters} | {v.name for v in self._variables}
        unused |= {r.symbol for r in self._resources if r.existing}
        if unused - used:
            raise BicepError(f"{self._path.name}: never used: {sorted(unused - used)}")

    def _resource(self, resource: Resource, emitter: Emitter) -> dict[str, Any]:
        emitted: dict[str, Any] = {}
        if resource.condition is not None:
            emitted["condition"] = emitter.value(resource.condition)
        emitted["type"] = resource.type
        emitted["apiVersion"] = resource.api_version
        emitted["name"] = emitter.resource_name(resource)
        needs = Emitter(self._scope)
        for key, value in resource.body.plain.items():
            if key in {"name", "parent", "dependsOn"}:
                continue
            if key == "scope":
                raise BicepError(f"{resource.symbol}: a scope of its own is not known here")
            emitted[key] = needs.value(value)
        return emitted | self._depends_on(resource.symbol, resource.body, needs, emitter)

    def _module(self, module: Module, emitter: Emitter) -> dict[str, Any]:
        body = module.body.plain
        unknown = body.keys() - {"name", "scope", "params", "dependsOn"}
        if unknown:
            raise BicepError(f"{module.symbol}: {sorted(unknown)} is not known here")
        inner = compile_file(self._path.parent / module.path)
        params = body.get("params", Object(()))
        if not isinstance(params, Object):
            raise BicepError(f"{module.symbol}: params is an object")
        _check_params(module, params, inner)
        needs = Emitter(self._scope)
        emitted: dict[str, Any] = {
            "type": "Microsoft.Resources/deployments",
            "apiVersion": DEPLOYMENTS_VERSION,
            "name": needs.value(body["name"]),
        }
        if "scope" in body:
            emitted["resourceGroup"] = needs.value(needs.group_of(body["scope"]))
        emitted["properties"] = {
            "expressionEvaluationOptions": {"scope": "inner"},
            "mode": "Incremental",
            "parameters": {
                key: {"value": needs.value(value)} for key, value in params.plain.items()
            },
            "template": inner,
        }
        return emitted | self._depends_on(module.symbol, module.body, needs, emitter)

    def _depends_on(
        self, symbol: str, body: Object, needs: Emitter, emitter: Emitter
    ) -> dict[str, Any]:
        """The ids of all that is referred to, that is the parent, or that is named."""
        symbols = needs.used & (self._scope.resources.keys() | self._scope.modules.keys())
        named = body.get("dependsOn") or Array(())
        parent = body.get("parent")
        for name in (
            *(named.items if isinstance(named, Array) else ()),
            *([parent] * bool(parent)),
        ):
            if not isinstance(name, Name):
                raise BicepError(f"{symbol}: dependsOn and parent take names")
            symbols.add(name.name)
        emitter.used |= needs.used | symbols
        emitter.texts |= needs.texts
        existing = {name for name, r in self._scope.resources.items() if r.existing}
        ids = [emitter.id_of(name) for name in sorted(symbols - existing)]
        return {"dependsOn": [f"[{id_}]" for id_ in ids]} if ids else {}


def parameter(declared: Parameter, emitter: Emitter) -> dict[str, Any]:
    """A parameter with its default and the limits that its decorators set."""
    emitted: dict[str, Any] = {"type": declared.type}
    if declared.default is not None:
        emitted["defaultValue"] = emitter.value(declared.default)
    for decorator in declared.decorators:
        arguments = [emitter.value(argument) for argument in decorator.arguments]
        if decorator.name == "description":
            emitted["metadata"] = {"description": arguments[0]}
        elif decorator.name == "secure" and declared.type in {"string", "object"}:
            emitted["type"] = {"string": "securestring", "object": "secureObject"}[declared.type]
        elif decorator.name == "allowed":
            emitted["allowedValues"] = arguments[0]
        elif decorator.name in _LIMITS:
            emitted[decorator.name] = arguments[0]
        else:
            raise BicepError(f"{declared.name}: @{decorator.name} is not known here")
    return emitted


def _check_params(module: Module, params: Object, inner: Mapping[str, Any]) -> None:
    given = params.plain.keys()
    declared = inner.get("parameters", {})
    required = {key for key, value in declared.items() if "defaultValue" not in value}
    if given - declared.keys() or required - given:
        wrong = sorted((given - declared.keys()) | (required - given))
        raise BicepError(f"{module.symbol}: {wrong} unknown or missing")
