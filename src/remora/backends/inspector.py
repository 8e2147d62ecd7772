"""Who looks at files before they are loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class Inspector(Protocol):
    """Looks at what is to be served, before it is loaded."""

    def base(self) -> None:
        """Raises `ModelError` if the base model can't be served."""
        ...

    def adapter(self, folder: Path) -> None:
        """Raises `AdapterError` if an adapter can't be."""
        ...
