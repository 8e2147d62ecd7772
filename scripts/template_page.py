"""The page on the parameters of Azure's template, from its source and its compiled form."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any

_INFRA = files("remora.azure") / "infra"
_PARAMETER = re.compile(r"param (?P<name>\w+) \w+(?: = (?P<default>.+))?")
_INTRODUCTION = """\
The template is `inference.bicep`. [By hand](by-hand.md) tells how to deploy it without Remora;
`remora provision` gives it the values of your parameters file, and computes the rest.
`remora provision --explain` shows each value and where it came from.
"""


def page() -> str:
    """Every parameter, under the comments that head its group in the source."""
    lines = ["# Parameters of the template\n", _INTRODUCTION]
    declared = json.loads((_INFRA / "inference.json").read_text(encoding="utf-8"))["parameters"]
    for comment, defaults in _groups((_INFRA / "inference.bicep").read_text(encoding="utf-8")):
        title, _, text = comment.partition(". ")
        lines.append(f"## {title.rstrip('.')}\n")
        lines += [f"{text}\n"] if text else []
        lines.append("| parameter | type | default | |\n| --- | --- | --- | --- |")
        for name, default in defaults.items():
            shown = f"`{default}`" if default else "required"
            about = " ".join([declared[name]["metadata"]["description"], *_limits(declared[name])])
            lines.append(f"| `{name}` | {_type(declared[name])} | {shown} | {about} |")
        lines.append("")
    return "\n".join(lines)


def _groups(source: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Each comment before the first variable, and the parameters below it with their defaults."""
    comment: list[str] = []
    defaults: dict[str, str] = {}
    for line in source.splitlines():
        if line.startswith(("//", "var ")) and defaults:
            yield " ".join(comment), defaults
            comment, defaults = [], {}
        if line.startswith("var "):
            return
        if line.startswith("//"):
            comment.append(line.removeprefix("//").strip())
        elif found := _PARAMETER.fullmatch(line):
            defaults[found["name"]] = found["default"] or ""


def _type(declaration: Mapping[str, Any]) -> str:
    plain = str(declaration["type"])
    return "secret string" if plain == "securestring" else plain


def _limits(declaration: Mapping[str, Any]) -> Iterator[str]:
    if "allowedValues" in declaration:
        values = ", ".join(f"`{value}`" for value in declaration["allowedValues"])
        yield f"One of {values}."
    for suffix, unit in (("Value", ""), ("Length", " characters")):
        least, most = declaration.get(f"min{suffix}"), declaration.get(f"max{suffix}")
        if least is not None and most is not None:
            yield f"{least} to {most}{unit}."
        elif least is not None:
            yield f"At least {least}{unit}."
