"""The prompt template that AI Toolkit wrote into a project's code or its training's settings.

Nothing of the project is run: Python is parsed, and so is JSON.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from remora.formats.prompt_template import (
    BrokenPrompt,
    PromptTemplate,
    parse_prompt,
    parse_training_text,
)
from remora.project.tree import Tree

_CODE = "inference"
_CODE_FILES = ("gradio_chat.py", "utils.py", "chat.py", "console_chat.py")
_SETTINGS = ("finetuning", ".")
_SETTINGS_FILE = "olive-config.json"
_NAMES = {"template", "prompt_template"}
_KEY = "text_template"
_LARGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class FoundPrompt:
    """A template, and where it stands: ``inference/gradio_chat.py, line 71``."""

    template: PromptTemplate
    source: str


def find_prompt(tree: Tree) -> FoundPrompt | None:
    """The template of a project: that of its inference code, else that of its training."""
    return next(_all_found(tree), None)


def _all_found(tree: Tree) -> Iterator[FoundPrompt]:
    for name in _CODE_FILES:
        text = _read(tree, _CODE, name)
        for line, template in _in_code(text):
            yield FoundPrompt(template, f"{_CODE}/{name}, line {line}")
    for folder in _SETTINGS:
        place = _SETTINGS_FILE if folder == "." else f"{folder}/{_SETTINGS_FILE}"
        for template in _in_settings(_read(tree, folder, _SETTINGS_FILE)):
            yield FoundPrompt(template, f"{place}, {_KEY}")


def _read(tree: Tree, folder: str, name: str) -> str:
    path = tree.root / folder
    if name not in tree.list(path).files:
        return ""
    try:
        return tree.open(path).read(name, 0, _LARGEST).decode("utf-8", "replace")
    except OSError:
        return ""


def _in_code(text: str) -> Iterator[tuple[int, PromptTemplate]]:
    try:
        nodes = list(ast.walk(ast.parse(text)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in nodes:
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Constant):
            continue
        named = {target.id.lower() for target in node.targets if isinstance(target, ast.Name)}
        if named & _NAMES and isinstance(node.value.value, str):
            try:
                yield node.lineno, parse_prompt(node.value.value)
            except BrokenPrompt:
                continue


def _in_settings(text: str) -> Iterator[PromptTemplate]:
    try:
        values = list(_values(json.loads(text))) if text else []
    except (ValueError, RecursionError):
        return
    for value in values:
        try:
            yield parse_training_text(value)
        except BrokenPrompt:
            continue


def _values(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get(_KEY), str):
            yield node[_KEY]
        for child in node.values():
            yield from _values(child)
    elif isinstance(node, list):
        for child in node:
            yield from _values(child)
