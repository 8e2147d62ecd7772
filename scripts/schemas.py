"""JSON schemas of a project's files: an editor completes, explains and checks them by these."""

from __future__ import annotations

import json
from collections.abc import Callable
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
}
