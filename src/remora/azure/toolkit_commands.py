"""AI Toolkit's own commands for the container, and what becomes of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

REPLACED = (
    "defaultCommands starts AI Toolkit's gradio_chat.py: `remora provision` runs Remora's server in"
    " its place, which nothing is installed for at each start; --keep-commands runs the commands as"
    " they are"
)

KEPT = (
    "defaultCommands run as they are: without a front and without a key, open to whoever finds the"
    " address"
)


def starts_gradio_chat(commands: Iterable[Any] | None) -> bool:
    """Whether the shell lines still start the server of AI Toolkit's template."""
    return any("gradio_chat.py" in str(line) for line in commands or ())
