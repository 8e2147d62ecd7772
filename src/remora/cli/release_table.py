"""Releases and what they serve, as a person reads them."""

from __future__ import annotations

from typing import Any

from remora.backends.backend import fingerprint
from remora.release.changes import Change, Kind
from remora.release.manifest import short
from remora.release.report import Report

SIGNS = {Kind.ADDED: "+", Kind.REPLACED: "~", Kind.REMOVED: "-"}


def change_text(change: Change) -> str:
    """One line: what was done to which part, and from what to what."""
    text = f"{SIGNS[change.kind]} {change.part} {change.name}".rstrip()
    if change.part in {"model", "engine"}:
        return f"{text}: {change.before or 'unset'} -> {change.after or 'unset'}"
    values = [short(value) for value in (change.before, change.after) if value]
    return f"{text} ({' -> '.join(values)})"


def model_table(report: Report, release: str) -> Any:
    """The models of a report; the fingerprint is what their completions carry."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("model", "kind", "state", "digest", "fingerprint", ""):
        table.add_column(column, no_wrap=True)
    for model in report.models:
        version = model.digest if model.parent else ""
        table.add_row(
            model.name,
            "adapter" if model.parent else "base",
            model.state,
            short(model.digest),
            fingerprint(release, version),
            model.reason or "",
        )
    return table
