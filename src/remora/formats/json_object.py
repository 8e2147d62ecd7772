"""A JSON object in a file, as Hugging Face's configurations are."""

from __future__ import annotations

import json
from typing import Any

from remora.formats.folder import Folder


class BrokenJson(ValueError):
    """The file is there and holds no JSON object; the message says why."""


def json_object(folder: Folder, name: str) -> dict[str, Any]:
    """The object in a file; empty if there is no such file. Raises `BrokenJson`."""
    try:
        value = json.loads(folder.read(name))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise BrokenJson(f"can't be read: {error}") from error
    if not isinstance(value, dict):
        raise BrokenJson("a JSON object is expected")
    return value
