"""A commented ``remora.toml`` for a project."""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from remora.project.config import (
    CodeSection,
    ContainerSection,
    EngineSection,
    ModelSection,
    ServerSection,
)
from remora.project.names import is_name
from remora.project.toolkit_prompt import FoundPrompt


def render(
    folder: Path,
    *,
    base: Path,
    name: str,
    adapters: Mapping[str, Path],
    prompts: Mapping[str, FoundPrompt],
    server: Mapping[str, Any],
    code: Mapping[str, Any] | None = None,
) -> str:
    """The text of a file in `folder`: what is chosen, and every other key as a comment.

    The table [code] as a whole is a comment where ``code`` is None.
    """
    lines = [
        "# What Remora serves from this folder: `remora serve`.",
        "# Keys that are commented out show their defaults, or an example.",
        "",
        *_table("model", ModelSection, {"base": relative(base, folder), "name": name}),
        "",
        "# Adapters by name: folders in PEFT's layout. A request names one as its `model`.",
        "[adapters]",
        *(
            f"{_key(key)} = {_adapter(relative(path, folder), prompts.get(key))}"
            for key, path in adapters.items()
        ),
        "",
        *_table("engine", EngineSection, {}),
        "",
        *_table("server", ServerSection, server),
        "",
        *_table("code", CodeSection, code),
        "",
        *_table("container", ContainerSection, {}),
    ]
    return "\n".join(lines) + "\n"


def relative(path: Path, folder: Path) -> str:
    """A path as it is written in the file: from its folder if it can be, with slashes."""
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # Another drive of Windows.
        return path.as_posix()


def _adapter(path: str, prompt: FoundPrompt | None) -> str:
    if prompt is None:
        return _value(path)
    return f"{{ path = {_value(path)}, prompt_template = {_value(str(prompt.template))} }}"


def _table(title: str, section: type[BaseModel], chosen: Mapping[str, Any] | None) -> Iterator[str]:
    yield from _comment(section.__doc__ or "")
    yield f"[{title}]" if chosen is not None else f"# [{title}]"
    for key, field in section.model_fields.items():
        yield from _comment(field.description or "")
        if chosen and key in chosen:
            yield f"{key} = {_value(chosen[key])}"
        else:
            example = field.default if field.default is not None else (field.examples or [""])[0]
            yield f"# {key} = {_value(example)}"


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, 92, initial_indent="# ", subsequent_indent="# ")


def _key(name: str) -> str:
    return name if is_name(name) and "." not in name else _value(name)


def _value(value: Any) -> str:
    # JSON's texts, numbers, booleans and lists are TOML's.
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)
