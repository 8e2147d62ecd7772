"""JSON files of a project: read with the place of every mistake, replaced in one step."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from remora.errors import ConfigError


@dataclass(frozen=True, slots=True)
class JsonFile:
    """An object in a file, and the text that it was read from."""

    path: Path
    value: dict[str, Any]
    text: str = field(repr=False)

    def place(self, key: str) -> str:
        """``infra/inference.config.json:3: ACA_APP_NAME``, as editors link it."""
        found = re.search(rf'^.*?"{re.escape(key)}"\s*:', self.text, re.MULTILINE)
        line = f":{self.text.count(chr(10), 0, found.start()) + 1}" if found else ""
        return f"{self.path}{line}: {key}"


def read_json(path: Path) -> JsonFile:
    """Raises `ConfigError` if the file can't be read or holds no JSON object."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        value = json.loads(text, object_pairs_hook=_unique)
    except OSError as error:
        raise ConfigError(f"{path} can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text: {error}") from error
    except json.JSONDecodeError as error:
        raise ConfigError(f"{path}:{error.lineno}: is not valid JSON: {error.msg}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise ConfigError(f"{path}: a JSON object is expected")
    return JsonFile(path, value, text)


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write beside, then rename: a half-written file is never there."""
    beside = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        raise ConfigError(f"{path} can't be written: {error.strerror}") from error
    finally:
        beside.unlink(missing_ok=True)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} stands there twice")
    return table
