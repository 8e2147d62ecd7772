"""Rows of texts in columns, as lines that no narrow terminal cuts off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.text import Text


def columns(rows: Sequence[Sequence[str]], styles: Sequence[str]) -> Text:
    """One line a row; the last column may be of any length. ``styles`` has one of rich's for each
    row, which its first column gets."""
    from rich.text import Text

    widths = [max(map(len, column), default=0) for column in zip(*rows, strict=True)]
    lines = []
    for row, style in zip(rows, styles, strict=True):
        padded = [cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=False)]
        first, *rest = [*padded, row[-1]]
        lines.append(Text.assemble((first, style), "  ", "  ".join(rest).rstrip()))
    return Text("\n").join(lines)
