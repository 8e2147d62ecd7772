"""A deployment of a template: its resources in the order of their dependencies, and its outputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.azure.arm.environment import Environment
from tests.azure.arm.errors import TemplateError
from tests.azure.arm.evaluator import Evaluator, extension_resource_id
from tests.azure.arm.functions import expect

SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
_TEMPLATE_KEYS = {
    "$schema", "contentVersion", "metadata", "parameters", "variables", "resources", "outputs",
}  # fmt: skip
_META_KEYS = {"type", "apiVersion", "name", "dependsOn", "condition", "comments", "metadata"}
_BODY_KEYS = {"location", "tags", "sku", "kind", "identity", "properties"}
_SCOPE_KEYS = {"resourceGroup", "subscriptionId"}
DEPLOYMENTS = "Microsoft.Resources/deployments"


@dataclass(frozen=True, slots=True)
class Resource:
    """What is put to Azure.

    ``name`` has the parents' names before it, with slashes; ``body`` is the request's body.
    """

    type: str
    api_version: str
    name: str
    id: str
    resource_group: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Step:
    """A resource of the template, its place there, and the ids of those that come before it."""

    raw: Mapping[str, Any]
    path: str
    name: str
    wanted: bool
    needs: frozenset[str]


class Deployment:
    """A template with its parameters, not yet deployed."""

    def __init__(self, template: Mapping[str, Any], evaluator: Evaluator) -> None:
        self._template = template
        self._evaluator = evaluator

    def resources(self) -> Iterator[Resource]:
        """Each resource after those that it depends on, if its condition is true.

        It is evaluated when it is asked for, so that it can refer to those that were deployed
        meanwhile. A nested deployment's resources come before the nested deployment itself.
        """
        for step in self._ordered():
            resource = self._resource(step)  # Azure evaluates it whether it is wanted or not.
            if not step.wanted:
                continue
            if resource.type == DEPLOYMENTS:
                yield from self._nested(step.path, resource)
            yield resource

    def outputs(self) -> dict[str, dict[str, Any]]:
        """Type and value of each output, to be asked for when all resources are deployed."""
        outputs = {}
        for name, output in self._template.get("outputs", {}).items():
            unknown = set(output) - {"type", "value", "metadata"}
            if unknown:
                raise TemplateError(f"unknown keys {sorted(unknown)}", where=f"outputs.{name}")
            value = self._evaluator.value(output["value"], f"outputs.{name}")
            outputs[name] = {"type": output["type"].capitalize(), "value": value}
        return outputs

    def _ordered(self) -> list[_Step]:
        """All resources in the order of their dependencies."""
        pending: dict[str, _Step] = {}
        value = self._evaluator.value
        for index, raw in enumerate(self._template["resources"]):
            path = f"resources[{index}]"
            name = expect(value(raw["name"], path), str)
            key = self._id(raw, name).lower()
            if key in pending:
                raise TemplateError(f"{key} is there twice", where=path)
            wanted = expect(value(raw.get("condition", True), path), bool)
            needs = {expect(value(id_), str).lower() for id_ in raw.get("dependsOn", [])}
            pending[key] = _Step(raw, path, name, wanted, frozenset(needs))
        for step in pending.values():
            unknown = step.needs - pending.keys()
            if unknown:
                raise TemplateError(f"depends on {', '.join(sorted(unknown))}", where=step.path)
        ordered = []
        while pending:
            ready = next(
                (k for k, step in pending.items() if not step.needs & pending.keys()), None
            )
            if ready is None:
                raise TemplateError(f"{', '.join(pending)} depend on each other")
            ordered.append(pending.pop(ready))
        return ordered

    def _id(self, raw: Mapping[str, Any], name: str) -> str:
        here = self._evaluator.environment
        scope = f"/subscriptions/{here.subscription_id}/resourceGroups/{self._group(raw)}"
        return extension_resource_id(scope, raw["type"], *name.split("/"))

    def _group(self, raw: Mapping[str, Any]) -> str:
        here = self._evaluator.environment
        return str(self._evaluator.value(raw.get("resourceGroup", here.resource_group)))

    def _resource(self, step: _Step) -> Resource:
        raw, path, name = step.raw, step.path, step.name
        scope_keys = _SCOPE_KEYS if raw["type"] == DEPLOYMENTS else set()
        unknown = set(raw) - _META_KEYS - _BODY_KEYS - scope_keys
        if unknown:
            raise TemplateError(f"unknown keys {sorted(unknown)}", where=path)
        body = {key: raw[key] for key in raw if key in _BODY_KEYS}
        if raw["type"] == DEPLOYMENTS:
            properties = dict(raw["properties"])
            template = properties.pop("template")
            body = self._evaluator.value({**body, "properties": properties}, path)
            body["properties"]["template"] = template
        else:
            body = self._evaluator.value(body, path)
        return Resource(
            raw["type"], raw["apiVersion"], name, self._id(raw, name), self._group(raw), body
        )

    def _nested(self, path: str, resource: Resource) -> Iterator[Resource]:
        properties = resource.body["properties"]
        options = properties.get("expressionEvaluationOptions")
        if options != {"scope": "inner"} or properties.get("mode") != "Incremental":
            raise TemplateError("a nested deployment is incremental and of scope inner", where=path)
        inner = evaluate(
            properties["template"],
            properties.get("parameters", {}),
            self._evaluator.environment.group(resource.resource_group),
            preview=self._evaluator.preview,
        )
        yield from inner.resources()
        self._evaluator.nested_outputs[resource.id.lower()] = inner.outputs()


def evaluate(
    template: Mapping[str, Any],
    parameters: Mapping[str, Any],
    environment: Environment,
    *,
    preview: bool = False,
) -> Deployment:
    """Checks a template and the parameters for it, ``{name: {"value": ...}}``.

    With `preview`, an expression that needs what is not deployed yet stays as it is.

    :raises TemplateError: here or later, for what is wrong or not known.
    """
    unknown = set(template) - _TEMPLATE_KEYS
    if unknown:
        raise TemplateError(f"unknown keys {sorted(unknown)} in the template")
    if template.get("$schema") != SCHEMA or template.get("contentVersion") != "1.0.0.0":
        raise TemplateError("this is no template of a resource group's deployment")
    return Deployment(template, Evaluator(template, parameters, environment, preview=preview))
