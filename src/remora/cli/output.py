"""What a command says: lines for a person, or one JSON object a line for a program."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from remora.errors import RemoraError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

UNEXPECTED = 1
INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Output:
    """Says each thing once: as an event with fields, or as what a person reads."""

    as_json: bool

    def say(self, event: str, text: RenderableType = "", /, **fields: Any) -> None:
        """Print an event. Without `text` it is for programs alone."""
        if self.as_json:
            # In one piece: threads tell events, too, and `print` writes the end of a line alone.
            sys.stdout.write(json.dumps({"event": event, **fields}, default=str) + "\n")
            sys.stdout.flush()
        elif text:
            self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    @property
    def console(self) -> Console:
        from rich.console import Console

        return Console()


def report(error: BaseException, *, as_json: bool) -> int:
    """Tell what went wrong and what to do next; returns the exit code."""
    if os.environ.get("REMORA_DEBUG") == "1":
        raise error
    if isinstance(error, RemoraError):
        message, hint, code = str(error), error.hint, error.exit_code
    else:
        message = f"{type(error).__name__}: {error}"
        hint, code = "This is a fault of Remora. REMORA_DEBUG=1 shows where.", UNEXPECTED
    if as_json:
        Output(as_json=True).say("error", message=message, hint=hint, exit_code=code)
    else:
        print(f"error: {message}", file=sys.stderr)  # noqa: T201
        if hint:
            print(f"hint: {hint}", file=sys.stderr)  # noqa: T201
    return code
