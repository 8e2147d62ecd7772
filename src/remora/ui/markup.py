"""Text of models as HTML: Markdown without raw HTML and without images, which a browser would
fetch from wherever the text says; and what all pages show alike."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt


def rich(text: str) -> str:
    """Markdown as HTML; whatever the text holds, it runs nothing and loads nothing."""
    return str(_reader().render(text))


@cache
def _reader() -> MarkdownIt:
    from markdown_it import MarkdownIt

    reader = MarkdownIt("commonmark", {"html": False, "breaks": True})
    return reader.enable("table").enable("strikethrough").disable("image")


def problem(text: str) -> str:
    """Something that went wrong, told at once by screen readers."""
    return f'<p class="problem" role="alert">{escape(text)}</p>' if text else ""


def note(text: str) -> str:
    """A state that may change, told by screen readers when they have time."""
    return f'<p class="note" role="status">{escape(text)}</p>'


def button(label: str, action: str, index: int | str = "", *, copy: str | None = None) -> str:
    """A small button; its page's script passes the click on, or copies the text given."""
    data = f' data-copy="{escape(copy)}"' if copy is not None else ""
    return (
        f'<button type="button" data-action="{action}" data-index="{index}"{data}>'
        f"{escape(label)}</button>"
    )


def table(header: Sequence[str], rows: Sequence[Sequence[str]], caption: str) -> str:
    """A table that scrolls sideways where it doesn't fit. Cells are HTML already."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in header)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return (
        f'<div class="sideways" tabindex="0" role="region" aria-label="{escape(caption)}"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )
