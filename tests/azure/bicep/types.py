"""The types of Bicep itself, as ``azmcp`` prints them (PyPI: ``msmcp-azure``)."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_DEPLOYMENT_KEYS = {"type", "apiVersion", "name", "id", "dependsOn"}


class BicepTypes:
    """The types that a resource's body is made of."""

    def __init__(self, found: list[Mapping[str, Any]]) -> None:
        (resource,) = [one for one in found if one["$type"] == "Resource"]
        self.api_version = str(resource["name"]).partition("@")[2]
        self._body: Mapping[str, Any] = resource["bodyType"]
        self._objects = {one["name"]: one for one in found if one["$type"] == "Object"}

    def faults(self, body: Mapping[str, Any]) -> list[str]:
        """Where a body is not of these types."""
        return list(self._object(self._body, body, "", _DEPLOYMENT_KEYS))

    def _object(
        self, kind: Mapping[str, Any], value: Any, place: str, ignored: set[str]
    ) -> Iterator[str]:
        if not isinstance(value, Mapping):
            yield f"{place}: an object expected, {value!r} found"
            return
        properties = {one["name"]: one for one in kind.get("properties", [])}
        rest = kind.get("additionalPropertiesType")
        for key, item in value.items():
            flags = properties.get(key, {}).get("flags", "")
            if (key not in properties and rest is None) or "ReadOnly" in flags:
                yield f"{place}.{key}: unknown or read-only"
            elif key in properties:
                yield from self._value(properties[key]["type"], item, f"{place}.{key}")
        for key, one in properties.items():
            if "Required" in one.get("flags", "") and key not in {*value, *ignored}:
                yield f"{place}.{key}: missing"

    def _value(self, kind: str, value: Any, place: str) -> Iterator[str]:
        if kind.endswith("[]"):
            if not isinstance(value, list):
                yield f"{place}: an array expected, {value!r} found"
                return
            for index, item in enumerate(value):
                yield from self._value(kind.removesuffix("[]"), item, f"{place}[{index}]")
        elif kind in self._objects:
            yield from self._object(self._objects[kind], value, place, set())
        else:
            choices = kind.split(" | ")
            plain: Any = {"string": str, "bool": bool, "int": (int, float)}.get(choices[-1], str)
            named = set(choices) - {"string", "bool", "int"}
            wrong = isinstance(value, bool) != (plain is bool) or not isinstance(value, plain)
            if wrong or (named and value not in named):
                yield f"{place}: {kind} expected, {value!r} found"


def read_types(kind: str, home: Path) -> BicepTypes:
    """The types of a resource, from ``azmcp``, which may write into `home`."""
    done = subprocess.run(
        ["azmcp", "bicepschema", "get", "--resource-type", kind],
        env=os.environ | {"AZURE_MCP_COLLECT_TELEMETRY": "false", "HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
    )
    return BicepTypes(json.loads(done.stdout)["results"]["BicepSchemaResult"])
