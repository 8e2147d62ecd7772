"""What is wrong with a template or its parameters."""

from __future__ import annotations


class TemplateError(ValueError):
    """The template or a parameter is wrong, or uses what is not known here; says where."""

    def __init__(self, message: str, *, where: str = "") -> None:
        super().__init__(f"{where}: {message}" if where else message)


class Unresolved(Exception):
    """A value that only exists after a resource was deployed; raised by an ``Environment``."""
