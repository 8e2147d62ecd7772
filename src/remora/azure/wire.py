"""Values of Azure's libraries as they stood in the answer."""

from __future__ import annotations

from typing import Any


def wire(value: Any) -> str:
    """An enumeration's value, a text as it is, and nothing as an empty text."""
    return str(getattr(value, "value", value) or "")
