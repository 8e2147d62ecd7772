"""A deployment on Azure as it goes on: a live table for a person, events for a program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from remora.azure.deployment import Listener, Operation
from remora.cli.output import Output

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

STYLES = {"succeeded": "green", "failed": "red", "canceled": "red"}


@dataclass(slots=True)
class DeploymentView(Listener):
    """Hears a deployment. Where there is no terminal each change is one line."""

    output: Output
    live: Live | None = field(default=None, init=False)
    told: dict[tuple[str, str], str] = field(default_factory=dict, init=False)

    def __enter__(self) -> Self:
        if not self.output.as_json and self.output.console.is_terminal:
            from rich.live import Live

            self.live = Live(console=self.output.console, refresh_per_second=4)
            self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.live is not None:
            self.live.stop()
            self.live = None

    def operations(self, operations: Sequence[Operation], seconds: float) -> None:
        if self.live is not None:
            self.live.update(_table(operations, seconds))
            return
        for one in operations:
            if self.told.get((one.type, one.name)) == one.state:
                continue
            self.told[one.type, one.name] = one.state
            self.output.say(
                "operation",
                f"{_clock(seconds)}  {one.state:<10} {one.type} {one.name}",
                type=one.type,
                name=one.name,
                state=one.state,
                seconds=round(one.seconds, 1),
                error=one.error.message if one.error else None,
            )


def _table(operations: Sequence[Operation], seconds: float) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim", title=f"{_clock(seconds)} elapsed")
    table.title_justify = "left"
    for column in ("state", "resource", "name", "seconds"):
        table.add_column(column, overflow="fold")
    for one in operations:
        style = STYLES.get(one.state.lower(), "yellow")
        kind = one.type.removeprefix("Microsoft.")
        table.add_row(f"[{style}]{one.state}[/]", kind, escape(one.name), f"{one.seconds:.0f}")
    return table


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"
