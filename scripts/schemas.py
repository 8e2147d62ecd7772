"""JSON schemas of a project's files: an editor completes, explains and checks them by these."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from remora.azure.config_file import InferenceConfig
from remora.project.config import Config

FOLDER = Path(__file__).resolve().parent.parent / "editors" / "vscode" / "schemas"
DIALECT = "http://json-schema.org/draft-07/schema#"  # the newest that editors know whole


def remora_schema() -> str:
    """All of remora.toml."""
    return text_of(schema_of(Config, "remora.toml"))


def config_schema() -> str:
    """The six keys that provisioning writes."""
    return text_of(schema_of(InferenceConfig, "infra/inference.config.json"))


def parameters_schema() -> str:
    """A deployment-parameters file of Remora's template."""
    template = files("remora.azure") / "infra" / "inference.json"
    declared = json.loads(template.read_text("utf-8"))["parameters"]
    schema = {
        "$schema": DIALECT,
        "title": "infra/provision/inference.parameters.json",
        "description": "Values for the template of inference. A null means the default.",
        "type": "object",
        "properties": {
            "$schema": {"type": "string"},
            "contentVersion": {"type": "string"},
            "parameters": {
                "type": "object",
                "properties": {name: entry(each) for name, each in declared.items()},
                "additionalProperties": False,
            },
        },
        "required": ["parameters"],
    }
    return text_of(schema)


def entry(declaration: Mapping[str, Any]) -> dict[str, Any]:
    """What a parameters file may hold for one parameter: its value, or where its secret is."""
    kind = str(declaration["type"]).removeprefix("secure")
    value: dict[str, Any] = {
        "type": [{"int": "integer", "bool": "boolean"}.get(kind, kind), "null"]
    }
    if "allowedValues" in declaration:
        value["enum"] = [*declaration["allowedValues"], None]
    limits = {"minLength": "minLength", "maxLength": "maxLength"}
    limits |= {"minValue": "minimum", "maxValue": "maximum"}
    value |= {limits[key]: declaration[key] for key in limits if key in declaration}
    description = declaration["metadata"]["description"]
    return {
        "description": description,
        "type": "object",
        "properties": {
            "value": {"description": description, **value},
            "reference": {"description": "A secret in a key vault.", "type": "object"},
        },
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }


def schema_of(model: type[BaseModel], title: str) -> dict[str, Any]:
    """The schema of a model, as an editor shows it."""
    return {"$schema": DIALECT, "title": title, **shown(model.model_json_schema())}


def shown(schema: Any) -> Any:
    """The same without titles, which only repeat names, and with Markdown in the docstrings."""
    if isinstance(schema, list):
        return [shown(each) for each in schema]
    if isinstance(schema, str):
        return schema.replace("``", "`")
    if not isinstance(schema, dict):
        return schema
    return {
        key: {name: shown(each) for name, each in value.items()}
        if key in {"properties", "$defs", "patternProperties"}  # whose keys are names
        else shown(value)
        for key, value in schema.items()
        if key != "title"
    }


def text_of(schema: dict[str, Any]) -> str:
    """As it is written."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


SCHEMAS: dict[str, Callable[[], str]] = {
    "remora.schema.json": remora_schema,
    "inference.config.schema.json": config_schema,
    "inference.parameters.schema.json": parameters_schema,
}
